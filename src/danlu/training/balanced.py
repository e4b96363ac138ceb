"""Batches in which rare classes stand more often than they occur (playbook T12).

Both orders are functions of the seed, the epoch and the place. So each process of a
distributed run takes its own part of one order, without talking to the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import torch

from . import processes


class BalancedBatches:
    """Batches with as many examples of every class, for `DataLoader(batch_sampler=)`.

    In each batch of each process the counts of two classes differ by one at most. The
    examples of a class are gone through in shuffled order, again and again; an epoch
    has as many examples as there are. `batch_size` is that of one process; `rank` and
    `ranks` are those of `torch.distributed` where it is in use.

    >>> from danlu import training
    >>> labels = [0] * 90 + [1] * 10
    >>> batches = training.BalancedBatches(labels, batch_size=8)
    >>> [sum(labels[at] for at in batch) for batch in batches][:3]
    [4, 4, 4]

    Raises:
        ValueError: there are no labels, or the batch size is below 1.
    """

    def __init__(
        self,
        labels: torch.Tensor | Sequence[int],
        batch_size: int,
        *,
        seed: int = 0,
        rank: int | None = None,
        ranks: int | None = None,
    ) -> None:
        classes = torch.as_tensor(labels).cpu()
        if batch_size < 1 or len(classes) < 1:
            raise ValueError(
                "BalancedBatches needs labels and a batch size of at least 1, got "
                f"{len(classes)} labels, batch_size={batch_size}"
            )
        self._rank, self._ranks = place_among(rank, ranks)
        self._batch_size = batch_size
        self._seed, self._epoch = seed, 0
        order = torch.argsort(classes, stable=True)
        _, counts = torch.unique_consecutive(classes[order], return_counts=True)
        self._members = order.split(counts.tolist())
        self._examples = len(classes)

    def set_epoch(self, epoch: int) -> None:
        """The epoch to shuffle for; the same on all processes."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-self._examples // (self._batch_size * self._ranks))

    def __iter__(self) -> Iterator[list[int]]:
        streams = [
            _Stream(members, (self._seed, self._epoch, number))
            for number, members in enumerate(self._members)
        ]
        # Class by class, in turn: place p of the common order is example p // C of
        # class p % C, shifted each epoch so that the rest favors no class.
        shift, count = self._epoch, len(streams)
        for batch in range(len(self)):
            first = (batch * self._ranks + self._rank) * self._batch_size
            places = range(first, first + self._batch_size)
            yield [streams[(p + shift) % count].at(p // count) for p in places]


class Oversampled:
    """Examples drawn by weight, for `DataLoader(sampler=)`.

    In an epoch of `size` draws (as many as there are weights, if not given) an example
    of the share w of the weights is drawn w * size times, rounded up or down. There may
    be any number of examples.

    >>> import torch
    >>> from danlu import training
    >>> drawn = training.Oversampled([1.0, 1.0, 2.0], size=8)
    >>> torch.bincount(torch.tensor(list(drawn))).tolist()
    [2, 2, 4]

    Raises:
        ValueError: a weight is negative or not finite, or all are 0.
    """

    def __init__(
        self,
        weights: torch.Tensor | Sequence[float],
        *,
        size: int | None = None,
        seed: int = 0,
        rank: int | None = None,
        ranks: int | None = None,
    ) -> None:
        self._weights = torch.as_tensor(weights, dtype=torch.float64)
        wrong = ~torch.isfinite(self._weights) | (self._weights < 0)
        if bool(wrong.any()) or float(self._weights.sum()) == 0:
            raise ValueError(
                "Oversampled needs finite weights of at least 0 that are not all 0, "
                f"got {self._weights.tolist()[:5]} and more"
            )
        self._rank, self._ranks = place_among(rank, ranks)
        self._size = len(self._weights) if size is None else size
        self._seed, self._epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch to draw for; the same on all processes."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-self._size // self._ranks)

    def __iter__(self) -> Iterator[int]:
        generator = seeded(self._seed, self._epoch)
        # Systematic sampling: points one apart on the line of cumulated weights, which
        # starts at a random place, hit each example as often as its share, up to one.
        total = len(self) * self._ranks  # all processes draw as many
        line = self._weights.cumsum(0)
        start = torch.rand(1, generator=generator, dtype=torch.float64)
        points = (torch.arange(total, dtype=torch.float64) + start) / total * line[-1]
        drawn = torch.searchsorted(line, points, right=True)
        drawn.clamp_(max=int(self._weights.nonzero()[-1]))  # where rounding went past
        mixed = drawn[torch.randperm(total, generator=generator)]
        return iter(mixed[self._rank :: self._ranks].tolist())


def class_weights(
    labels: torch.Tensor | Sequence[int], *, strength: float = 1.0
) -> torch.Tensor:
    """Weights for `Oversampled`, larger for rare classes.

    With `strength=1` all classes are drawn alike often, with 0 as often as they occur;
    1/2 lies between.

    >>> from danlu import training
    >>> training.class_weights([0, 0, 0, 0, 1]).tolist()
    [0.25, 0.25, 0.25, 0.25, 1.0]
    """
    classes = torch.as_tensor(labels).cpu()
    _, inverse, counts = torch.unique(classes, return_inverse=True, return_counts=True)
    weights: torch.Tensor = counts.double().pow(-strength)[inverse]
    return weights


def place_among(rank: int | None, ranks: int | None) -> tuple[int, int]:
    """Which process this is, of how many: as given, or as torch.distributed says."""
    ranks = processes.ranks() if ranks is None else ranks
    rank = processes.rank() if rank is None else rank
    if not 0 <= rank < ranks:
        raise ValueError(f"a rank is from 0 to below {ranks}, got rank={rank}")
    return rank, ranks


def seeded(*numbers: int) -> torch.Generator:
    """A generator of its own for each row of numbers."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big"))


class _Stream:
    """The examples of one class in shuffled order, and again in another one."""

    def __init__(self, members: torch.Tensor, seed: tuple[int, ...]) -> None:
        self._members = members
        self._seed = seed
        self._round = -1
        self._order: list[int] = []

    def at(self, place: int) -> int:
        """The example at `place`, which never goes back to an earlier round."""
        number, within = divmod(place, len(self._members))
        if number != self._round:
            generator = seeded(*self._seed, number)
            shuffled = torch.randperm(len(self._members), generator=generator)
            self._order = self._members[shuffled].tolist()
            self._round = number
        return self._order[within]
