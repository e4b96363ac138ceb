"""The best value at each step, so that a running trial can be compared with it."""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..history import History
    from ..metric import Metric
    from ..trial import Trial

_LEVEL = 0.005  # a difference that is shown as 0 %


class BestAtStep:
    """The smallest loss that any ended trial had at each step.

    Every trial is looked at once, so that asking again costs nothing.
    """

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._losses: dict[int, float] = {}
        self._seen: set[tuple[int, int]] = set()

    def learn(self, history: History) -> None:
        """Takes in the trials that have ended since the last time."""
        for trial in history.trials:
            mark = (trial.number, trial.attempt)
            if trial.state.ended and mark not in self._seen:
                self._seen.add(mark)
                self._add(trial, history.metric)

    def at(self, step: int) -> float | None:
        """The smallest loss at `step`, or at the last step before that has one."""
        place = bisect_right(self._steps, step)
        return self._losses[self._steps[place - 1]] if place else None

    def _add(self, trial: Trial, metric: Metric) -> None:
        curve = trial.curves.get(metric.name)
        if curve is None:
            return
        finite = np.isfinite(curve.values)
        losses = -curve.values[finite] if metric.maximize else curve.values[finite]
        if metric.at == "best":
            losses = np.minimum.accumulate(losses)
        steps = curve.steps[finite].tolist()
        for step, loss in zip(steps, losses.tolist(), strict=True):
            known = self._losses.get(step)
            if known is None:
                insort(self._steps, step)
            if known is None or loss < known:
                self._losses[step] = loss


def compared(metric: Metric, trial: Trial, best: BestAtStep) -> str:
    """Where a running trial's latest value stands against the best at its step."""
    curve = trial.curves.get(metric.name)
    if curve is None or not len(curve) or not np.isfinite(curve.last):
        return ""
    loss = -curve.last if metric.maximize else curve.last
    other = best.at(int(curve.steps[-1]))
    if other is None:
        return ""
    share = abs(loss - other) / abs(other) if other else 1.0
    if share < _LEVEL:
        return "level with the best at this step"
    shown = f"{share:.0%} " if other and share < 10 else ""
    better = "better" if loss < other else "worse"
    return f"{shown}{better} than the best at this step"
