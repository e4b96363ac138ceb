"""Where the trials of an earlier study are in another study's cube.

Hyperparameters are matched by path. One that the earlier study held constant counts
with its constant value. What the earlier study says nothing about stays unknown (nan).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from .domain import Choice, Domain, Float, Int
from .errors import SpaceError
from .space import Array, Params, SearchSpace, is_active
from .value import Value, same

# How far outside of the new range a number may be, as a share of that range: then it
# counts at the bound. A range that was moved a little should not lose the trials at its
# old edge; what is farther away says nothing about the new range.
MARGIN = 0.1
_UNKNOWN = object()


def moved(
    space: SearchSpace,
    values: Mapping[str, Value],
    fixed: Params = MappingProxyType({}),
) -> Array | None:
    """The point (d,) of `space`'s cube that a trial elsewhere stands for.

    `values` are its values by path, `fixed` what its study held constant, by name. nan
    where a dimension is inactive or unknown. None where it could be no trial of this
    space: a value is outside, or the space is held at another one, or an option that it
    varied is constant now, and another one. A number that is constant now may have been
    any.

    >>> import danlu
    >>> space = danlu.SearchSpace({"lr": danlu.Float(0, 1), "width": danlu.Int(1, 4)})
    >>> moved(space, {"lr": 0.25}).tolist()
    [0.25, nan]
    >>> moved(space, {"lr": 1.05}, fixed={"width": 1}).tolist()
    [1.0, 0.125]
    >>> moved(space, {"lr": 1.5}) is None
    True
    """
    if any(_is_elsewhere(space.fixed, path, own) for path, own in values.items()):
        return None
    known = {path: values[path] for path in space.pinned if path in values}
    if any(not same(value, space.pinned[path]) for path, value in known.items()):
        return None
    point = np.full(len(space), np.nan)
    known.update(space.pinned)
    for column, dimension in enumerate(space.dimensions):
        if not is_active(dimension, known):
            continue
        own = values.get(dimension.path, fixed.get(dimension.name, _UNKNOWN))
        if own is _UNKNOWN:
            continue
        known[dimension.path] = own  # type: ignore[assignment]  # a value by now
        place = _place(dimension.domain, own)
        if place is None:
            return None
        point[column] = place
    return point


def _is_elsewhere(fixed: Params, path: str, value: Value) -> bool:
    """Whether a hyperparameter that is constant now had another option.

    A number is held constant where it hardly matters, so that its trials still tell. A
    trial of another optimizer or model is of another kind.
    """
    name = path.rpartition("/")[2]
    if name not in fixed or not isinstance(value, str | bool):
        return False
    return not same(fixed[name], value)


def _place(domain: Domain, value: object) -> float | None:
    """Where `value` is in [0, 1], None where it is outside by more than the margin."""
    try:
        return domain.encode(domain.admit(value))  # type: ignore[arg-type]
    except SpaceError:
        return None if isinstance(domain, Choice) else _place_near(domain, value)


def _place_near(domain: Float | Int, value: object) -> float | None:
    """The place of a number that the domain has not, at the nearest that it has."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if domain.low == domain.high:
        return domain.encode(domain.low)  # type: ignore[arg-type]
    low, high, own = float(domain.low), float(domain.high), float(value)
    if domain.log:
        if own <= 0:
            return None
        low, high, own = math.log(low), math.log(high), math.log(own)
    margin = MARGIN * (high - low)
    if not low - margin <= own <= high + margin:
        return None
    nearest = min(max(value, domain.low), domain.high)
    if isinstance(domain, Int):
        return domain.encode(round(nearest))
    return domain.encode(float(nearest))
