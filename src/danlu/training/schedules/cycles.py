"""Schedules that go up and down again and again.

Triangular: Smith (2015), "Cyclical learning rates for training neural networks",
section 3. Restarts: Loshchilov & Hutter (2016), "SGDR", section 3.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field, replace

from .base import Schedule, ScheduleEnd, at_least_zero, whole_steps

LONGEST = 2.0**63  # no run has more steps


@dataclass(frozen=True, slots=True)
class Triangular(Schedule):
    """Rises on a line from `low` to `high` in `half_cycle` steps, and falls again.

    The height above `low` is multiplied by `cycle_factor` after each cycle (1/2 is
    `triangular2` of the paper) and by `step_factor` at each step (`exp_range`).

    >>> from danlu import training
    >>> lr = training.Triangular(0.0, 1.0, half_cycle=2)
    >>> [lr(step) for step in range(9)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.5, 1.0, 0.5, 0.0]
    """

    low: float
    high: float
    half_cycle: int
    steps: float = math.inf
    cycle_factor: float = 1.0
    step_factor: float = 1.0

    def __post_init__(self) -> None:
        at_least_zero("Triangular", low=self.low, high=self.high)
        whole_steps("Triangular", self.steps)
        whole_steps("Triangular (half_cycle)", self.half_cycle)
        for name in ("cycle_factor", "step_factor"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(
                    f"Triangular needs a {name} above 0 and at most 1, got "
                    f"{name}={getattr(self, name)}"
                )

    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0."""
        if not 0 <= step < self.steps:
            raise ScheduleEnd(self, step)
        half = self.half_cycle
        cycle, place = divmod(step, 2 * half)
        height = 1 - abs(place / half - 1)
        if self.cycle_factor != 1:
            height *= self.cycle_factor**cycle
        if self.step_factor != 1:
            height *= self.step_factor**step
        return self.low + (self.high - self.low) * height

    def stretched(self, steps: int) -> Triangular:
        """More cycles of the same length."""
        return replace(self, steps=steps)


def triangular2(
    low: float, high: float, half_cycle: int, *, steps: float = math.inf
) -> Triangular:
    """Cycles whose height halves after each (Smith, 2015, `triangular2`).

    >>> from danlu import training
    >>> lr = training.triangular2(0.0, 1.0, half_cycle=2)
    >>> lr(2), lr(6), lr(10)
    (1.0, 0.5, 0.25)
    """
    return Triangular(low, high, half_cycle, steps, cycle_factor=0.5)


def exp_range(
    low: float, high: float, half_cycle: int, *, gamma: float, steps: float = math.inf
) -> Triangular:
    """Cycles whose height is multiplied by `gamma` at each step (Smith, 2015).

    >>> from danlu import training
    >>> lr = training.exp_range(0.0, 1.0, half_cycle=2, gamma=0.5)
    >>> lr(2), lr(6)
    (0.25, 0.015625)
    """
    return Triangular(low, high, half_cycle, steps, step_factor=gamma)


@dataclass(frozen=True, slots=True)
class Restarts(Schedule):
    """A cosine from `peak` to `end` in `period` steps, started again and again (SGDR).

    Each period is `multiply` times as long as the one before (T_mult of the paper).

    >>> from danlu import training
    >>> lr = training.Restarts(1.0, period=2, multiply=2)
    >>> [round(lr(step), 3) for step in range(7)]
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0]
    """

    peak: float
    period: float
    multiply: int = 1
    end: float = 0.0
    steps: float = math.inf
    _starts: tuple[float, ...] = field(
        default=(), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        at_least_zero("Restarts", peak=self.peak, end=self.end)
        whole_steps("Restarts", self.steps)
        if not 1 <= self.period < math.inf:
            raise ValueError(
                f"Restarts needs a period of at least 1 step, got period={self.period}"
            )
        if self.multiply != int(self.multiply) or self.multiply < 1:
            raise ValueError(
                "Restarts needs a whole number of at least 1 to multiply by, got "
                f"multiply={self.multiply}"
            )
        object.__setattr__(self, "_starts", self._started())

    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0."""
        if not 0 <= step < self.steps:
            raise ScheduleEnd(self, step)
        if self.multiply == 1:
            share = step % self.period / self.period
        else:
            number = bisect_right(self._starts, step) - 1
            begun = self._starts[number]
            share = (step - begun) / (self.period * self.multiply**number)
        height = (1 + math.cos(math.pi * share)) / 2  # eq. 5, T_cur / T_i = share
        return self.end + (self.peak - self.end) * height

    def period_at(self, step: int) -> float:
        """How long the period is that the step lies in: T_i of the paper."""
        if not 0 <= step < self.steps:
            raise ScheduleEnd(self, step)
        number = bisect_right(self._starts, step) - 1
        return self.period * self.multiply**number if self.multiply > 1 else self.period

    def stretched(self, steps: int) -> Restarts:
        """As many periods, all longer; without an end, more of them."""
        period = self.period
        if math.isfinite(self.steps):
            period *= steps / self.steps
        return replace(self, steps=steps, period=period)

    def _started(self) -> tuple[float, ...]:
        """At which steps periods start, where they grow; these are at most 64."""
        starts, length = [0.0], self.period
        while self.multiply > 1 and starts[-1] + length < LONGEST:
            starts.append(starts[-1] + length)
            length *= self.multiply
        return tuple(starts)
