"""How much of the loss each hyperparameter explains: functional ANOVA on a forest.

Hutter, Hoos & Leyton-Brown, "An efficient approach for assessing hyperparameter
importance" (ICML 2014), Algorithms 1 and 2: the trees' boxes make all marginals exact.
An effect of a hyperparameter that is not always active is taken where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.random import Generator

from ..domain import Choice
from ..space import Array, Dimension
from .forest import Tree

Stretches = Mapping[int, tuple[float, float]]  # of columns: where one looks


@dataclass(frozen=True)
class Total:
    """The share of the variance that goes with a column in all ways, and its error.

    Half of what the squared error of trials that a tree has not seen grows by when the
    column is shuffled among them (Breiman, 2001; Jansen, 1999, eq. 5), over the
    variance. Around 0 for a column that says nothing, it may be below.
    """

    share: float
    error: float


def totals(
    trees: Sequence[Tree],
    points: Array,
    values: Array,
    rng: Generator,
    *,
    together: Sequence[Sequence[int]],
) -> tuple[list[Total], float]:
    """The total share of each column, and how much the forest explains (R squared).

    Points (n, d) are nan where a column is inactive: it is shuffled where it is active,
    with the columns that are `together` with it. An option goes along with what belongs
    to it: alone it would leave a point that no trial can have.
    """
    filled, active = filling(points), np.isfinite(points)
    n, d = points.shape
    grown, predicted, seen = np.zeros((n, d)), np.zeros(n), np.zeros(n)
    for tree in trees:
        own, truth = filled[tree.out], values[tree.out]
        plain = tree.predict(own)
        seen[tree.out] += 1
        predicted[tree.out] += plain
        for column in range(d):
            (places,) = np.nonzero(active[tree.out, column])
            mixed, order = own[places], rng.permutation(len(places))
            mixed[:, together[column]] = mixed[order][:, together[column]]
            after = (truth[places] - tree.predict(mixed)) ** 2
            before = (truth[places] - plain[places]) ** 2
            grown[tree.out[places], column] += after - before
    known = seen > 0
    means = grown[known] / seen[known, None]
    left = values[known] - predicted[known] / seen[known]
    explained = 1 - float((left**2).mean() / values.var())
    shares = [
        _total(means[active[known, column], column], values[active[:, column]])
        for column in range(d)
    ]
    return shares, explained


def _total(growth: Array, values: Array) -> Total:
    variance = float(values.var()) if len(values) else 0.0
    if len(growth) < 2 or variance == 0:
        return Total(0.0, float("inf"))
    error = float(growth.std(ddof=1)) / np.sqrt(len(growth))
    return Total(float(growth.mean()) / 2 / variance, float(error / 2 / variance))


def filling(points: Array) -> Array:
    """The points with inactive entries in the middle of the cube."""
    filled: Array = np.where(np.isfinite(points), points, 0.5)
    return filled


def stretches(dimensions: Sequence[Dimension], column: int) -> Stretches:
    """Of each choice that a column depends on, the stretch of its option."""
    places = {dimension.path: place for place, dimension in enumerate(dimensions)}
    found: dict[int, tuple[float, float]] = {}
    dimension = dimensions[column]
    while dimension.parent in places:
        place = places[dimension.parent]
        domain = dimensions[place].domain
        if isinstance(domain, Choice):
            half = 0.5 / len(domain.options)
            middle = domain.encode(dimension.option)
            found[place] = (middle - half, middle + half)
        dimension = dimensions[place]
    return found


def dependents(dimensions: Sequence[Dimension], column: int) -> list[int]:
    """A column and all that depend on it, to any depth."""
    every = range(len(dimensions))
    return [k for k in every if k == column or column in stretches(dimensions, k)]


class Shares:
    """The marginals of one tree inside of a stretch of some columns."""

    def __init__(self, tree: Tree, within: Stretches) -> None:
        lows, highs = tree.lows[tree.leaves].copy(), tree.highs[tree.leaves].copy()
        for column, (low, high) in within.items():
            lows[:, column] = np.clip((lows[:, column] - low) / (high - low), 0, 1)
            highs[:, column] = np.clip((highs[:, column] - low) / (high - low), 0, 1)
        widths = highs - lows
        kept = widths.min(axis=1) > 0
        self._lows, self._highs, self._widths = lows[kept], highs[kept], widths[kept]
        self._values = tree.value[tree.leaves][kept]
        self._volumes = self._widths.prod(axis=1)
        self._values = self._values - float(self._volumes @ self._values)
        self.variance = float(self._volumes @ self._values**2)
        self._cells: dict[int, tuple[Array, Array]] = {}

    def alone(self, column: int) -> float:
        """The variance of the marginal of one column."""
        inside, sizes = self._cell(column)
        marginal = (self._volumes / self._widths[:, column] * self._values) @ inside
        return float(sizes @ marginal**2)

    def together(self, first: int, second: int) -> float:
        """The variance of the marginal of two columns, beyond those of each."""
        inside, sizes = self._cell(first)
        other_inside, other_sizes = self._cell(second)
        area = self._widths[:, first] * self._widths[:, second]
        weights = self._volumes / area * self._values
        marginal = (inside * weights[:, None]).T @ other_inside
        whole = float(sizes @ marginal**2 @ other_sizes)
        return max(whole - self.alone(first) - self.alone(second), 0.0)

    def _cell(self, column: int) -> tuple[Array, Array]:
        """Which cell of the column is in which leaf (leaves, c), and the sizes (c,)."""
        if column not in self._cells:
            low, high = self._lows[:, column], self._highs[:, column]
            edges = np.unique(np.concatenate((low, high)))
            middles = np.array([(a + b) / 2 for a, b in pairwise(edges)])
            inside = (low[:, None] < middles) & (middles < high[:, None])
            self._cells[column] = inside.astype(float), np.diff(edges)
        return self._cells[column]
