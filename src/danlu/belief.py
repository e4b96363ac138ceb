"""Where in the unit cube the best is believed to be, before any trial.

A belief bends the search towards a value without ever excluding another one: a share
of the points lies around the value, the rest is spread evenly as without it. The mix
with an even part is what keeps a wrong belief harmless (Hvarfner et al., 2022, "piBO",
section 4; Souza et al., 2021, "BOPrO", section 3.1).
"""

from __future__ import annotations

import math

import numpy as np

from .domain import Choice, Domain
from .space import Array, SearchSpace

# Standard deviation in the unit cube: two thirds of what lies around the center is
# within a tenth of the range, which is what "about this large" means for a range of
# some orders of magnitude (3 times more or less, in 1e-5..1).
SPREAD = 0.1
_HALVINGS = 55  # of [0, 1], after which an interval is shorter than a float's 2**-53


def spread(space: SearchSpace, u: Array) -> Array:
    """Evenly spread points `u` (n, d) of the cube, moved to where they are believed.

    Each dimension goes through the inverse of its believed distribution function, so
    that a low-discrepancy sequence stays one. Without beliefs, `u` itself comes back.
    nan stays nan.

    >>> import danlu, numpy
    >>> belief = danlu.Belief(0.3, confidence=0.8)
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1, belief=belief)})
    >>> spread(space, numpy.array([[0.1], [0.5], [0.9]])).round(2).tolist()
    [[0.16], [0.31], [0.54]]
    """
    columns = _believed_columns(space)
    if not columns:
        return u
    moved = np.array(u, np.float64)
    for column, domain in columns:
        moved[:, column] = _inverse(domain, moved[:, column])
    return moved


def log_belief(space: SearchSpace, x: Array) -> Array:
    """The log density (n,) of what is believed at the points `x` (n, d) of the cube.

    It is relative to an even spread: 0 everywhere without beliefs. Inactive dimensions
    (nan) add nothing.

    >>> import danlu, numpy
    >>> belief = danlu.Belief(0.3, confidence=0.8)
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1, belief=belief)})
    >>> log_belief(space, numpy.array([[0.3], [0.9]])).round(2).tolist()
    [1.22, -1.61]
    """
    total = np.zeros(len(x))
    for column, domain in _believed_columns(space):
        places = x[:, column]
        active = ~np.isnan(places)
        total[active] += np.log(_density(domain, places[active]))
    return total


def _believed_columns(space: SearchSpace) -> list[tuple[int, Domain]]:
    return [
        (column, dimension.domain)
        for column, dimension in enumerate(space.dimensions)
        if dimension.domain.belief is not None
    ]


def _facts(domain: Domain) -> tuple[float, float]:
    """Where in [0, 1] the center of a domain's belief is, and the confidence."""
    belief = domain.belief
    if belief is None:
        raise ValueError(f"nothing is believed about {domain}")
    return domain.encode(belief.center), belief.confidence  # type: ignore[arg-type]


def _density(domain: Domain, places: Array) -> Array:
    center, confidence = _facts(domain)
    if (count := _unordered(domain)) is not None:
        around = count * (np.floor(places * count) == math.floor(center * count))
    else:
        around = _bell(center, places)
    mixed: Array = confidence * around + (1 - confidence)
    return mixed


def _inverse(domain: Domain, u: Array) -> Array:
    """The places in [0, 1] below which the shares `u` of what is believed lie."""
    center, confidence = _facts(domain)
    if (count := _unordered(domain)) is not None:
        first = math.floor(center * count) / count
        places = np.array([0.0, first, first + 1 / count, 1.0])
        below = (1 - confidence) * places + confidence * np.array([0.0, 0.0, 1.0, 1.0])
        moved: Array = np.interp(u, below, places)
        return moved
    low, high = np.zeros_like(u), np.ones_like(u)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = confidence * _bell_below(center, middle) + (1 - confidence) * middle
        low, high = np.where(below < u, middle, low), np.where(below < u, high, middle)
    return np.where(np.isnan(u), np.nan, (low + high) / 2)


def _unordered(domain: Domain) -> int | None:
    """How many options a choice without an order has; None for all other domains."""
    unordered = isinstance(domain, Choice) and not domain.ordered
    return len(domain.options) if unordered else None  # type: ignore[union-attr]


def _bell(center: float, places: Array) -> Array:
    """The density of the normal distribution around `center`, cut to [0, 1]."""
    heights = np.exp(-0.5 * ((places - center) / SPREAD) ** 2)
    area = SPREAD * math.sqrt(2 * math.pi) * _mass_inside(center)
    density: Array = heights / area
    return density


def _bell_below(center: float, places: Array) -> Array:
    """Its distribution function."""
    from scipy.special import ndtr  # 0.1 s to import: only where there is a belief

    lowest = ndtr(-center / SPREAD)
    share: Array = (ndtr((places - center) / SPREAD) - lowest) / _mass_inside(center)
    return share


def _mass_inside(center: float) -> float:
    """The share of the uncut normal distribution that is in [0, 1]."""
    reach = SPREAD * math.sqrt(2)
    return (math.erf((1 - center) / reach) + math.erf(center / reach)) / 2
