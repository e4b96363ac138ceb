"""The kernel's view of a search space: points of the cube as vectors to compare.

A number becomes one coordinate. An unordered choice becomes one coordinate for each
option, 1/sqrt(2) for the chosen one and 0 elsewhere, so that two options are at the
squared distance 1: the Hamming distance. An inactive dimension is put at the middle,
from which every value is equally far on average: two points on different branches are
then compared by what they have in common and by the choice that parts them.

Hyperparameters of one name and one domain under one choice are one axis: `lr` of two
optimizers, where both have the same bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...domain import Choice, Float, Int
from ...space import Array, Dimension, SearchSpace
from .kernel import Layout, Mask

MOST_STEPS = 256  # a whole number with more values than that climbs along slopes
MOST_WHOLE = 2**53  # beyond, floats do not tell whole numbers apart


@dataclass(frozen=True, eq=False)
class Axes:
    """What is compared with what: an axis is one column of the cube, or several.

    A coordinate is a column of the vectors that `embed` gives out.
    """

    space: SearchSpace

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The columns of the cube that make up each axis; constant ones are in none."""
        found: dict[object, list[int]] = {}
        for column, dimension in enumerate(self.space.dimensions):
            if steps(dimension) == 1:
                continue
            shared = (dimension.parent, dimension.name, str(dimension.domain))
            found.setdefault(shared, []).append(column)
        return tuple(tuple(columns) for columns in found.values())

    @cached_property
    def layout(self) -> Layout:
        """The axis of each coordinate, and which axes stand below a choice."""
        owners = np.repeat(np.arange(len(self.groups)), self._widths)
        conditional = [
            self._conditions[columns[0]] is not None for columns in self.groups
        ]
        return Layout(owners, np.array(conditional, bool))

    @cached_property
    def stretches(self) -> tuple[Array | None, ...]:
        """For each column the middles of its values, None where it is continuous."""
        return tuple(_middles(dimension) for dimension in self.space.dimensions)

    @cached_property
    def continuous(self) -> Mask:
        """Which columns (d,) have no steps, or too many to try each."""
        return np.array([middles is None for middles in self.stretches], bool)

    @cached_property
    def bounds(self) -> Array:
        """The lowest and the highest place (2, d) of each column that params have."""
        ends = np.repeat([[0.0], [1.0]], len(self.space), axis=1)
        return self.snap(ends)

    def is_unordered(self, column: int) -> bool:
        """Whether the values of a column are options without an order."""
        domain = self.space.dimensions[column].domain
        return isinstance(domain, Choice) and not domain.ordered

    def snap(self, U: Array) -> Array:
        """The points (m, d) with every value at the middle of its stretch.

        There its params are seen once they have been tried, so that nothing else is
        expected of them by then.
        """
        snapped = U.copy()
        for column, middles in enumerate(self.stretches):
            domain = self.space.dimensions[column].domain
            if middles is not None:
                edges = (middles[1:] + middles[:-1]) / 2
                snapped[:, column] = middles[np.searchsorted(edges, U[:, column])]
            elif isinstance(domain, Int):
                snapped[:, column] = _rounded(domain, U[:, column])
        return snapped

    def active(self, U: Array) -> Mask:
        """Which entries (m, d) of the points are active; nan entries never are."""
        active = ~np.isnan(U)
        for column, condition in enumerate(self._conditions):
            if condition is not None:
                parent, low, high = condition
                chosen = (U[:, parent] >= low) & (U[:, parent] < high)
                active[:, column] &= active[:, parent] & chosen
        return active

    def embed(self, U: Array) -> Array:
        """The points (m, d) as vectors (m, q), whose distances the kernel measures."""
        places = self._places(U).take(self.layout.owners, axis=1)
        absent = np.isnan(places)
        known = np.where(absent, 0.5, places)
        counts = self._counts
        options = np.minimum((known * counts).astype(np.int64), counts - 1)
        indicators = ((options == self._options) & ~absent) / np.sqrt(2.0)
        vectors: Array = np.where(self._options < 0, known, indicators)
        return vectors

    def pull_back(self, slopes: Array, U: Array) -> Array:
        """Slopes along coordinates (m, q) as slopes along continuous columns (m, d)."""
        columns, coordinates = self._climbed
        pulled = np.zeros_like(U)
        active = self.active(U)[:, columns]
        pulled[:, columns] = np.where(active, slopes[:, coordinates], 0.0)
        return pulled

    def _places(self, U: Array) -> Array:
        """Where the points stand on each axis (m, p), nan where it is inactive."""
        known = np.where(self.active(U), U, np.nan)
        places = known[:, [columns[0] for columns in self.groups]]
        for axis, (_, *others) in enumerate(self.groups):
            for column in others:
                own = known[:, column]
                places[:, axis] = np.where(np.isnan(own), places[:, axis], own)
        return places

    @cached_property
    def _widths(self) -> tuple[int, ...]:
        """How many coordinates each axis has."""
        return tuple(
            steps(self.space.dimensions[first]) if self.is_unordered(first) else 1
            for first, *_ in self.groups
        )

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """How many coordinates the axis of each coordinate has."""
        return np.array(self._widths, np.int64)[self.layout.owners]

    @cached_property
    def _options(self) -> NDArray[np.int64]:
        """The option that each coordinate stands for, -1 where it is a number's."""
        parts = [
            np.arange(width) if self.is_unordered(columns[0]) else np.array([-1])
            for width, columns in zip(self._widths, self.groups, strict=True)
        ]
        return np.concatenate([np.empty(0, np.int64), *parts])

    @cached_property
    def _climbed(self) -> tuple[list[int], list[int]]:
        """The continuous columns that are compared, and the coordinate of each."""
        firsts = np.searchsorted(self.layout.owners, np.arange(len(self.groups)))
        pairs = [
            (column, int(firsts[axis]))
            for axis, columns in enumerate(self.groups)
            for column in columns
            if self.continuous[column]
        ]
        return [column for column, _ in pairs], [own for _, own in pairs]

    @cached_property
    def _conditions(self) -> tuple[tuple[int, float, float] | None, ...]:
        """Of each column: a choice's column, and between which places it is active."""
        every = {d.path: d for d in SearchSpace(self.space.domains).dimensions}
        columns = {d.path: k for k, d in enumerate(self.space.dimensions)}
        return tuple(
            _condition(dimension, every, columns) for dimension in self.space.dimensions
        )


