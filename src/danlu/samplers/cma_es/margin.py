"""Whole numbers in CMA-ES: neighbors of the likeliest value keep a least probability.

The normal distribution is cut at the edges between values. Once it is narrower than
one value, all points are equal and nothing is learned any more. The margin moves the
mean and widens the deviation of such a dimension so that the values to its left and
right keep the probability alpha / 2 each (Hamano et al., 2022, "CMA-ES with Margin",
arXiv 2205.13482, section 4).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from statistics import NormalDist

_NORMAL = NormalDist()


def alpha(n: int, population: int) -> float:
    """The probability outside of the likeliest value: section 4.3 of the paper."""
    return 1 / (n * population)


def corrected(
    mean: float, width: float, edges: Sequence[float], alpha: float
) -> tuple[float, float]:
    """The mean and the standard deviation with the margin, for one dimension.

    `edges` are the places between neighboring values, in order, at least one.
    """
    place = bisect_left(edges, mean)
    if place in (0, len(edges)):
        return _at_the_end(mean, width, edges[0 if place == 0 else -1], alpha), width
    return _between(mean, width, (edges[place - 1], edges[place]), alpha)


def _at_the_end(mean: float, width: float, edge: float, alpha: float) -> float:
    """The mean, moved towards the only neighbor (eq. 13 of the paper)."""
    reach = width * _NORMAL.inv_cdf(1 - alpha)
    return edge + math.copysign(min(abs(mean - edge), reach), mean - edge)


def _between(
    mean: float, width: float, edges: tuple[float, float], alpha: float
) -> tuple[float, float]:
    """Mean and deviation such that both neighbors have alpha / 2 (eqs. 14 to 21)."""
    low, high = edges
    below = _NORMAL.cdf((low - mean) / width)
    above = _NORMAL.cdf((mean - high) / width)
    if min(below, above) >= alpha / 2:
        return mean, width
    middle = 1 - below - above
    below, above = max(below, alpha / 2), max(above, alpha / 2)
    total = below + above + middle
    share = (1 - total) / (total - 3 * alpha / 2)
    below += share * (below - alpha / 2)
    above += share * (above - alpha / 2)
    left, right = _NORMAL.inv_cdf(1 - below), _NORMAL.inv_cdf(1 - above)
    width = (high - low) / (left + right)
    return low + width * left, width
