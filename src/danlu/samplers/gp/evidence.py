"""The trials that a Gaussian process is told of: repeated ones merged, few enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...space import Array
from .kernel import Layout

SAME = 1e-9  # coordinates closer than that are one point


@dataclass(frozen=True, eq=False)
class Evidence:
    """Values (n,) at points (n, q), each the mean of `counts` (n,) repeated ones.

    `layout` tells to which axis each coordinate belongs.
    """

    points: Array
    values: Array
    counts: Array
    layout: Layout

    def apart(self) -> Array:
        """Squared differences (p, n(n-1)/2) of each pair along each axis."""
        first, second = np.triu_indices(len(self.points), 1)
        apart = np.zeros((self.layout.axes, len(first)))
        for coordinate, owner in enumerate(self.layout.owners):
            column = self.points[:, coordinate]
            apart[owner] += (column[first] - column[second]) ** 2
        return apart

    def take(self, rows: NDArray[np.intp]) -> Evidence:
        """The evidence of some rows alone."""
        points, values, counts = self.points[rows], self.values[rows], self.counts[rows]
        return Evidence(points, values, counts, self.layout)

    def and_also(self, points: Array, values: Array) -> Evidence:
        """This evidence and more of it, each value seen once."""
        return Evidence(
            np.vstack((self.points, points)),
            np.concatenate((self.values, values)),
            np.concatenate((self.counts, np.ones(len(points)))),
            self.layout,
        )


def merged(points: Array, values: Array, layout: Layout) -> Evidence:
    """The evidence of values (n,) at points (n, q), equal points made one."""
    cells = np.round(points / SAME).astype(np.int64)
    _, firsts, places, counts = np.unique(
        cells, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    sums = np.bincount(places.ravel(), weights=values, minlength=len(firsts))
    order = np.argsort(firsts)
    means = (sums / counts)[order]
    return Evidence(points[firsts[order]], means, counts[order].astype(float), layout)


def telling(evidence: Evidence, most: int) -> NDArray[np.intp]:
    """Rows of at most `most` points that tell most about where the optimum is.

    A third are the lowest values, so that the optimum is known well; a third those
    nearest to the lowest of all, so that its surroundings are; and the rest every so
    many of those left, by value: what the whole looks like.
    """
    count = len(evidence.values)
    if count <= most:
        return np.arange(count)
    by_value = np.argsort(evidence.values, kind="stable")
    away = ((evidence.points - evidence.points[by_value[0]]) ** 2).sum(1)
    by_nearness = np.argsort(away, kind="stable")
    chosen = np.zeros(count, bool)
    chosen[by_value[: most // 3]] = True
    chosen[by_nearness[~chosen[by_nearness]][: most // 3]] = True
    left = by_value[~chosen[by_value]]
    places = np.linspace(0, len(left) - 1, most - int(chosen.sum())).astype(np.intp)
    chosen[left[places]] = True
    return np.flatnonzero(chosen)
