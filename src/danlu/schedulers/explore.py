"""Explore: params near those of a parent (Jaderberg et al., 2017, section 4.1).

A number on a log scale is multiplied by 1.2 or 0.8. On a linear scale the same factors
would move momentum far and zero never, so a number moves by a tenth of its range: what
the factors do on average between 0 and the upper bound. An ordered choice moves to a
neighbor. Options without an order have none, and change only by being drawn again.
"""

from __future__ import annotations

import math

from numpy.random import Generator

from ..domain import Choice, Domain, Float, Int
from ..space import Array, Params, SearchSpace
from ..value import Value

FACTORS = (0.8, 1.2)  # Jaderberg et al. (2017), section 4.1.1
SHARE = 0.1  # of a linear range


def explored(
    space: SearchSpace, params: Params, rng: Generator, resample: float
) -> dict[str, Value]:
    """New params: each is drawn again with the chance `resample`, else perturbed.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"lr": danlu.Float(1e-4, 1.0, log=True)})
    >>> explored(space, {"lr": 0.01}, numpy.random.default_rng(0), resample=0.0)
    {'lr': 0.012}
    """
    return space.decode(explored_point(space, params, rng, resample))


def explored_point(
    space: SearchSpace, params: Params, rng: Generator, resample: float
) -> Array:
    """The same as a point (d,) of the cube, with a value for every dimension."""
    values = space.by_path(params)
    point = rng.random(len(space))  # also for what an option drawn anew brings
    is_redrawn = rng.random(len(space)) < resample
    goes_up = rng.random(len(space)) < 0.5
    for place, dimension in enumerate(space.dimensions):
        if dimension.path in values and not is_redrawn[place]:
            value, domain = values[dimension.path], dimension.domain
            moved = _moved(domain, value, up=bool(goes_up[place]))
            point[place] = domain.encode(moved)  # type: ignore[arg-type]
    return point


def _moved(domain: Domain, value: Value, *, up: bool) -> Value:
    """The value one move up or down, within the domain."""
    if isinstance(domain, Choice):
        options = list(domain.options)
        shift = (1 if up else -1) if domain.ordered else 0
        place = options.index(value) + shift
        return options[min(max(place, 0), len(options) - 1)]
    number: float = value  # type: ignore[assignment]
    if domain.log:
        moved = number * FACTORS[up]
    else:
        moved = number + (SHARE if up else -SHARE) * (domain.high - domain.low)
    if isinstance(domain, Int):
        moved = math.ceil(moved) if up else math.floor(moved)  # one at least
    return min(max(moved, domain.low), domain.high)


def is_number(domain: Domain) -> bool:
    """Whether a domain has a scale, on which a model can tell near from far."""
    return isinstance(domain, Float | Int) or domain.ordered
