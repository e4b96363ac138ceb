"""Stops a trial that is not good enough by some step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import StudyError
from ..history import History
from ..trial import Trial
from .base import StoppingRule, Verdict


@dataclass(frozen=True)
class Threshold(StoppingRule):
    """Stops a trial whose metric has not come to `value` by step `step`.

    For what one knows beforehand: an error that is still that of guessing, an accuracy
    that the model before had sooner. `value` is the metric's, also one to make large.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> guessing = danlu.Curve.of({step: 0.9 for step in range(1, 6)})
    >>> trial = danlu.Trial(0, {"x": 0.5}, curves={"error": guessing})
    >>> history = danlu.History(space, danlu.Metric("error"), [trial])
    >>> danlu.schedulers.Threshold(step=5, value=0.89).judge(trial, history).value
    'stop'

    Raises:
        StudyError: the step is below 0, or the value not finite.
    """

    step: int
    value: float

    def __post_init__(self) -> None:
        if self.step < 0 or not math.isfinite(self.value):
            raise StudyError(
                "Threshold needs step >= 0 and a finite value, "
                f"got {self.step} and {self.value}"
            )

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To stop, or to continue."""
        if trial.step < self.step:
            return Verdict.CONTINUE
        loss = history.loss(trial, self.step)
        if loss is None:  # its first report came later than that
            loss = history.loss(trial)
        most = -self.value if history.metric.maximize else self.value
        late = loss is not None and loss > most
        return Verdict.STOP if late else Verdict.CONTINUE
