"""What a `DataLoader` reads, as examples for a probe: by place, collated alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
