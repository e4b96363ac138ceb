"""Losses as values that a Gaussian process can believe in.

Losses are standardized, which keeps their proportions. Ranks would not, and neither
does a bend: how bad the bad params are tells where the good ones must be. Only what is
absurdly far above the median, as when a training diverges, is cut.

On six tasks of four families, the mean normalized regret after 10 and 25 trials was
.24 and .07 with nothing cut (five seeds); .23 and .08 when cut at 30, .26 and .09 at
10, which is no difference: these means vary by .02. With three seeds: .26 and .07 to
.35 and .14 when bent by a logarithm; .35 and .17 to .35 and .21 with ranks.

Trials that diverge may report a large number instead of nan. Such losses stand apart,
so they are told by the gap below them. On a bowl in four dimensions of which 15 % give
1e4, regret after 50 trials is .006 (12 seeds, standard error .003), and .142 (.047) if
only those are cut that `REACH` cuts.
"""

from __future__ import annotations

import math

import numpy as np

from ...space import Array

REACH = 60.0  # how far above their quartile losses count, in distances down to the best
GAP = 10.0  # times as far above the best as the loss before: another kind of loss
BEYOND = 2.0  # how far above the best such losses count, in distances of the one before


def warped(losses: Array) -> Array:
    """The losses (n,) in the same order, standardized, none absurdly far above.

    How far is told by the lower quartile, which stays with the sane losses while fewer
    than three quarters of the trials diverge. Where as many are equally good, nothing
    tells it, and nothing is cut. Closer than that, losses of the upper half count less
    where they stand apart from all that are better.
    """
    if not len(losses):
        return losses
    scale = np.abs(losses).max() or 1.0
    values = losses / scale  # so that nothing below overflows
    quartile, best = np.quantile(values, 0.25), values.min()
    if quartile > best:
        values = np.minimum(values, quartile + REACH * (quartile - best))
    values = np.minimum(values, _ceiling(values))
    centered = values - values.mean()
    spread = centered.std()
    result: Array = centered / spread if spread > 0 else np.zeros_like(centered)
    return result


def _ceiling(losses: Array) -> float:
    """How high losses count at most: infinity where none stands apart."""
    ordered = np.sort(losses)
    above = ordered - ordered[0]
    for place in range(len(losses) // 2 + 1, len(losses)):
        before = above[place - 1]
        if before > 0 and above[place] > GAP * before:
            return float(ordered[0] + BEYOND * before)
    return math.inf
