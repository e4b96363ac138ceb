"""Several models as one: mean predictions, and means of weights (playbook T16)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import nn

Weights: TypeAlias = Mapping[str, torch.Tensor]


class Ensemble(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """Classifiers whose probabilities are averaged; returns their logarithm.

    Logits are not averaged: that would give the surest member more than its share.

    >>> import torch
    >>> from danlu import training
    >>> members = [torch.nn.Linear(2, 3) for _ in range(2)]
    >>> together = training.Ensemble(members)
    >>> bool(torch.allclose(together(torch.zeros(4, 2)).exp().sum(1), torch.ones(4)))
    True

    Raises:
        ValueError: there are no members, or they give one score for each example.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        if not members:
            raise ValueError("an ensemble needs at least one member, got none")
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, *inputs: Any) -> torch.Tensor:
        """Logarithms of the mean probabilities, of shape (n, classes)."""
        scores = [member(*inputs) for member in self.members]
        if scores[0].shape[-1] < 2:
            raise ValueError(
                "an ensemble averages the probabilities of classes, and its members "
                f"give {list(scores[0].shape)}: let them give a score for each class"
            )
        each = [own.log_softmax(-1) for own in scores]
        total = torch.logsumexp(torch.stack(each), 0)
        return total - torch.log(torch.tensor(float(len(each))))


def soup(states: Sequence[Weights]) -> dict[str, torch.Tensor]:
    """The mean of weights that were trained from one start (Wortsman et al., 2022).

    Counters and masks are those of the last. Measure batch norms anew after it.

    >>> import torch
    >>> from danlu import training
    >>> training.soup([{"w": torch.tensor([1.0])}, {"w": torch.tensor([2.0])}])
    {'w': tensor([1.5000])}

    Raises:
        ValueError: there are none, or their names or shapes differ.
    """
    _check_alike(states)
    return {name: _mean([state[name] for state in states]) for name in states[-1]}


def greedy_soup(
    states: Sequence[Weights], score: Callable[[Weights], float]
) -> tuple[dict[str, torch.Tensor], list[int]]:
    """The soup of those that help, and which they are (Wortsman et al., 2022, Alg. 1).

    From the best down, one is kept if the `score` (larger is better) of the soup with
    it is no worse; those that alone score nan are left out. Score on data that no
    trial was chosen by.

    >>> import torch
    >>> from danlu import training
    >>> states = [{"w": torch.tensor([value])} for value in (1.0, 9.0, 2.0)]
    >>> training.greedy_soup(states, lambda w: -abs(float(w["w"]) - 1.4))
    ({'w': tensor([1.5000])}, [0, 2])

    Raises:
        ValueError: there are none, their names or shapes differ, or all score nan.
    """
    _check_alike(states)
    alone = [score(state) for state in states]
    known = [at for at, own in enumerate(alone) if not math.isnan(own)]
    if not known:
        raise ValueError(f"each of {len(states)} sets of weights scores nan")
    kept: list[int] = []
    best, best_score = dict(states[known[0]]), float("-inf")
    for at in sorted(known, key=lambda at: -alone[at]):
        tried = soup([states[each] for each in (*kept, at)])
        reached = score(tried)
        if reached >= best_score:
            kept, best, best_score = [*kept, at], tried, reached
    return best, kept


def _mean(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    kind = tensors[-1].dtype
    if not (kind.is_floating_point or kind.is_complex):
        return tensors[-1].clone()
    wide = torch.complex128 if kind.is_complex else torch.float64
    total = torch.zeros_like(tensors[0], dtype=wide)  # sums of 16 bits round
    for tensor in tensors:
        total += tensor
    return (total / len(tensors)).to(tensors[-1].dtype)


def _check_alike(states: Sequence[Weights]) -> None:
    if not states:
        raise ValueError("a soup needs at least one set of weights, got none")
    first = {name: tensor.shape for name, tensor in states[0].items()}
    for at, state in enumerate(states):
        own = {name: tensor.shape for name, tensor in state.items()}
        if own != first:
            wrong = sorted({name for name, _ in own.items() ^ first.items()})
            raise ValueError(
                f"weights 0 and {at} are not of one model: they differ in {wrong[:5]}"
            )
