"""Arms beside one another: the best of each at equal effort, and whether it is luck."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..space import Array
from .luck import best_among, best_of

DRAWS = 1000  # of the bootstrap: its quantiles are known within 2 %
SHUFFLES = 499
MOST_SHUFFLED = 500  # trials of an arm that are shuffled, evenly spaced by loss
BAND = 0.05, 0.95


@dataclass(frozen=True)
class Band:
    """The best of an arm's trials at equal effort, and where another study's would be.

    `low` and `high` hold 90 % of the best of as many trials drawn from this arm, with
    seed noise; `luck` is the sd of these.
    """

    best: float
    low: float
    high: float
    luck: float


def band(losses: Array, effort: int, noise: float) -> Band:
    """The band of one arm with losses (n,), inf where infeasible, at least one not.

    >>> own = band(np.array([1.0, 2.0, np.inf]), 2, 0.0)
    >>> round(own.best, 3), own.low, own.high
    (1.333, 1.0, 2.0)
    """
    finite = np.where(np.isfinite(losses), losses, losses[np.isfinite(losses)].max())
    drawn = best_of(finite, effort)
    rng = np.random.default_rng(0)  # the same band to whoever asks again
    bests = rng.choice(drawn.losses, DRAWS, p=drawn.weights)
    low, high = np.quantile(bests + noise * rng.normal(size=DRAWS), BAND)
    luck = math.hypot(drawn.sd, noise)
    return Band(best_among(finite, effort).mean, float(low), float(high), luck)


def p_of_lead(ahead: Array, behind: Array) -> float:
    """How often shuffled arms are as far apart as `ahead` (n,) is before `behind` (m,).

    The statistic is the difference of the expected best of a quarter of the smaller
    arm. The test is exact where nothing but the name tells the arms apart; points that
    were spread evenly in each arm make it careful.

    >>> p_of_lead(np.arange(9.0), np.arange(9.0) + 100)
    0.002
    """
    first, second = _thinned(ahead), _thinned(behind)
    effort = max(2, min(len(first), len(second)) // 4)
    n, both = len(first), np.concatenate((first, second))
    own = best_among(range(n), effort).weights
    others = best_among(range(len(second)), effort).weights
    lead = np.sort(second) @ others - np.sort(first) @ own
    rng = np.random.default_rng(0)
    table = rng.permuted(np.tile(both, (SHUFFLES, 1)), axis=1)
    shuffled = np.sort(table[:, n:], axis=1) @ others
    shuffled -= np.sort(table[:, :n], axis=1) @ own
    as_far = int((shuffled >= lead - 1e-12).sum())
    return (1 + as_far) / (1 + SHUFFLES)


def _thinned(losses: Array) -> Array:
    """At most 500 of the losses, with infeasible ones as bad as the worst."""
    finite = losses[np.isfinite(losses)]
    ranked = np.sort(np.where(np.isfinite(losses), losses, finite.max()))
    places = np.linspace(0, len(ranked) - 1, min(len(ranked), MOST_SHUFFLED))
    thinned: Array = ranked[places.astype(int)]
    return thinned


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm, 1979), in the same order.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected, worst = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = worst
    return corrected
