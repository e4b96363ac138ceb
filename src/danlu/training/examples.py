"""Batches from what a program calls its data: tensors, or a dataset with an index."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def size_of(source: Any) -> int:
    """How many examples there are.

    >>> import torch
    >>> size_of((torch.zeros(5, 2), torch.zeros(5)))
    5
    """
    return len(source[0]) if _is_tensors(source) else len(source)


def batch_of(source: Any, places: Sequence[int], device: str = "cpu") -> Any:
    """The examples at `places` as one batch, in the form that the loss takes.

    A dataset's own `collate` or `collate_fn` puts them together, if it has one.

    >>> import torch
    >>> batch_of((torch.arange(5), torch.ones(5)), [3, 1])
    (tensor([3, 1]), tensor([1., 1.]))
    """
    if _is_tensors(source):
        rows = torch.as_tensor(places)
        return tuple(part[rows].to(device) for part in source)
    found = _collate_of(source)([source[int(place)] for place in places])
    return moved(tuple(found) if isinstance(found, list) else found, device)


def moved(batch: Any, device: str) -> Any:
    """The batch with every tensor in it on `device`.

    >>> import torch
    >>> moved({"x": torch.ones(1), "name": "a"}, "cpu")
    {'x': tensor([1.]), 'name': 'a'}
    """
    return _mapped(batch, lambda part: part.to(device))


def tensors_in(batch: Any) -> list[Tensor]:
    """Every tensor of a batch, in order.

    >>> import torch
    >>> tensors_in(({"x": torch.ones(1), "name": "a"}, torch.zeros(1)))
    [tensor([1.]), tensor([0.])]
    """
    if isinstance(batch, Tensor):
        return [batch]
    if isinstance(batch, Mapping):
        return tensors_in(list(batch.values()))
    if isinstance(batch, tuple | list):
        return [found for part in batch for found in tensors_in(part)]
    return []


def part_of(batch: Any, places: Any) -> Any:
    """Some examples of a batch, by their places in it.

    >>> import torch
    >>> part_of((torch.arange(3), torch.arange(3)), [2])
    (tensor([2]), tensor([2]))
    """
    return _mapped(batch, lambda part: part[places])


def shuffled(count: int, batch_size: int, seed: int) -> Iterator[list[int]]:
    """Places of one batch after another, in a new order in each epoch, without end.

    The last batch of an epoch is left out where it is smaller.

    >>> batches = shuffled(4, 2, seed=0)
    >>> sorted(next(batches) + next(batches))
    [0, 1, 2, 3]
    """
    size = min(count, batch_size)
    draw = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(count, generator=draw)
        for start in range(0, count - size + 1, size):
            yield order[start : start + size].tolist()


def _collate_of(source: Any) -> Callable[[list[Any]], Any]:
    plain: Callable[[list[Any]], Any] = torch.utils.data.default_collate
    own: Callable[[list[Any]], Any] = getattr(source, "collate_fn", plain)
    return getattr(source, "collate", own)


def _mapped(batch: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The batch with every tensor in it changed; its containers stay what they are."""
    if isinstance(batch, Tensor):
        return change(batch)
    if isinstance(batch, Mapping):
        parts = {key: _mapped(value, change) for key, value in batch.items()}
        if isinstance(batch, dict) or not hasattr(batch, "update"):
            return parts
        changed = copy.copy(batch)  # such as the BatchEncoding of Hugging Face
        changed.update(parts)
        return changed
    if isinstance(batch, tuple | list):
        rows = [_mapped(part, change) for part in batch]
        return type(batch)(*rows) if hasattr(batch, "_fields") else type(batch)(rows)
    return batch


def _is_tensors(source: Any) -> bool:
    return isinstance(source, tuple) and all(isinstance(p, Tensor) for p in source)
