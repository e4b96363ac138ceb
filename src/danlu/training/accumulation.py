"""Gradients of a batch in parts, equal to those of the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import distributed

from .processes import meeting_device, ranks

NoSync = Callable[[], AbstractContextManager[Any]]


def examples(batch: Any) -> int:
    """How many examples a batch has: the length of it, or of its first part.

    >>> import torch
    >>> examples((torch.zeros(8, 3), torch.zeros(8)))
    8

    Raises:
        TypeError: the batch does not begin with a tensor.
    """
    first = batch
    while isinstance(first, Mapping | list | tuple) and len(first):
        first = next(iter(first.values() if isinstance(first, Mapping) else first))
    if not isinstance(first, torch.Tensor):
        raise TypeError(
            f"the examples of a batch that begins with {type(first).__name__} cannot "
            "be counted: say `count`"
        )
    return len(first)


def accumulate(
    parts: Sequence[Any],
    loss: Callable[[Any], torch.Tensor],
    *,
    count: Callable[[Any], float] = examples,
    scaler: Any = None,
    no_sync: NoSync | None = None,
) -> float:
    """Runs backward on each part so that the gradients are those of all at once.

    `loss(part)` is a mean, and `count(part)` says over how many: examples, or the
    tokens that are not ignored. So parts of unequal size count as they should. Returns
    the mean over the whole. Then comes one `take_step`, with the same `scaler`.

    Under DistributedDataParallel, `no_sync=model.no_sync` saves the exchange for all
    parts but the last, and the counts of all processes are added up. It saves memory
    and no time: tune with a batch that fits. Batch norm sees the parts, not the whole.

    >>> import torch
    >>> from danlu import training
    >>> weight = torch.zeros(1, requires_grad=True)
    >>> parts = [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([8.0])]
    >>> training.accumulate(parts, lambda part: (weight * part - part).abs().mean())
    3.5
    >>> weight.grad
    tensor([-3.5000])

    Raises:
        ValueError: all parts together are nothing, in any of the processes.
        TypeError: the parts cannot be had by their place.
    """
    if not hasattr(parts, "__getitem__"):
        raise TypeError(
            f"accumulate needs the parts of one batch as a list, got "
            f"{type(parts).__name__}: list(itertools.islice(parts, 4)) takes four"
        )
    counts = [count(part) for part in parts]
    used = [at for at, own in enumerate(counts) if own > 0]  # a mean of nothing is nan
    if _everywhere(float(not used)):  # all raise then: none waits for another
        where = "this process" if not used else "another process"
        raise ValueError(
            f"accumulate got {len(parts)} parts, and in {where} there is nothing in "
            "them to take a mean of"
        )
    weights = _weights(counts)
    total: torch.Tensor | float = 0.0
    for at in used:
        with _syncing(no_sync, last=at == used[-1]):
            value = loss(parts[at]) * weights[at]
            (value if scaler is None else scaler.scale(value)).backward()
        total = total + value.detach()
    return _everywhere(float(total)) / ranks()


def _weights(counts: Sequence[float]) -> list[float]:
    """The share of each part in the whole.

    The gradients of processes are averaged, not added: so each is multiplied by their
    number, and divided by what all of them have.
    """
    total = _everywhere(float(sum(counts)))
    return [own * ranks() / total if total else 0.0 for own in counts]


def _everywhere(own: float) -> float:
    """The sum of what all processes have."""
    if ranks() == 1:
        return own
    both = torch.tensor(own, dtype=torch.float64, device=meeting_device())
    distributed.all_reduce(both)
    return float(both)


def _syncing(no_sync: NoSync | None, *, last: bool) -> AbstractContextManager[Any]:
    return nullcontext() if last or no_sync is None else no_sync()
