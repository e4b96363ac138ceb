"""Which values are worth a plot's height: one that diverged must not flatten it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..metric import Metric
from ..trial import State

MIN_FULL = 5  # full trainings before they alone tell what is usual
CLIP_IQRS = 3.0  # values further than this beyond the median go to the rim


@dataclass(frozen=True)
class Range:
    """The values worth a plot's height; `beyond` are worse than that and at the rim."""

    low: float
    high: float
    beyond: int


def value_range(metric: Metric, values: Iterable[tuple[State, float]]) -> Range | None:
    """All values, but for those far worse than the median of the full trainings.

    >>> seen = [(State.COMPLETED, value) for value in (0.1, 0.2, 0.3, 0.4, 0.5, 60.0)]
    >>> value_range(Metric("loss"), seen)
    Range(low=0.1, high=0.5, beyond=1)
    """
    losses = [(state, -v if metric.maximize else v) for state, v in values]
    if not losses:
        return None
    signed = np.array([loss for _, loss in losses])
    full = [loss for state, loss in losses if state is State.COMPLETED]
    usual = np.divide(full if len(full) >= MIN_FULL else signed, 16)  # none overflows
    lower, median, upper = np.quantile(usual, (0.25, 0.5, 0.75))
    limit = median + CLIP_IQRS * (upper - lower) if upper > lower else max(signed) / 16
    kept = [metric.value(loss) for loss in signed.tolist() if loss / 16 <= limit]
    return Range(min(kept), max(kept), len(signed) - len(kept))
