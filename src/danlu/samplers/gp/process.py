"""Exact Gaussian process regression: the posterior and its slopes.

Rasmussen & Williams (2006), "Gaussian Processes for Machine Learning", chapter 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from ...space import Array
from .kernel import Addends, Mask, matern, matern_with_slope, squares_of, summed

LEAST_VARIANCE = 1e-10  # of a prediction: below it rounding errors rule


@dataclass(frozen=True, eq=False)
class Hyper:
    """What the likelihood leaves open: lengthscales (p,), and variances."""

    lengthscales: Array
    signal: float
    noise: float


@dataclass(frozen=True, eq=False)
class Process:
    """A posterior: what is believed of a function after n noisy values of it.

    `points` (n, q) and `scales` (q,) are in coordinates, `compared` are the kernel's
    addends. `weights` are (K + N)^-1 y and `inverse` (K + N)^-1. `trend` are processes
    whose means, times a factor, are the mean before any value was seen; `level` is a
    constant beside them.
    """

    points: Array
    scales: Array
    compared: Addends
    signal: float
    weights: Array
    inverse: Array
    level: float = 0.0
    trend: Trend = ()

    def mean(self, at: Array) -> Array:
        """The expected values (m,) at the points (m, q)."""
        return self._prior_mean(at) + self._kernel(at) @ self.weights

    def predict(self, at: Array) -> tuple[Array, Array]:
        """Mean and standard deviation (m,) of the function, without noise."""
        across = self._kernel(at)
        mean = self._prior_mean(at) + across @ self.weights  # eq. 2.25
        explained = ((across @ self.inverse) * across).sum(1)  # eq. 2.26
        variance = np.maximum(self.signal - explained, LEAST_VARIANCE)
        return mean, np.sqrt(variance)

    def predict_with_slopes(self, at: Array) -> tuple[Array, Array, Array, Array]:
        """Mean and std (m,), and the derivatives (m, q) of both."""
        addends = [
            (share, own, *matern_with_slope(squares))
            for share, own, squares in self._addends(at)
        ]
        across = summed([(share, of) for share, _, of, _ in addends], self.signal)
        solved = across @ self.inverse
        variance = self.signal - (solved * across).sum(1)
        std = np.sqrt(np.maximum(variance, LEAST_VARIANCE))
        mean = across @ self.weights + self.level
        of_mean, of_variance = np.zeros_like(at), np.zeros_like(at)
        for share, own, _, slopes in addends:
            steepness = 2.0 * share * self.signal * slopes
            of_mean += own * self._spread_out(steepness * self.weights, at)
            of_variance -= 2.0 * own * self._spread_out(steepness * solved, at)
        for factor, process in self.trend:
            trend, _, rise, _ = process.predict_with_slopes(at)
            mean, of_mean = mean + factor * trend, of_mean + factor * rise
        return mean, std, of_mean, of_variance / (2.0 * std[:, None])

    def _spread_out(self, pulls: Array, at: Array) -> Array:
        """Sums over i of pulls (m, n) times (at - point i) / scales^2."""
        moved = at * pulls.sum(1)[:, None] - pulls @ self.points
        result: Array = moved / self.scales**2
        return result

    def _kernel(self, at: Array) -> Array:
        addends = self._addends(at)
        known = [(share, matern(squares)) for share, _, squares in addends]
        return summed(known, self.signal)

    def _addends(self, at: Array) -> list[tuple[float, Mask, Array]]:
        return squares_of(at / self.scales, self._places, self.compared)

    @cached_property
    def _places(self) -> Array:
        """The points in units of lengthscales."""
        result: Array = self.points / self.scales
        return result

    def _prior_mean(self, at: Array) -> Array:
        return self.level + trend_mean(self.trend, at)


Trend: TypeAlias = Sequence[tuple[float, Process]]


def trend_mean(trend: Trend, at: Array) -> Array:
    """The sum of the processes' means (m,), each times its factor."""
    mean = np.zeros(len(at))
    for factor, process in trend:
        mean = mean + factor * process.mean(at)
    return mean
