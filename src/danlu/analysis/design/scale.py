"""On which scale and in which range a hyperparameter is searched (D7, D8)."""

from __future__ import annotations

import math
from typing import Any

from ...domain import Choice, Float, Int
from ...sentence import listed, subject
from ...study import Study
from ..base import Finding, Level
from ..names import COMPLEMENT, DECAY, DROPOUT, MOMENTUM, RATE, SMOOTHING, fits
from .dimensions import varied_dimensions

DECADE = 10.0  # a multiplicative hyperparameter over more than this wants a log scale
_LARGEST = 0.95  # of a share: beyond, one value in 20 is left
# Empirical ranges (D8: lr 1e-4..1, L2 up to 10), the rate two decades wider below and
# one above, since the wider a network the smaller its rate.
_USUAL = (((RATE,), 1e-6, 10.0), ((DECAY,), 0.0, 10.0))
LOG_SPAN = 1000.0  # from 0 there is no log scale: offer three decades below `high`


def linear_scale(study: Study) -> Finding | None:
    """D8: multiplicative hyperparameters are searched on a log scale."""
    change: dict[str, Any] = {}
    ranges = []
    for dimension in varied_dimensions(study):
        domain = dimension.domain
        if isinstance(domain, Choice) or not _wide(domain):
            continue
        if fits(dimension.name, RATE, DECAY, COMPLEMENT):
            change[dimension.path] = _on_log(domain)
            ranges.append(f"{dimension.path} over {domain}")
    if not change:
        return None
    paths = list(change)
    return Finding(
        "linear-scale",
        Level.WARNING,
        f"{subject(ranges)} searched on a linear scale: nine in ten trials fall "
        "into the highest decade, and the others are hardly tried.",
        f"Search {listed(paths)} on a log scale: {_log_advice(change)}.",
        {"paths": paths, "change": {"space": change}},
    )


def momentum_scale(study: Study) -> Finding | None:
    """D7: momentum and betas are searched as 1 - beta on a log scale."""
    ranges = [
        f"{own.path} over {own.domain}"
        for own in varied_dimensions(study)
        if isinstance(own.domain, Float)
        and fits(own.name, MOMENTUM)
        and not fits(own.name, COMPLEMENT)
        and 0 <= own.domain.low < own.domain.high < 1
        and 1 - own.domain.low > DECADE * (1 - own.domain.high)
    ]
    if not ranges:
        return None
    return Finding(
        "momentum-scale",
        Level.NOTICE,
        f"{subject(ranges)} searched as it is: most trials lie where it hardly "
        "matters, since 0.9 and 0.99 remember ten times as many steps.",
        "Search 1 - beta on a log scale, as one_minus_momentum, and let the program "
        "subtract it from 1.",
        {"ranges": ranges},
    )


def impossible_range(study: Study) -> Finding | None:
    """D8: no range reaches values with which nothing is trained."""
    change: dict[str, Any] = {}
    ranges = []
    for dimension in varied_dimensions(study):
        domain = dimension.domain
        if isinstance(domain, Choice) or domain.high < 1 or domain.low >= _LARGEST:
            continue
        share = fits(dimension.name, DROPOUT, SMOOTHING, COMPLEMENT)
        if share or fits(dimension.name, MOMENTUM):
            change[dimension.path] = {"high": _LARGEST}
            ranges.append(f"{dimension.path} over {domain}")
    if not ranges:
        return None
    return Finding(
        "impossible-range",
        Level.WARNING,
        f"{subject(ranges)} searched up to 1 or more, where nothing is learned: a "
        "dropout, smoothing or momentum is a share below 1.",
        f"End the range of {listed(list(change))} at {_LARGEST} or below.",
        {"paths": list(change), "change": {"space": change}},
    )


def unusual_range(study: Study) -> Finding | None:
    """D8: a range that lies wholly where nobody has found the best is a slip."""
    ranges = [
        f"{own.path} over {own.domain}"
        for own in varied_dimensions(study)
        if not isinstance(own.domain, Choice)
        for patterns, low, high in _USUAL
        if fits(own.name, *patterns)
        and (own.domain.high < low or own.domain.low > high)
    ]
    if not ranges:
        return None
    return Finding(
        "unusual-range",
        Level.WARNING,
        f"{subject(ranges)} searched: all of that is outside of what works in "
        "practice (a learning rate from 1e-6 to 10, a decay up to 10).",
        "Check the unit and the exponent of the bounds.",
        {"ranges": ranges},
    )


def log_dropout(study: Study) -> Finding | None:
    """D8: dropout is searched on a linear scale."""
    paths = [
        dimension.path
        for dimension in varied_dimensions(study)
        if fits(dimension.name, DROPOUT) and getattr(dimension.domain, "log", False)
    ]
    if not paths:
        return None
    return Finding(
        "log-dropout",
        Level.NOTICE,
        f"{subject(paths)} searched on a log scale: most trials get nearly none.",
        "Search it on a linear scale, which may begin at 0.",
        {
            "paths": paths,
            "change": {"space": {path: {"log": False} for path in paths}},
        },
    )


def practice(name: str) -> tuple[float, float]:
    """Between which values a hyperparameter of that name is searched in practice.

    >>> practice("dropout"), practice("base_lr"), practice("width")
    ((0.0, 0.95), (1e-06, 10.0), (-inf, inf))
    """
    if fits(name, DROPOUT, SMOOTHING, COMPLEMENT, MOMENTUM):
        return 0.0, _LARGEST
    known = [ends for patterns, *ends in _USUAL if fits(name, *patterns)]
    low, high = known[0] if known else (-math.inf, math.inf)
    return low, high


def _wide(domain: Float | Int) -> bool:
    """Whether a linear domain spans more than a decade above 0."""
    if domain.log or domain.low < 0:
        return False
    return domain.high > DECADE * domain.low


def _on_log(domain: Float | Int) -> dict[str, Any]:
    """What to change of a domain so that it is searched on a log scale."""
    if domain.low > 0:
        return {"log": True}
    if isinstance(domain, Int):
        return {"low": 1, "log": True}
    return {"low": domain.high / LOG_SPAN, "log": True}


def _log_advice(change: dict[str, Any]) -> str:
    lifted = [
        f"{path} from {fields['low']:g} up (a log scale has no 0)"
        for path, fields in change.items()
        if "low" in fields
    ]
    return listed(lifted) if lifted else "log: true"
