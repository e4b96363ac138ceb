"""What a program reads, as examples for a probe: by place, collated alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    default_collate,
)
from torch.utils.data.distributed import DistributedSampler

PLAIN = (RandomSampler, SequentialSampler, DistributedSampler)
COLUMNS = 4  # at most, of a list of tensors that was meant to be a tuple of them


@dataclass(frozen=True)
class Examples:
    """A dataset, and how its examples become a batch.

    >>> examples = Examples([1, 2, 3], sum)
    >>> len(examples), examples[1], examples.collate([1, 2])
    (3, 2, 3)
    """

    dataset: Any
    collate: Callable[[list[Any]], Any]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, place: int) -> Any:
        return self.dataset[place]


def by_place(source: Any, name: str) -> Any:
    """The source as a probe reads it: a `DataLoader` by what is in it, else as it is.

    >>> import torch
    >>> by_place(DataLoader(TensorDataset(torch.arange(3)), 2), "train")
    (tensor([0, 1, 2]),)

    Raises:
        ValueError: its examples cannot be had by their place.
    """
    if isinstance(source, DataLoader):
        return examples_of(plainly_drawn(source))
    if fault := _fault(source):
        raise ValueError(f"Probe cannot read `{name}`: {fault}")
    return source


def _fault(source: Any) -> str | None:
    """Why examples cannot be had by their place, and what to give instead."""
    if isinstance(source, Mapping):
        return "it is a dict of columns; give a dataset whose examples are dicts"
    columns = source if isinstance(source, tuple | list) else (source,)
    if any(isinstance(column, np.ndarray) for column in columns):
        return "there are numpy arrays in it; give tensors, as by torch.as_tensor(...)"
    if isinstance(source, IterableDataset) or not hasattr(source, "__len__"):
        return (
            f"the examples of a {type(source).__name__} have no places; give a dataset "
            "with a length and an index, of as many as fit into memory"
        )
    if not all(isinstance(column, Tensor) for column in columns):
        return None
    lengths = [len(column) if column.ndim else 0 for column in columns]
    is_list = isinstance(source, list) and 1 < len(lengths) <= COLUMNS
    if is_list and len(set(lengths)) == 1:
        return "it is a list of tensors; give a tuple of them, (inputs, labels)"
    if isinstance(source, tuple) and len(set(lengths)) > 1:
        return f"its tensors have {lengths} rows; give each as many"
    return None


def examples_of(loader: Any) -> Any:
    """What a probe takes as `train` and `val`: tensors where they are, else `Examples`.

    >>> import torch
    >>> numbers = torch.arange(3)
    >>> examples_of(DataLoader(TensorDataset(numbers), 2))
    (tensor([0, 1, 2]),)

    Raises:
        ValueError: examples cannot be had by their place.
    """
    if not isinstance(loader, DataLoader):
        raise ValueError(
            f"a probe reads one DataLoader, got {type(loader).__name__}: give one of "
            "them, or a DataLoader of all examples"
        )
    if isinstance(loader.dataset, IterableDataset):
        raise ValueError(
            "a probe reads examples by their place, and an IterableDataset has none: "
            "give a DataLoader of as many examples as fit into memory"
        )
    return _examples(loader.dataset, loader.collate_fn)


def plainly_drawn(loader: DataLoader[Any]) -> DataLoader[Any]:
    """The same loader, if each example is in an epoch once.

    >>> import torch
    >>> loader = DataLoader([1, 2, 3], 2, shuffle=True)
    >>> plainly_drawn(loader) is loader
    True

    Raises:
        ValueError: its sampler draws some examples more often than others.
    """
    sampler = getattr(loader, "sampler", None)
    if loader.batch_size is None or not isinstance(sampler, PLAIN):
        drawn = type(sampler if loader.batch_size else loader.batch_sampler).__name__
        raise ValueError(
            f"a probe draws examples alike often, and this loader has a {drawn}: give "
            "DataLoader(dataset, batch_size=..., shuffle=True)"
        )
    return loader


def _examples(dataset: Any, collate: Any) -> Any:
    if isinstance(dataset, TensorDataset) and collate is default_collate:
        return dataset.tensors
    return Examples(dataset, collate)
