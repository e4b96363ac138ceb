"""Fewer examples and fewer classes, for fast studies (playbook D10, T12)."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def stratified_subset(
    labels: torch.Tensor | Sequence[int], size: int, *, seed: int = 0
) -> torch.Tensor:
    """Indices of `size` examples with the shares of the classes that all have.

    A smaller subset of the same seed is a part of the larger one, so that the amount of
    data can be the budget of a study.

    >>> from danlu import training
    >>> labels = [0] * 80 + [1] * 20
    >>> chosen = training.stratified_subset(labels, 10)
    >>> sum(labels[at] for at in chosen.tolist())
    2

    Raises:
        ValueError: there are not so many examples.
    """
    classes = torch.as_tensor(labels)
    if not 0 <= size <= len(classes):
        raise ValueError(
            f"stratified_subset cannot take size={size} of {len(classes)} examples"
        )
    return stratified_order(classes, seed=seed)[:size]


def stratified_order(
    labels: torch.Tensor | Sequence[int], *, seed: int = 0
) -> torch.Tensor:
    """All indices in an order of which every beginning has the shares of the classes.

    The example that is number r of the n of its class stands at the place
    (r + 1/2) / n of the order; ties are broken at random.

    >>> from danlu import training
    >>> labels = [0, 0, 0, 0, 1, 1]
    >>> [labels[at] for at in training.stratified_order(labels).tolist()[:3]]
    [0, 1, 0]
    """
    classes = torch.as_tensor(labels).cpu()
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(classes), generator=generator)
    by_class = shuffled[torch.argsort(classes[shuffled], stable=True)]
    _, counts = torch.unique_consecutive(classes[by_class], return_counts=True)
    sizes = counts.repeat_interleave(counts)
    firsts = (counts.cumsum(0) - counts).repeat_interleave(counts)
    numbers = torch.arange(len(classes)) - firsts
    places = (numbers.double() + 0.5) / sizes.double()
    mixed = torch.randperm(len(classes), generator=generator)
    return by_class[mixed][torch.argsort(places[mixed], stable=True)]


def reduce_classes(
    labels: torch.Tensor | Sequence[int], classes: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices of the examples of `classes`, and their labels counted anew from 0.

    >>> from danlu import training
    >>> at, renamed = training.reduce_classes([7, 3, 5, 7], classes=[5, 7])
    >>> at.tolist(), renamed.tolist()
    ([0, 2, 3], [1, 0, 1])

    Raises:
        ValueError: no class is asked for, or one stands twice or has no example.
    """
    if not len(classes):
        raise ValueError("reduce_classes needs at least one class, got none")
    all_labels = torch.as_tensor(labels)
    wanted = torch.as_tensor(list(classes))
    if len(wanted.unique()) != len(wanted):
        raise ValueError(f"reduce_classes got a class twice: {list(classes)}")
    is_class = all_labels[:, None] == wanted[None, :]  # (n, classes)
    missing = wanted[~is_class.any(0)].tolist()
    if missing:
        raise ValueError(f"reduce_classes found no example of {missing}")
    kept = is_class.any(1).nonzero().flatten()
    return kept, is_class[kept].int().argmax(1)
