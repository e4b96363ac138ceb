"""The part of a search space in which a mark gathers: one or two conditions (A3, A10).

All half-spaces at quantiles of what was run, all options, and all pairs of these from
different hyperparameters are looked at. The best is judged by Fisher's exact test with
Bonferroni's correction for the number of all of them. Where that is too careful, since
they overlap, and the trials are few, their marks are shuffled: a permutation test of
the best of all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from ..domain import Choice, Float
from ..space import Array, Dimension
from ..value import Value

CUTS = 8  # thresholds of a hyperparameter that the test looks at
FINE_CUTS = 64  # thresholds among which the best is then placed more exactly
MOST_DIMENSIONS = 10  # the pairs of these are looked at, those that split best alone
SHUFFLES = 199
STEP = 1e-9  # narrower than any stretch of a whole number
MOST_SHUFFLED = 200  # trials: with more, Fisher's test is sharp enough, and cheaper
SURE = 0.01  # a smaller p needs no second look


@dataclass(frozen=True)
class Side:
    """A condition on one column: `u` above or below a threshold, or one option's.

    >>> from danlu.domain import Float
    >>> side = Side(0, Dimension("x", "x", Float(0, 10)), 0.8, upper=True)
    >>> side.words
    'x above 8'
    """

    column: int
    dimension: Dimension
    cut: float
    upper: bool | None  # None for the option whose stretch of [0, 1] holds `cut`

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Which of the points (n, d) are on this side (n,)."""
        u = points[:, self.column]
        if self.upper is None:
            return np.asarray(u == self.cut)
        return np.asarray(u > self.cut if self.upper else u < self.cut)

    @property
    def value(self) -> Value:
        """The value at the threshold, or the option.

        Of what is above it, the last value that is not: a threshold between two whole
        numbers would be decoded as the upper one.
        """
        domain, cut = self.dimension.domain, self.cut
        if self.upper and not isinstance(domain, Float):
            cut = max(cut - STEP, 0.0)
        value = domain.decode(cut)
        return float(f"{value:.3g}") if isinstance(value, float) else value

    @property
    def words(self) -> str:
        """The condition as words: `lr above 0.1`, `opt = sgd`."""
        if self.upper is None:
            return f"{self.dimension.path} = {self.value}"
        value = f"{self.value:g}" if isinstance(self.value, float) else str(self.value)
        return f"{self.dimension.path} {'above' if self.upper else 'below'} {value}"


