"""Stops a trial that has not become better for some steps.

Early stopping, as every training loop has it. L. Prechelt, "Early Stopping - But When?"
(1998), compares such rules: more patient ones find a little better, at a higher cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import StudyError
from ..history import History
from ..number import as_number, is_count
from ..trial import Trial
from .base import StoppingRule, Verdict


@dataclass(frozen=True)
class Patience(StoppingRule):
    """Stops a trial whose last `steps` steps brought nothing better than before them.

    What counts as better is more than `least` better, in the metric's own unit. A trial
    is looked at alone, and never before it has done more than `steps` steps.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> curve = danlu.Curve.of({1: 0.5, 2: 0.3, 3: 0.4, 4: 0.35})
    >>> trial = danlu.Trial(0, {"x": 0.5}, curves={"loss": curve})
    >>> history = danlu.History(space, danlu.Metric("loss"), [trial])
    >>> [danlu.schedulers.Patience(k).judge(trial, history).value for k in (2, 3)]
    ['stop', 'continue']

    Raises:
        StudyError: `steps` is below 1, or `least` below 0.
    """

    steps: int
    least: float = 0.0

    def __post_init__(self) -> None:
        least = as_number(self.least)
        if not is_count(self.steps) or least is None or not least >= 0:
            raise StudyError(
                "Patience needs steps >= 1 and least >= 0, "
                f"got {self.steps!r} and {self.least!r}"
            )

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To stop, or to continue."""
        curve = trial.curves.get(history.metric.name)
        if curve is None or not len(curve):
            return Verdict.CONTINUE
        count = len(curve.until(int(curve.steps[-1]) - self.steps))
        sign = -1.0 if history.metric.maximize else 1.0
        losses = np.where(np.isfinite(curve.values), sign * curve.values, np.inf)
        if not count or not np.isfinite(before := losses[:count].min()):
            return Verdict.CONTINUE
        better = losses[count:].min() < before - self.least
        return Verdict.CONTINUE if better else Verdict.STOP
