"""A domain with one bound moved outward, as the fields to change."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..domain import LARGEST, Choice, Float, Int
from ..space import Dimension
from .names import AT_MOST_1, fits


def widened(dimension: Dimension, upper: bool, share: float) -> dict[str, Any] | None:
    """The fields of a domain that goes on beyond a bound by `share` of its range.

    On a log scale the bound moves by the factor (high / low)^share. None where there is
    nothing beyond: below 0 for what is not negative, above 1 for what is a share, or
    past an option that is no number.

    >>> from danlu.domain import Float
    >>> widened(Dimension("lr", "lr", Float(1e-4, 1e-2, log=True)), True, 0.5)
    {'low': 0.0001, 'high': 0.1, 'log': True}
    """
    domain = dimension.domain
    if isinstance(domain, Choice):
        return _more_options(domain, upper)
    bound = _logarithmic(domain, upper, share)
    if not domain.log:
        bound = _linear(dimension.name, domain, upper, share)
    old = domain.high if upper else domain.low
    if isinstance(domain, Int):
        bound = _whole(domain, bound, upper)
    if bound == old or not abs(bound) <= LARGEST or (domain.log and bound <= 0):
        return None
    low, high = (domain.low, bound) if upper else (bound, domain.high)
    fields: dict[str, Any] = {"low": low, "high": high}
    return {**fields, "log": True} if domain.log else fields


def _logarithmic(domain: Float | Int, upper: bool, share: float) -> float:
    if not domain.log:
        return math.nan
    decades = (math.log10(domain.high) - math.log10(domain.low)) * share
    old = math.log10(domain.high if upper else domain.low)
    new = old + (decades if upper else -decades)
    bound = 10.0 ** min(max(new, -300), 308)
    if isinstance(domain, Int):
        return float(round(bound))
    short = _two_digits(bound)
    is_outside = short > domain.high if upper else short < domain.low
    return short if is_outside else bound


def _linear(name: str, domain: Float | Int, upper: bool, share: float) -> float:
    """The new bound on a linear scale, never past 0 or, for a share, half way to 1."""
    reach = (domain.high - domain.low) * share
    unit = 10.0 ** (math.floor(math.log10(reach)) - 1) if reach > 0 else 0.0
    if upper:
        bound = _outward(domain.high + reach, unit, math.ceil)
        if fits(name, AT_MOST_1) and domain.high <= 1:
            bound = min(bound, (1 + domain.high) / 2)
    else:
        bound = _outward(domain.low - reach, unit, math.floor)
        if domain.low >= 0:
            bound = max(bound, 0.0)
    return bound


def _outward(bound: float, unit: float, rounded: Callable[[float], int]) -> float:
    """Two digits of the bound, or where these are too coarse, of the reach."""
    if not unit > 0 or not abs(bound) < LARGEST:
        return bound
    short = _two_digits(bound)
    if abs(short - bound) <= 5 * unit:  # half of the reach at most
        return short
    return float(f"{rounded(round(bound / unit, 6)) * unit:.12g}")


def _whole(domain: Int, bound: float, upper: bool) -> int:
    """The next whole number outward; what is at least 1 stays so."""
    whole = math.ceil(bound) if upper else math.floor(bound)
    if not upper and domain.low >= 1:
        return max(whole, 1)
    return whole


def _more_options(domain: Choice, upper: bool) -> dict[str, Any] | None:
    """One more option of an ordered choice of numbers: the next of its row."""
    options = list(domain.options)
    numbers = [
        own for own in options if isinstance(own, int | float) and own is not True
    ]
    if not domain.ordered or len(numbers) < 3 or len(numbers) < len(options):
        return None
    last, before = (numbers[-1], numbers[-2]) if upper else (numbers[0], numbers[1])
    geometric = min(numbers) > 0 and max(numbers) >= 4 * min(numbers)
    new: float = last * last / before if geometric else 2 * last - before
    if all(isinstance(own, int) for own in numbers):
        new = round(new)
    if new in options or (new <= 0 < min(numbers)):
        return None
    return {"options": [*options, new] if upper else [new, *options]}


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")
