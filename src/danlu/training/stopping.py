"""When to stop, and which checkpoint was best, where evaluations are noisy (T11).

The smallest of many noisy values is mostly a lucky one. So both look at more than one
evaluation: `EarlyStopping` at the trend, `best_step` at the neighbors.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from statistics import fmean, median
from typing import Any

# The median of |x| of a normal x is 0.6745 of its standard deviation.
NORMAL_MEDIAN = 0.6745
FEWEST = 5  # evaluations that show a noise: three second differences
WIDTHS = (1, 2, 4, 8, 16)  # neighbors on each side that `smoothed` tries


class EarlyStopping:
    """Says when the metric has stopped getting better by more than its own noise.

    Through the last `patience` evaluations a line is laid. Training goes on while the
    line may well get better by more than `noise`, the standard deviation of one
    evaluation; without a number it is estimated from how values jump from one to the
    next. Values that are not finite are never better.

    >>> from danlu import training
    >>> stopping = training.EarlyStopping(patience=5)
    >>> losses = [1.0, 0.7, 0.5, 0.4, 0.35, 0.36, 0.34, 0.36, 0.35, 0.37, 0.36, 0.38]
    >>> [stopping.update(loss) for loss in losses].index(True)
    9

    Raises:
        ValueError: `patience` is below 5, or the noise is negative.
    """

    def __init__(
        self, *, patience: int, noise: float | None = None, maximize: bool = False
    ) -> None:
        if patience < FEWEST or not (noise is None or noise >= 0):
            raise ValueError(
                f"EarlyStopping needs a patience of at least {FEWEST} evaluations and "
                f"a noise of at least 0, got patience={patience}, noise={noise}"
            )
        self._patience = patience
        self._noise = noise
        self._sign = -1.0 if maximize else 1.0
        self._values: list[float] = []

    def update(self, value: float) -> bool:
        """Takes the next evaluation; whether to stop."""
        self._values.append(self._sign * value)
        recent = self._values[-self._patience :]
        if len(recent) < self._patience:
            return False
        finite = [(at, own) for at, own in enumerate(recent) if math.isfinite(own)]
        if len(finite) < FEWEST - 2:  # it diverged
            return True
        noise = self._noise
        if noise is None:
            noise = noise_of(self._values[-3 * self._patience :])
        length = self._patience - 1
        gain = -slope(finite) * length
        # The standard error of a line's gain: in doubt, training goes on.
        doubt = noise * length / math.sqrt(_across([at for at, _ in finite]))
        return gain + doubt <= noise

    def state_dict(self) -> dict[str, Any]:
        """What was seen."""
        return {"values": list(self._values)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what was seen."""
        self._values = list(state_dict["values"])


def best_step(
    steps: Sequence[int],
    losses: Sequence[float],
    *,
    kept: Collection[int] | None = None,
) -> int:
    """The step whose neighborhood has the smallest loss, of those in `kept`, if given.

    >>> from danlu import training
    >>> steps = [1, 2, 3, 4, 5, 6, 7, 8]
    >>> losses = [0.9, 0.2, 0.8, 0.5, 0.4, 0.3, 0.3, 0.4]  # step 2 was lucky
    >>> training.best_step(steps, losses)
    7

    Raises:
        ValueError: no step that is kept has a finite loss.
    """
    finite = [
        (step, loss)
        for step, loss in zip(steps, losses, strict=True)
        if math.isfinite(loss)
    ]
    levels = smoothed_curve([loss for _, loss in finite])
    candidates = [
        (level, step)
        for (step, _), level in zip(finite, levels, strict=True)
        if kept is None or step in kept
    ]
    if not candidates:
        raise ValueError(
            f"best_step got {len(losses)} losses, and none of a step that is kept is "
            "finite"
        )
    return min(candidates)[1]


def noise_of(values: Sequence[float]) -> float:
    """The standard deviation of one value about a smooth curve; 0 for too few.

    From second differences, whose variance is 6 times that of the noise and which a
    trend does not change; by their median, so that a jump or two do no harm.

    >>> noise_of([0.0, 1.0, 2.0, 3.0, 4.0])
    0.0
    """
    finite = [value for value in values if math.isfinite(value)]
    triples = zip(finite, finite[1:], finite[2:], strict=False)
    bends = [abs(left - 2 * mid + right) for left, mid, right in triples]
    return median(bends) / NORMAL_MEDIAN / math.sqrt(6) if len(bends) > 2 else 0.0


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the line of least squares through (x, y).

    >>> slope([(0, 1.0), (1, 3.0), (2, 5.0)])
    2.0
    """
    center, level = fmean(x for x, _ in points), fmean(y for _, y in points)
    rise = sum((x - center) * (y - level) for x, y in points)
    return rise / _across([x for x, _ in points])


def _across(places: Sequence[float]) -> float:
    """The sum of squared distances from the middle."""
    center = fmean(places)
    return sum((place - center) ** 2 for place in places)


def smoothed_curve(values: Sequence[float]) -> list[float]:
    """Each value as a line through its neighbors has it.

    How many neighbors is what predicts a value best from the others (leave-one-out,
    Stone, 1974), so that a curve without noise is left nearly as it is.

    >>> smoothed_curve([4.0, 3.0, 2.0, 1.0])
    [4.0, 3.0, 2.0, 1.0]
    """
    if len(values) < FEWEST:
        return list(values)
    widths = [width for width in WIDTHS if 2 * width < len(values)]
    best = min(widths, key=lambda width: _left_out_error(values, width))
    return [_level(values, at, best, without=False) for at in range(len(values))]


def _left_out_error(values: Sequence[float], width: int) -> float:
    errors = (
        _level(values, at, width, without=True) - own for at, own in enumerate(values)
    )
    return sum(error * error for error in errors)


def _level(values: Sequence[float], at: int, width: int, *, without: bool) -> float:
    """The line through the neighbors within `width`, at the place `at`.

    `without` the value itself. At least two other places are taken at the rims.
    """
    first = max(min(at - width, len(values) - 3), 0)
    last = min(max(at + width, 2), len(values) - 1)
    places = [
        place for place in range(first, last + 1) if not (without and place == at)
    ]
    level = fmean(values[place] for place in places)
    tilt = slope([(place, values[place]) for place in places])
    return level + tilt * (at - fmean(places))
