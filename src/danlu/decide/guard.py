"""Whether a winner keeps to what it must besides its own metric, or is not adopted."""

from __future__ import annotations

from collections.abc import Sequence

from ..constraint import Constraint
from ..guard import limit_of
from ..study import Study
from ..trial import State, Trial
from .decision import Guard


def guard(
    text: str, study: Study, candidate: Sequence[Trial], baseline: Sequence[Trial]
) -> Guard:
    """Whether the candidate keeps to `text` by its mean over its confirming trials.

    `text` is like `latency_ms <= 20` or `test_error <= baseline + 0.005`. A metric that
    was not reported by either keeps to nothing.

    Raises:
        StudyError: the text states no guard.
    """
    own = limit_of(text)
    bound = own.bound(_mean(own.constraint, study, baseline))
    value = _mean(own.constraint, study, candidate)
    if value is None or bound is None:
        return Guard(text, value, bound, kept=False)
    is_kept = value <= bound if own.constraint.upper else value >= bound
    return Guard(text, value, bound, is_kept)


def _mean(limit: Constraint, study: Study, trials: Sequence[Trial]) -> float | None:
    """The mean of the guard's metric at the checkpoint that one would keep.

    Over the runs that were trained to their end: neither failed nor diverged ones.
    """
    metric = study.objective
    values = [
        limit.value(trial.curves, metric.step(trial.curves.get(metric.name)))
        for trial in trials
        if trial.state is State.COMPLETED  # as in what is compared
    ]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
