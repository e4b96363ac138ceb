"""The best point of a function over a cube with steps, options and branches.

Many points are looked at in one batch: evenly spread ones, and small changes of points
known to be good. The best few climb, in turns: along the slopes of the continuous
columns (L-BFGS, all of them at once), and by single moves of the stepped ones, which
may change the branch. A point is full: inactive columns keep a value for the case that
their branch is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from ...belief import spread
from ...space import Array
from .axes import Axes

SPREAD_POINTS = 512  # evenly spread points that are looked at
NEAR_POINTS = 512  # changes of good points that are looked at
CLIMBERS = 8  # points that climb
MOST_TURNS = 25  # of L-BFGS in each of the two climbs
WIDTHS = (0.005, 0.3)  # smallest and largest change of a column, log-uniform between


@dataclass(frozen=True, eq=False)
class Search:
    """Looks for the highest `score` (m,) of points (m, d); its slopes are (m, d)."""

    axes: Axes
    score: Callable[[Array], Array]
    score_with_slopes: Callable[[Array], tuple[Array, Array]]

    def ranked(self, good: Array, rng: Generator) -> Array:
        """Points (m, d), the highest score first; `good` (g, d) are worth a look."""
        looked_at = self.axes.snap(self._candidates(good, rng))
        scores = self.score(looked_at)
        order = np.argsort(-scores, kind="stable")
        climbers = self._climbed(looked_at[order[:CLIMBERS]])
        climbers = self._stepped(climbers)
        climbers = self.axes.snap(self._climbed(climbers))
        points = np.vstack((climbers, looked_at[order]))
        scores = np.concatenate((self.score(climbers), scores[order]))
        return points[np.argsort(-scores, kind="stable")]

    def _candidates(self, good: Array, rng: Generator) -> Array:
        dimensions = good.shape[1]
        even = spread(self.axes.space, rng.random((SPREAD_POINTS, dimensions)))
        if not len(good):
            return even
        return np.vstack((even, self._changed(good, rng)))

    def _changed(self, good: Array, rng: Generator) -> Array:
        """Good points with some of their columns moved a little."""
        count, dimensions = NEAR_POINTS, good.shape[1]
        drawn = rng.random((count, dimensions))
        origin = good[rng.integers(len(good), size=count)]
        origin = np.where(np.isnan(origin), drawn, origin)
        low, high = np.log(WIDTHS)
        widths = np.exp(rng.uniform(low, high, (count, 1)))
        moved = origin + widths * rng.standard_normal((count, dimensions))
        moved = np.where(self._is_unordered, drawn, np.clip(moved, 0.0, 1.0))
        some = rng.random((count, dimensions)) < rng.random((count, 1))
        return np.where(some, moved, origin)

    @property
    def _is_unordered(self) -> Array:
        columns = range(len(self.axes.space))
        return np.array([self.axes.is_unordered(column) for column in columns], bool)

    def _climbed(self, points: Array) -> Array:
        """The points after a climb along their active continuous columns."""
        from scipy.optimize import Bounds, minimize

        free = self.axes.continuous & self.axes.active(points)
        if not free.any():
            return points
        low, high = (np.broadcast_to(b, free.shape)[free] for b in self.axes.bounds)

        def downhill(entries: Array) -> tuple[float, Array]:
            moved = points.copy()
            moved[free] = entries
            score, slopes = self.score_with_slopes(moved)
            return -float(score.sum()), -slopes[free]

        found = minimize(
            downhill,
            points[free],
            jac=True,
            method="L-BFGS-B",
            bounds=Bounds(low, high),
            options={"maxiter": MOST_TURNS},
        )
        climbed = points.copy()
        climbed[free] = np.clip(found.x, low, high)
        higher = self.score(climbed) > self.score(points)
        return np.where(higher[:, None], climbed, points)

    def _stepped(self, points: Array) -> Array:
        """Each point after the best single move of a stepped column, if one helps."""
        moves = [self._moves(point) for point in points]
        scores = self.score(np.vstack(moves))
        firsts = np.cumsum([0, *(len(own) for own in moves)])
        best = []
        for own, first, end in zip(moves, firsts[:-1], firsts[1:], strict=True):
            best.append(own[np.argmax(scores[first:end])])
        return np.array(best)

    def _moves(self, point: Array) -> Array:
        """The point itself and, for each stepped column, its other nearest values."""
        moves = [point]
        active = self.axes.active(point[None])[0]
        for column, middles in enumerate(self.axes.stretches):
            if middles is None or not active[column]:
                continue
            targets = middles
            if not self.axes.is_unordered(column):
                place = int(np.searchsorted(middles, point[column]))
                targets = middles[max(place - 1, 0) : place + 2]
            for target in targets:
                moved = point.copy()
                moved[column] = target
                moves.append(moved)
        return np.array(moves)
