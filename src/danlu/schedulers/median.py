"""Stops a trial that is worse than the median of the others at the same step.

The median stopping rule of Google Vizier (Golovin et al., 2017, section 3.2.2), with
the best loss up to the step on both sides, so that one bad evaluation stops nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from numpy.random import Generator

from ..errors import StudyError
from ..history import History
from ..trial import Trial
from .base import Scheduler, Start, Verdict


@dataclass(frozen=True)
class Median(Scheduler):
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
        StudyError: a count is below 1.
    """

    min_steps: int = 1
    min_trials: int = 5  # Vizier's and Optuna's default

    def __post_init__(self) -> None:
        if self.min_steps < 0 or self.min_trials < 1:
            raise StudyError(
                "Median needs min_steps >= 0 and min_trials >= 1, "
                f"got {self.min_steps} and {self.min_trials}"
            )

    def next(self, history: History, rng: Generator) -> Start:
        """A new trial with the full budget."""
        return Start()

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To stop, or to continue."""
        loss = history.loss(trial)
        if loss is None or trial.step < self.min_steps:
            return Verdict.CONTINUE
        others = [
            other_loss
            for other in history.trials
            if other.number != trial.number and other.step >= trial.step
            if (other_loss := history.loss(other, at=trial.step)) is not None
        ]
        if len(others) < self.min_trials or loss <= median(others):
            return Verdict.CONTINUE
        return Verdict.STOP