def steps(dimension: Dimension) -> int:
    """How many values a dimension has, 0 for more than anyone counts."""
    domain = dimension.domain
    if isinstance(domain, Choice):
        return len(domain.options)
    if isinstance(domain, Int):
        return domain.high - domain.low + 1
    return 1 if domain.low == domain.high else 0


def _middles(dimension: Dimension) -> Array | None:
    domain, count = dimension.domain, steps(dimension)
    if not 1 <= count <= MOST_STEPS:
        return None
    if isinstance(domain, Choice):
        return (np.arange(count) + 0.5) / count
    if isinstance(domain, Float):
        return np.array([0.5])
    return np.array([domain.encode(domain.low + step) for step in range(count)])


def _rounded(domain: Int, places: Array) -> Array:
    """The places (m,) at the middles of whole numbers, as `domain.encode` has them."""
    if max(-domain.low, domain.high) >= MOST_WHOLE:
        return places
    if not domain.log:
        count = domain.high - domain.low + 1
        return (np.minimum(np.floor(places * count), count - 1) + 0.5) / count
    low, high = np.log(domain.low), np.log(domain.high + 1)
    values = np.floor(np.exp(low + places * (high - low)))
    values = np.clip(values, domain.low, domain.high)
    middles: Array = ((np.log(values) + np.log(values + 1)) / 2 - low) / (high - low)
    return middles


def _condition(
    dimension: Dimension, every: dict[str, Dimension], columns: dict[str, int]
) -> tuple[int, float, float] | None:
    """The nearest choice above that is not pinned, and the stretch of the option."""
    while dimension.parent is not None:
        parent = every[dimension.parent]
        if parent.path in columns and isinstance(parent.domain, Choice):
            options = list(parent.domain.options)
            option = options.index(dimension.option)
            low, high = option / len(options), (option + 1) / len(options)
            return columns[parent.path], low, high
        dimension = parent
    return None
