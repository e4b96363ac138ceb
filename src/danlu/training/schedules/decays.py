"""Schedules that go down from their peak, or stay there."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace

from .base import Schedule, ScheduleEnd, at_least_zero, whole_steps


@dataclass(frozen=True, slots=True)
class Constant(Schedule):
    """The same value at every step: where tuning starts (playbook D9).

    >>> from danlu import training
    >>> training.Constant(0.1)(10**9)
    0.1
    """

    peak: float
    steps: float = math.inf

    def __post_init__(self) -> None:
        at_least_zero("Constant", peak=self.peak)
        whole_steps("Constant", self.steps)

    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0."""
        if not 0 <= step < self.steps:
            raise ScheduleEnd(self, step)
        return self.peak

    def stretched(self, steps: int) -> Constant:
        """The same value, for `steps` steps."""
        return replace(self, steps=steps)


@dataclass(frozen=True, slots=True)
class Linear(Schedule):
    """Stays at the peak for `hold` steps, then falls on a line toward `end`.

    The value after the last step would be `end`: with `end = 0` every update still
    moves. With a warm-up before it, it is warm-up-stable-decay.

    >>> from danlu import training
    >>> [training.Linear(1.0, steps=4)(step) for step in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    >>> training.Linear(1.0, steps=4).stretched(8)
    Linear(peak=1.0, steps=8, end=0.0, hold=4)
    """

    peak: float
    steps: int
    end: float = 0.0
    hold: int = 0

    def __post_init__(self) -> None:
        at_least_zero("Linear", peak=self.peak, end=self.end, hold=self.hold)
        whole_steps("Linear", self.steps)
        if self.hold >= self.steps:
            raise ValueError(
                f"Linear(steps={self.steps}, hold={self.hold}) has no step left to "
                "fall in: hold fewer steps than there are"
            )

    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0."""
        if not 0 <= step < self.steps:
            raise ScheduleEnd(self, step)
        hold = self.hold
        if step <= hold:
            return self.peak
        fallen = (step - hold) / (self.steps - hold)
        return self.peak + (self.end - self.peak) * fallen

    def stretched(self, steps: int) -> Linear:
        """The decay keeps its length, and starts later: the peak gets the new steps."""
        decay = min(self.steps - self.hold, steps)
        return replace(self, steps=steps, hold=steps - decay)


@dataclass(frozen=True, slots=True)
class Cosine(Schedule):
    """Falls along half a cosine toward `end` (Loshchilov & Hutter, 2016, eq. 5).

    >>> from danlu import training
    >>> [round(training.Cosine(1.0, steps=4)(step), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """

    peak: float
    steps: int
    end: float = 0.0

    def __post_init__(self) -> None:
        at_least_zero("Cosine", peak=self.peak, end=self.end)
        whole_steps("Cosine", self.steps)

    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0."""
        if not 0 <= step < self.steps:
            raise ScheduleEnd(self, step)
        share = (1 + math.cos(math.pi * step / self.steps)) / 2  # eq. 5
        return self.end + (self.peak - self.end) * share

    def stretched(self, steps: int) -> Cosine:
        """The same peak, and a cosine as long as the run."""
        return replace(self, steps=steps)


@dataclass(frozen=True, slots=True)
class Polynomial(Schedule):
    """Falls as `(1 - step / steps) ** power` toward `end`.

    >>> from danlu import training
    >>> [training.Polynomial(1.0, steps=4, power=2)(step) for step in range(4)]
    [1.0, 0.5625, 0.25, 0.0625]
    """

    peak: float
    steps: int
    power: float
    end: float = 0.0

    def __post_init__(self) -> None:
        at_least_zero("Polynomial", peak=self.peak, end=self.end, power=self.power)
        whole_steps("Polynomial", self.steps)

    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0."""
        if not 0 <= step < self.steps:
            raise ScheduleEnd(self, step)
        share: float = (1 - step / self.steps) ** self.power
        return self.end + (self.peak - self.end) * share

    def stretched(self, steps: int) -> Polynomial:
        """The same peak, and a decay as long as the run."""
        return replace(self, steps=steps)


@dataclass(frozen=True, slots=True)
class Exponential(Schedule):
    """Is multiplied by `factor` at every step.

    >>> from danlu import training
    >>> [training.Exponential(1.0, factor=0.5)(step) for step in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    peak: float
    factor: float
    steps: float = math.inf

    def __post_init__(self) -> None:
        at_least_zero("Exponential", peak=self.peak)
        whole_steps("Exponential", self.steps)
        if not 0 < self.factor <= 1:
            raise ValueError(
                "Exponential needs a factor above 0 and at most 1, got "
                f"factor={self.factor}"
            )

    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0."""
        if not 0 <= step < self.steps:
            raise ScheduleEnd(self, step)
        return self.peak * self.factor**step

    def stretched(self, steps: int) -> Exponential:
        """Ends at the same value; without an end, it falls as it did."""
        whole_steps("Exponential", steps)
        factor = self.factor
        if math.isfinite(self.steps):
            factor **= self.steps / steps
        return replace(self, steps=steps, factor=factor)


@dataclass(frozen=True, slots=True)
class Step(Schedule):
    """Is multiplied by `factor` at each of the steps `at`.

    >>> from danlu import training
    >>> lr = training.Step(1.0, at=(2, 3), factor=0.1, steps=5)
    >>> [round(lr(step), 3) for step in range(5)]
    [1.0, 1.0, 0.1, 0.01, 0.01]
    >>> lr.stretched(10).at
    (7, 8)
    """

    peak: float
    at: tuple[int, ...]
    factor: float = 0.1
    steps: float = math.inf

    def __post_init__(self) -> None:
        at_least_zero("Step", peak=self.peak, factor=self.factor)
        whole_steps("Step", self.steps)
        inside = all(0 < step < self.steps for step in self.at)
        if not inside or list(self.at) != sorted(set(self.at)):
            raise ValueError(
                f"Step needs rising steps within its {self.steps}, got at={self.at}"
            )

    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0."""
        if not 0 <= step < self.steps:
            raise ScheduleEnd(self, step)
        return self.peak * self.factor ** bisect_right(self.at, step)

    def stretched(self, steps: int) -> Step:
        """The first stretch takes all steps that are added; without an end, none."""
        later = steps - self.steps if math.isfinite(self.steps) else 0
        moved = tuple(int(step + later) for step in self.at)
        if moved and moved[0] < 1:
            raise ValueError(
                f"stretched(steps={steps}) of a schedule that falls at {self.at} and "
                f"ends at {self.steps} leaves nothing at its peak: say new steps `at`"
            )
        return replace(self, steps=steps, at=moved)
