"""What a winner must keep to besides its own metric, or it is not adopted."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..constraint import Constraint, parsed
from ..errors import StudyError
from ..study import Study
from ..trial import Trial
from .decision import Guard

_BASELINE = re.compile(r"^baseline\s*(?:(?P<sign>[+-])\s*(?P<by>\S+))?$")


def guard(
    text: str, study: Study, candidate: Sequence[Trial], baseline: Sequence[Trial]
) -> Guard:
    """Whether the candidate keeps to `text` by its mean over its confirming trials.

    `text` is like `latency_ms <= 20` or `test_error <= baseline + 0.005`. A metric that
    was not reported by either keeps to nothing.

    Raises:
        StudyError: the text states no guard.
    """
    metric, sign, limit = _parts(text)
    relative = _BASELINE.match(limit)
    if relative is None:
        own = parsed(text)
        bound: float | None = own.limit
    else:
        own = parsed(f"{metric} {sign} 0")
        reference = _mean(own, study, baseline)
        bound = None if reference is None else reference + _shift(text, relative)
    value = _mean(own, study, candidate)
    if value is None or bound is None:
        return Guard(text, value, bound, kept=False)
    is_kept = value <= bound if own.upper else value >= bound
    return Guard(text, value, bound, is_kept)


def _parts(text: str) -> tuple[str, str, str]:
    for sign in ("<=", ">="):
        metric, found, limit = text.partition(sign)
        if found and metric.strip():
            return metric.strip(), sign, limit.strip()
    raise StudyError(
        f"a guard is a metric, <= or >=, and a limit, got {text!r}: write it like "
        "'test_error <= baseline + 0.005'"
    )


def _shift(text: str, relative: re.Match[str]) -> float:
    if relative["by"] is None:
        return 0.0
    try:
        amount = float(relative["by"])
    except ValueError:
        raise StudyError(
            f"{relative['by']!r} in the guard {text!r} is no number: write it like "
            "'test_error <= baseline + 0.005'"
        ) from None
    return amount if relative["sign"] == "+" else -amount


def _mean(limit: Constraint, study: Study, trials: Sequence[Trial]) -> float | None:
    """The mean of the guard's metric at the checkpoint that one would keep."""
    metric = study.objective
    values = [
        limit.value(trial.curves, metric.step(trial.curves.get(metric.name)))
        for trial in trials
    ]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
