"""The best of several trials as a random number: its mean, spread and gain (A2, A11).

If a study of n trials were run again, its best trial would be another one. That is
estimated from the trials themselves, as in the bootstrap (Efron, 1979), in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from ..space import Array


@dataclass(frozen=True)
class BestOf:
    """The distribution of the best of `count` trials: sorted losses and their weights.

    >>> best = best_of([3.0, 1.0, 2.0], 2)
    >>> round(best.mean, 3), best.median
    (1.556, 1.0)
    """

    count: int
    losses: Array
    weights: Array

    @property
    def mean(self) -> float:
        """The expected loss of the best."""
        return float(self.losses @ self.weights)

    @property
    def sd(self) -> float:
        """How much the best differs from study to study: its standard deviation."""
        square = float((self.losses - self.mean) ** 2 @ self.weights)
        return math.sqrt(square)

    @property
    def median(self) -> float:
        """The loss that the best is at or below in half of the cases."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> float:
        """The loss that the best is at or below with the probability `share`."""
        place = int(np.searchsorted(np.cumsum(self.weights), share - 1e-12))
        return float(self.losses[min(place, len(self.losses) - 1)])


def best_of(losses: Sequence[float] | Array, count: int) -> BestOf:
    """The best of `count` trials drawn with replacement from `losses` (n,).

    P(best is the i-th smallest) = ((n - i + 1) / n)^count - ((n - i) / n)^count.
    """
    ranked = np.sort(np.asarray(losses, float))
    n = len(ranked)
    beyond = (np.arange(n, -1, -1) / n) ** count  # all draws are behind the first i
    return BestOf(count, ranked, beyond[:-1] - beyond[1:])


def best_among(losses: Sequence[float] | Array, count: int) -> BestOf:
    """The best of `count` different trials of `losses` (n,), with count <= n.

    P(best is the i-th smallest) = C(n - i, count - 1) / C(n, count).

    >>> best_among([3.0, 1.0, 2.0], 3).mean
    1.0
    """
    ranked = np.sort(np.asarray(losses, float))
    n = len(ranked)
    behind = np.arange(n - 1, -1, -1.0)
    enough = behind >= count - 1
    log_weights = np.full(n, -math.inf)
    log_weights[enough] = _log_choose(behind[enough], count - 1)
    weights = np.exp(log_weights - _log_choose(np.array([float(n)]), count))
    return BestOf(count, ranked, weights / weights.sum())


def _log_choose(n: Array, k: int) -> Array:
    values: Array = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return values
