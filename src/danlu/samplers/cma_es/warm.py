"""Where CMA-ES starts after earlier studies: around the best trials of these.

M. Nomura, S. Watanabe, Y. Akimoto, Y. Ozaki & M. Onishi, "Warm starting CMA-ES for
hyperparameter optimization", AAAI 2021. Their promising distribution has a normal
distribution around each of the best trials (definition 3); the start is the one normal
distribution that is nearest to it, which has its mean and covariance (eqs. 9 and 10).
They do not say what to do about a study of something else: here half of the first
generation is drawn as if there were none, and if that half ranks better, its start is
taken. A restart goes back to what is believed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...space import Array
from .axes import Axes, Start

SHARE_OF_BEST = 0.1  # gamma, section 4.2 of the paper
AROUND = 0.1  # alpha there: the deviation around each of the best, of the range
LEAST_TRIALS = 3  # with a loss, below which an earlier study tells nothing


def best_of(earlier: Sequence[tuple[Array, Array]]) -> Array | None:
    """The best points (k, d) of each earlier study together, None if there are none."""
    found = []
    for points, losses in earlier:
        known = np.flatnonzero(np.isfinite(losses))
        if len(known) >= LEAST_TRIALS:
            count = math.ceil(SHARE_OF_BEST * len(known))
            ranked = known[np.argsort(losses[known], kind="stable")]
            found.append(points[ranked[:count]])
    return np.concatenate(found) if found else None


def warmed(start: Start, axes: Axes, best: Array) -> Start:
    """The start moved to the `best` points (k, d); it stays where these are nan."""
    numbers = best[:, list(axes.numbers)]
    known = ~np.isnan(numbers)
    filled = np.where(known, numbers, start.mean)
    mean = filled.mean(axis=0)
    apart = filled - mean
    share = known.mean(axis=0)
    around = share * AROUND**2 + (1 - share) * np.diag(start.covariance)
    covariance = apart.T @ apart / len(best) + np.diag(around)
    chosen = [axes.chosen(point) for point in best]
    chances = [
        _learned(own, [options[place] for options in chosen])
        for place, own in enumerate(start.chances)
    ]
    return replace(start, mean=mean, covariance=covariance, chances=chances)


def _learned(chances: Array, chosen: Sequence[int | None]) -> Array:
    """How often each option was among the best; what was believed counts as one."""
    counted = chances.copy()
    for option in chosen:
        if option is not None:
            counted[option] += 1
    learned: Array = counted / counted.sum()
    return learned
