"""What a tuning may spend, counted in full trainings or in hours."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

from .errors import StudyError
from .history import History
from .measured import Preflight
from .trial import Trial


class Unit(Protocol):
    """What a budget is counted in."""

    @property
    def name(self) -> str:
        """The unit in words."""

    def spent(self, history: History) -> float:
        """What the trials of a study took."""

    def before(self, preflight: Preflight) -> float:
        """What a pre-flight took."""


@dataclass(frozen=True)
class Trainings:
    """Counts full trainings: a trial that was stopped halfway counts one half.

    >>> import danlu
    >>> curve = danlu.Curve.of({5: 0.1})
    >>> half = danlu.Trial(0, {"x": 0.5}, started_s=0.0, curves={"loss": curve})
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> history = danlu.History(space, danlu.Metric("loss"), [half], max_steps=10)
    >>> Trainings().spent(history)
    0.5
    """

    name: str = "full trainings"

    def spent(self, history: History) -> float:
        """The steps that were trained, in full trainings."""
        return sum(_share(trial, history.max_steps) for trial in trained(history))

    def before(self, preflight: Preflight) -> float:
        """The updates of the pre-flight, in full trainings.

        Raises:
            StudyError: nobody said how many updates a full training makes.
        """
        if preflight.trainings is None:
            raise StudyError(
                f"what the pre-flight took ({preflight.updates} updates) cannot be "
                "counted in full trainings: say Probe(..., updates=N), the updates of "
                "one, or give a budget in hours"
            )
        return preflight.trainings


@dataclass(frozen=True)
class Hours:
    """Counts hours of training; `slots` trials that run side by side share an hour."""

    slots: int = 1
    name: str = "hours"

    def spent(self, history: History) -> float:
        """The time that was trained, in hours."""
        seconds = sum(trial.seconds or 0.0 for trial in trained(history))
        return seconds / 3600 / self.slots

    def before(self, preflight: Preflight) -> float:
        """The time of the pre-flight, in hours; nothing ran beside it."""
        return preflight.seconds / 3600


@dataclass(frozen=True)
class Budget:
    """How much may be spent, all rounds and the confirmation together.

    >>> import danlu
    >>> from danlu.budget import Hours
    >>> danlu.Budget(50).unit.name, danlu.Budget(8, Hours(slots=4)).unit.name
    ('full trainings', 'hours')

    Raises:
        StudyError: the amount is no number above 0.
    """

    amount: float
    unit: Unit = field(default_factory=Trainings)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.amount) and self.amount > 0):
            raise StudyError(
                f"a budget is a number above 0, got {self.amount!r} {self.unit.name}"
            )


def trained(history: History) -> list[Trial]:
    """The trials that were trained in this study, not carried over from another.

    >>> import danlu
    >>> trials = danlu.Trial(0, {"x": 0.1}, started_s=0.0), danlu.Trial(1, {"x": 0.2})
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> history = danlu.History(space, danlu.Metric("loss"), trials)
    >>> [trial.number for trial in trained(history)]
    [0]
    """
    return [trial for trial in history.trials if trial.started_s is not None]


def _share(trial: Trial, full: int | None) -> float:
    """Which part of a full training a trial took; all of it where nobody knows."""
    if full is None:
        return 1.0
    return max(0, trial.step - trial.first_step) / full