@dataclass(frozen=True)
class Region:
    """Where a mark gathers: `marked` of the `count` points inside have it.

    `p` is the probability that some region looks like this although the mark falls
    anywhere. `gain` is the likelihood ratio (G statistic) of inside and outside.
    """

    sides: tuple[Side, ...]
    count: int
    marked: int
    p: float
    gain: float

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Which of the points (n, d) are inside (n,)."""
        inside: NDArray[np.bool_] = np.ones(len(points), bool)
        for side in self.sides:
            inside &= side.holds(points)
        return inside

    @property
    def words(self) -> str:
        """The conditions as words."""
        return " and ".join(side.words for side in self.sides)


def region_of(
    dimensions: Sequence[Dimension], points: Array, marks: Array
) -> Region | None:
    """The region in which `marks` (n,) gather most, None where all or none is marked.

    Two conditions are taken only where they say so much more than one does as two more
    numbers cost (BIC: G rises by more than 2 log n). Points (n, d) are nan where a
    dimension is inactive; these are on neither side.
    """
    sides = _sides(dimensions, points, CUTS)
    if not sides or not marks.any() or marks.all():
        return None
    table = _Table(
        np.column_stack([side.holds(points) for side in sides]).astype(float),
        np.array([side.column for side in sides]),
    )
    places, gain = table.best(marks)
    best = tuple(sides[place] for place in places)
    p = min(_fisher(best, points, marks) * table.tests, 1.0)
    if p > SURE and len(marks) <= MOST_SHUFFLED:
        p = min(p, _shuffled(table, marks, gain))
    return _placed(Region(best, 0, 0, p, gain), points, marks)


def _sides(dimensions: Sequence[Dimension], points: Array, cuts: int) -> list[Side]:
    sides = []
    for column, dimension in enumerate(dimensions):
        u = points[:, column]
        values = np.unique(u[np.isfinite(u)])
        if len(values) < 2:
            continue
        domain = dimension.domain
        if isinstance(domain, Choice) and not domain.ordered:
            sides += [Side(column, dimension, float(v), None) for v in values]
            continue
        middles = (values[1:] + values[:-1]) / 2
        if len(middles) > cuts:
            places = np.linspace(0, len(middles) - 1, cuts + 2)[1:-1].round()
            middles = middles[places.astype(int)]
        for cut in middles.tolist():
            sides += [Side(column, dimension, cut, upper) for upper in (True, False)]
    return sides


def _gains(count: Array, marked: Array, total: int, total_marked: float) -> Array:
    """G = 2 sum O log(O / E) of inside and outside, 0 where fewer are marked inside."""
    rate = total_marked / total
    cells = (
        (marked, count * rate),
        (count - marked, count * (1 - rate)),
        (total_marked - marked, (total - count) * rate),
        (total - count - total_marked + marked, (total - count) * (1 - rate)),
    )
    gain = np.zeros_like(count)
    for seen, expected in cells:
        some = (seen > 0) & (expected > 0)
        ratio = np.divide(seen, expected, out=np.ones_like(count), where=some)
        gain += 2 * np.where(some, seen * np.log(ratio), 0.0)
    return np.where(marked > count * rate, gain, 0.0)


@dataclass(frozen=True)
class _Table:
    """Which points are on which side (n, m), and the column of each side (m,)."""

    inside: Array
    columns: Array

    @property
    def tests(self) -> int:
        """How many sides and pairs of sides there are."""
        pairs = (self.columns[:, None] < self.columns[None, :]).sum()
        return len(self.columns) + int(pairs)

    def best(self, marks: Array) -> tuple[tuple[int, ...], float]:
        """The side, or the two sides, that divide the marks best, and their gain.

        The gain of a pair is less by what two more numbers cost.
        """
        total, marked = len(marks), float(marks.sum())
        alone = _gains(self.inside.sum(0), self.inside.T @ marks, total, marked)
        one = int(alone.argmax())
        kept = self._kept(alone)
        own, columns = self.inside[:, kept], self.columns[kept]
        counts, both = own.T @ own, own.T @ (own * marks[:, None])
        gains = _gains(counts, both, total, marked) - 2 * math.log(total)
        gains[columns[:, None] >= columns[None, :]] = 0.0
        row, column = np.unravel_index(int(gains.argmax()), gains.shape)
        if gains[row, column] <= alone[one]:
            return (one,), float(alone[one])
        return (int(kept[row]), int(kept[column])), float(gains[row, column])

    def _kept(self, alone: Array) -> NDArray[np.intp]:
        """The sides of the columns that divide best by themselves."""
        names = np.unique(self.columns)
        best = np.array([alone[self.columns == name].max() for name in names])
        columns = names[np.argsort(-best, kind="stable")[:MOST_DIMENSIONS]]
        return np.nonzero(np.isin(self.columns, columns))[0]


def _shuffled(table: _Table, marks: Array, gain: float) -> float:
    """How often shuffled marks gather as much: (1 + as many) / (1 + shuffles)."""
    rng = np.random.default_rng(0)  # the same answer to whoever asks again
    draws = (table.best(rng.permutation(marks))[1] for _ in range(SHUFFLES))
    return (1 + sum(drawn >= gain for drawn in draws)) / (1 + SHUFFLES)


def _fisher(sides: tuple[Side, ...], points: Array, marks: Array) -> float:
    """Fisher's exact test, one-sided: as many marked inside, or more."""
    inside = Region(sides, 0, 0, 1.0, 0.0).holds(points)
    marked, count = int((inside & (marks > 0)).sum()), int(inside.sum())
    return float(hypergeom.sf(marked - 1, len(marks), int(marks.sum()), count))


def _placed(region: Region, points: Array, marks: Array) -> Region:
    """The region with its thresholds where they divide best, one after the other."""
    for place, side in enumerate(region.sides):
        others = tuple(own for own in region.sides if own is not side)
        within = replace(region, sides=others).holds(points)
        finer = [
            own
            for own in _sides([side.dimension], points[:, [side.column]], FINE_CUTS)
            if own.upper == side.upper
        ]
        if side.upper is None or not finer:
            continue
        finer = [replace(own, column=side.column) for own in finer]
        inside = np.column_stack([own.holds(points) & within for own in finer])
        counts = inside.astype(float)
        gains = _gains(counts.sum(0), counts.T @ marks, len(marks), float(marks.sum()))
        sides = list(region.sides)
        sides[place] = finer[int(gains.argmax())]
        region = replace(region, sides=tuple(sides), gain=float(gains.max()))
    inside = region.holds(points)
    marked = int(marks[inside].sum())
    return replace(region, count=int(inside.sum()), marked=marked)
