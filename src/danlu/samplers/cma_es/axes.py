"""What the dimensions of a space are to CMA-ES: numbers, and unordered choices."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...belief import spread
from ...domain import Choice, Domain, Int
from ...space import Array, SearchSpace

# Whole numbers with more values are as good as real: a step is 1e-4 of the range.
_MOST_VALUES = 10_000
_QUANTILES = 256  # points of each dimension from which its mean and width are taken


@dataclass(frozen=True, eq=False)
class Axes:
    """The columns of the unit cube that are numbers, and those that are choices.

    `edges` has, for each number, the places between its neighboring values, nothing
    where it is real; `options` the number of options of each choice. Columns with one
    value are in neither.
    """

    size: int
    numbers: tuple[int, ...]
    edges: tuple[tuple[float, ...], ...]
    choices: tuple[int, ...]
    options: tuple[int, ...]

    @property
    def real(self) -> NDArray[np.bool_]:
        """Which of the numbers are real (n,)."""
        return np.array([not own for own in self.edges], np.bool_)

    def stretch_of(self, number: int, place: float) -> tuple[float, float]:
        """From where to where the value at `place` reaches, the ends without end."""
        bounds = (-math.inf, *self.edges[number], math.inf)
        at = bisect_left(self.edges[number], place)
        return bounds[at], bounds[at + 1]

    def joined(self, x: Array, chosen: list[int]) -> Array:
        """The point of the cube (d,) of numbers x (n,) and an option of each choice."""
        u = np.full(self.size, 0.5)
        u[list(self.numbers)] = np.clip(x, 0, 1)
        for column, count, option in zip(
            self.choices, self.options, chosen, strict=True
        ):
            u[column] = (option + 0.5) / count
        return u

    def chosen(self, u: Array) -> list[int | None]:
        """The option of each choice at `u` (d,), None where it is inactive."""
        return [
            None if math.isnan(u[column]) else int(u[column] * count)
            for column, count in zip(self.choices, self.options, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Start:
    """Where a run starts: mean (n,) and covariance (n, n), chances of the options."""

    mean: Array
    covariance: Array
    chances: list[Array]

    @property
    def widths(self) -> Array:
        """The standard deviation of each number (n,)."""
        widths: Array = np.sqrt(np.diag(self.covariance))
        return widths


def axes_of(space: SearchSpace) -> Axes:
    """The axes of a search space."""
    domains = [dimension.domain for dimension in space.dimensions]
    varying = [column for column, own in enumerate(domains) if _varies(own)]
    choices = [column for column in varying if _options(domains[column]) is not None]
    numbers = [column for column in varying if column not in choices]
    return Axes(
        size=len(domains),
        numbers=tuple(numbers),
        edges=tuple(_edges(domains[column]) for column in numbers),
        choices=tuple(choices),
        options=tuple(_options(domains[column]) or 0 for column in choices),
    )


def believed(space: SearchSpace, axes: Axes) -> Start:
    """What is known before any trial.

    They are the moments of what is believed; without beliefs, of the even distribution:
    the middle, and 1 / sqrt(12) = 0.29 of the range, beside Hansen's advice of 0.3.
    """
    ranks = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    points = spread(space, np.tile(ranks[:, None], (1, axes.size)))
    numbers = points[:, list(axes.numbers)]
    chances = [
        np.bincount((points[:, column] * count).astype(int), minlength=count)
        / _QUANTILES
        for column, count in zip(axes.choices, axes.options, strict=True)
    ]
    return Start(numbers.mean(axis=0), np.diag(numbers.var(axis=0)), chances)


def _varies(domain: Domain) -> bool:
    if isinstance(domain, Choice):
        return len(domain.options) > 1
    return domain.low < domain.high


def _options(domain: Domain) -> int | None:
    """The number of options of an unordered choice, None for everything else."""
    if isinstance(domain, Choice) and not domain.ordered:
        return len(domain.options)
    return None


def _edges(domain: Domain) -> tuple[float, ...]:
    """The places between neighboring values, none for a real number."""
    if isinstance(domain, Choice):
        count = len(domain.options)
        return tuple(place / count for place in range(1, count))
    if not isinstance(domain, Int) or domain.high - domain.low >= _MOST_VALUES:
        return ()
    values = np.arange(domain.low + 1, domain.high + 1, dtype=np.float64)
    low, high = float(domain.low), float(domain.high) + 1
    if domain.log:
        values, low, high = np.log(values), math.log(low), math.log(high)
    return tuple(((values - low) / (high - low)).tolist())
