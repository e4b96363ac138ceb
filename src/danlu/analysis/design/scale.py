"""On which scale and in which range a hyperparameter is searched (D7, D8)."""

from __future__ import annotations

from typing import Any

from ...domain import Choice, Float, Int
from ...study import Study
from ..base import Finding, Level
from ..sentence import listed, subject
from .names import COMPLEMENT, DECAY, DROPOUT, RATE, fits, varied_dimensions

DECADE = 10.0  # a multiplicative hyperparameter over more than this wants a log scale
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
