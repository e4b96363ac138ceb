"""The best value at each step, so that a running trial can be compared with it."""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..history import History, Metric
    from ..trial import Trial


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


def compared(history: History, trial: Trial, best: BestAtStep) -> str:
    """Where a running trial stands against the best at its step, in words."""
    loss = history.loss(trial)
    other = best.at(trial.step)
    if loss is None or other is None:
        return ""
    if loss == other:
        return "equal to the best at this step"
    better = loss < other
    if other == 0:
        return "better than the best at this step" if better else "behind the best"
    share = abs(loss - other) / abs(other)
    shown = f"{share:.0%}" if share < 10 else f"{share:.0f} times"
    return f"{shown} {'better' if better else 'worse'} than the best at this step"
