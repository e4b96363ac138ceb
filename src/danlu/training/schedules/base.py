"""The contract of a schedule: a pure function of the step, with a known end.

The step counts updates of the weights from 0, so that `schedule(0)` is the value of the
first update and `schedule(steps - 1)` that of the last one. A value depends on nothing
else. So a run that is resumed needs its step alone, and a whole schedule can be looked
at before anything trains (`audit`, `draw`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field


class Schedule(ABC):
    """The value of one hyperparameter at each step, from 0 up to `steps`.

    `steps` is infinite where a schedule has no end. Values are finite and never
    negative. A step past the end is an error; `Hold` says that the last value stays.

    >>> from danlu import training
    >>> issubclass(training.Cosine, training.Schedule)
    True
    """

    __slots__ = ()

    steps: float

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0.

        Raises:
            ScheduleEnd: the schedule has no such step.
        """

    @abstractmethod
    def stretched(self, steps: int) -> Schedule:
        """The same schedule for a run of another length (playbook C6).

        Steps that are added go where the value is high: warm-up and a linear decay keep
        their length, while cosine, polynomial and one-cycle stretch as a whole.
        """


class ScheduleEnd(ValueError):
    """A schedule was asked for a step that it does not have.

    >>> from danlu import training
    >>> try:
    ...     training.Cosine(0.1, steps=100)(100)
    ... except training.ScheduleEnd as error:
    ...     print(str(error).split(":")[0])
    step 100 of a schedule that has the steps 0 to 99
    """

    def __init__(self, schedule: Schedule, step: int) -> None:
        last = "on" if math.isinf(schedule.steps) else f"to {schedule.steps - 1}"
        super().__init__(
            f"step {step} of a schedule that has the steps 0 {last}: train for as many "
            "steps as it has, stretch it with `stretched`, or keep its last value with "
            "`Hold`"
        )


@dataclass(frozen=True, slots=True)
class Warmup(Schedule):
    """Rises on a line for `warmup` steps, then follows `then` from its first step on.

    The first update has `start + (peak - start) / (warmup + 1)`, so that with
    `start = 0` no update is lost, and no value stands twice where the two meet.

    >>> from danlu import training
    >>> lr = training.Warmup(4, training.Cosine(0.1, steps=96))
    >>> [round(lr(step), 3) for step in range(6)], lr.steps
    ([0.02, 0.04, 0.06, 0.08, 0.1, 0.1], 100)

    Raises:
        ValueError: `warmup` or `start` is below 0.
    """

    warmup: int
    then: Schedule
    start: float = 0.0

    def __post_init__(self) -> None:
        at_least_zero("Warmup", warmup=self.warmup, start=self.start)

    @property
    def steps(self) -> float:  # type: ignore[override]
        """Those of the warm-up and of what follows."""
        return self.warmup + self.then.steps

    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0."""
        warmup = self.warmup
        if step >= warmup:
            return self.then(step - warmup)
        if step < 0:
            raise ScheduleEnd(self, step)
        start = self.start
        return start + (self.then(0) - start) * (step + 1) / (warmup + 1)

    def stretched(self, steps: int) -> Warmup:
        """As long a warm-up, before what follows, stretched to the other steps."""
        if steps <= self.warmup:
            raise ValueError(
                f"stretched(steps={steps}) leaves nothing after a warm-up of "
                f"{self.warmup} steps: shorten the warm-up"
            )
        return Warmup(self.warmup, self.then.stretched(steps - self.warmup), self.start)


@dataclass(frozen=True, slots=True)
class Hold(Schedule):
    """Follows `schedule`, and keeps its last value at every step after its end.

    >>> from danlu import training
    >>> lr = training.Hold(training.Linear(1.0, steps=4))
    >>> [lr(step) for step in (0, 2, 3, 4, 400)]
    [1.0, 0.5, 0.25, 0.25, 0.25]
    """

    schedule: Schedule
    _last: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if math.isinf(self.schedule.steps):
            raise ValueError(
                f"Hold({self.schedule}) needs a schedule that ends: this one goes on "
                "without end by itself"
            )
        object.__setattr__(self, "_last", int(self.schedule.steps) - 1)

    @property
    def steps(self) -> float:  # type: ignore[override]
        """Without end."""
        return math.inf

    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0."""
        return self.schedule(min(step, self._last))

    def stretched(self, steps: int) -> Hold:
        """What is followed is stretched, and its last value held."""
        return Hold(self.schedule.stretched(steps))


def at_least_zero(owner: str, **values: float) -> None:
    """Refuses what is negative, infinite or not a number."""
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(
                f"{owner} needs a finite {name} of at least 0, got {name}={value}"
            )


def whole_steps(owner: str, steps: float) -> None:
    """Refuses a number of steps that is not whole, or below 1; infinite is fine."""
    if not (steps >= 1 and (math.isinf(steps) or steps == int(steps))):
        raise ValueError(
            f"{owner} needs a whole number of steps, at least 1, got steps={steps}"
        )
