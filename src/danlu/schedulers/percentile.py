"""Stops a trial that is worse than the others were at the same step.

The median stopping rule of Google Vizier (Golovin et al., 2017, section 3.2.2), with
the best loss up to the step on both sides, so that one bad evaluation stops nobody; and
the same with another percentile.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from ..errors import StudyError
from ..history import History
from ..number import is_count
from ..space import Array
from ..trial import Trial
from .base import StoppingRule, Verdict


@dataclass(frozen=True)
class Median(StoppingRule):
    """Stops a trial whose best loss so far is above the median at the same step.

    Nobody is stopped before step `min_steps`, nor before `min_trials` other trials of
    the arm have reached the step.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> def trial(number, loss):
    ...     return danlu.Trial(number, {"x": 0.5},
    ...                        curves={"loss": danlu.Curve.of({1: loss})})
    >>> good, bad = [trial(n, 0.1) for n in range(5)], trial(5, 0.9)
    >>> history = danlu.History(space, danlu.Metric("loss"), [*good, bad])
    >>> danlu.schedulers.Median().judge(bad, history).value
    'stop'

    Raises:
        StudyError: a count is no whole number, or too small.
    """

    min_steps: int = 1
    min_trials: int = 5  # Vizier's and Optuna's default

    def __post_init__(self) -> None:
        _check_counts("Median", self.min_steps, self.min_trials)

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To stop, or to continue."""
        if trial.step < self.min_steps:
            return Verdict.CONTINUE
        return _verdict(trial, history, 50.0, self.min_trials)


@dataclass(frozen=True)
class Percentile(StoppingRule):
    """Stops a trial whose best loss so far is above a percentile at the same step.

    With `percentile=25` those go on that are among the best quarter; 50 is `Median`.
    Nobody is stopped before step `min_steps`, nor before `min_trials` other trials of
    the arm have reached the step.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> trials = [danlu.Trial(number, {"x": 0.5},
    ...                       curves={"loss": danlu.Curve.of({1: 0.1 * number})})
    ...           for number in range(9)]
    >>> history = danlu.History(space, danlu.Metric("loss"), trials)
    >>> rule = danlu.schedulers.Percentile(25)
    >>> [rule.judge(trial, history).value for trial in trials[1:4]]
    ['continue', 'continue', 'stop']

    Raises:
        StudyError: the percentile is not between 0 and 100, or a count is no whole
            number, or too small.
    """

    percentile: float = 25.0
    min_steps: int = 1
    min_trials: int = 5

    def __post_init__(self) -> None:
        _check_counts("Percentile", self.min_steps, self.min_trials)
        if not 0 < self.percentile < 100:
            raise StudyError(
                f"Percentile needs 0 < percentile < 100, got {self.percentile}"
            )

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To stop, or to continue."""
        if trial.step < self.min_steps:
            return Verdict.CONTINUE
        return _verdict(trial, history, self.percentile, self.min_trials)


def _check_counts(name: str, min_steps: int, min_trials: int) -> None:
    if not is_count(min_steps, 0) or not is_count(min_trials):
        raise StudyError(
            f"{name} needs min_steps >= 0 and min_trials >= 1, whole numbers, got "
            f"{min_steps!r} and {min_trials!r}"
        )


def _verdict(
    trial: Trial, history: History, percentile: float, min_trials: int
) -> Verdict:
    loss = history.loss(trial)
    if loss is None:
        return Verdict.CONTINUE
    others = _others(trial, history)
    if len(others) < min_trials or loss <= _at_percentile(others, percentile):
        return Verdict.CONTINUE
    return Verdict.STOP


def _at_percentile(values: Array, percentile: float) -> float:
    """The percentile of values (n,), linear between them.

    As `numpy.percentile`, which imports modules for 0.06 s of CPU when first called.
    """
    ranked = np.sort(values)
    place = (len(ranked) - 1) * percentile / 100
    low, high = ranked[int(place)], ranked[math.ceil(place)]
    return float(low if low == high else low + (place - int(place)) * (high - low))


def _others(trial: Trial, history: History) -> Array:
    """The losses (n,) that the other trials had at the trial's step."""
    losses = history.losses(trial.step)
    known = ~np.isnan(losses)
    own = bisect_left(history.trials, trial.number, key=attrgetter("number"))
    if own < len(losses) and history.trials[own].number == trial.number:
        known[own] = False
    return losses[known]
