"""What one run of the training program is: its params, its life, what it reported."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import ReportError, TrialError
from .jsontext import is_name, json_to_number, shown
from .space import Params

Note: TypeAlias = Mapping[str, Any]

MAX_STEP = 2**63 - 1  # what a database keeps as a whole number


class State(StrEnum):
    """Where a trial is in its life.

    `INFEASIBLE` says something about the params: the training diverged, ran out of
    memory or time. `FAILED` says something about the machine or the code.

    >>> import danlu
    >>> [state.value for state in danlu.State if state.ended]
    ['completed', 'stopped', 'infeasible', 'failed']
    """

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    STOPPED = "stopped"
    INFEASIBLE = "infeasible"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more is expected of a trial in this state."""
        return self not in (State.RUNNING, State.PAUSED)


# Which state may follow which. An ended trial is put back in the queue, as paused and
# waiting, only when a person asks for it.
TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.RUNNING: frozenset(State) - {State.RUNNING},
    State.PAUSED: frozenset(State) - {State.PAUSED},
    State.COMPLETED: frozenset({State.PAUSED}),
    State.STOPPED: frozenset({State.PAUSED}),
    State.INFEASIBLE: frozenset({State.PAUSED}),
    State.FAILED: frozenset({State.PAUSED}),
}


class Kind(StrEnum):
    """Why a trial is run; baseline and confirm trials are never stopped early.

    >>> import danlu
    >>> danlu.Kind.CONFIRM.judged
    False
    """

    SEARCH = "search"
    BASELINE = "baseline"
    CONFIRM = "confirm"

    @property
    def judged(self) -> bool:
        """Whether a scheduler may end such a trial before its budget."""
        return self is Kind.SEARCH


@dataclass(frozen=True)
class Report:
    """What a training program says at one step: any number of metrics.

    >>> import danlu
    >>> danlu.Report(3, {"val_error": 0.31}).metrics["val_error"]
    0.31

    Raises:
        ReportError: the step is not a whole number from 0, or a metric not a number.
    """

    step: int
    metrics: Mapping[str, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", _checked_step(self.step))
        object.__setattr__(self, "metrics", _checked_metrics(self.metrics))


@dataclass(frozen=True, eq=False)
class Curve:
    """One metric of one trial over its steps; steps rise, none stands twice.

    `steps` (n,) are whole numbers, `values` (n,) may hold nan and inf.

    >>> import danlu
    >>> curve = danlu.Curve.of({1: 0.5, 2: 0.3, 3: 0.4})
    >>> curve.last, len(curve)
    (0.4, 3)
    """

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    @staticmethod
    def of(points: Mapping[int, float]) -> Curve:
        """The curve through `points`, a mapping of step to value."""
        steps = sorted(points)
        values = [points[step] for step in steps]
        return Curve(np.array(steps, np.int64), np.array(values, np.float64))

    @property
    def last(self) -> float:
        """The value at the last step."""
        return float(self.values[-1])

    def best_until(self, step: int, maximize: bool) -> float:
        """The best finite value up to and including `step`, nan without one."""
        count = int(self.steps.searchsorted(step, side="right"))
        bests = self._highest if maximize else self._lowest
        return float(bests[count - 1]) if count else math.nan

    def bests_until(
        self, steps: NDArray[np.int64], maximize: bool
    ) -> NDArray[np.float64]:
        """`best_until` of each of `steps` (n,), which rise."""
        counts = self.steps.searchsorted(steps, side="right")
        bests = self._highest if maximize else self._lowest
        if not counts[-1]:
            return np.full(len(steps), math.nan)
        found = bests[counts - 1]
        if not counts[0]:
            found[counts == 0] = math.nan
        return found

    @cached_property
    def _lowest(self) -> NDArray[np.float64]:
        return np.fmin.accumulate(self._finite)  # skips nan

    @cached_property
    def _highest(self) -> NDArray[np.float64]:
        return np.fmax.accumulate(self._finite)

    @property
    def _finite(self) -> NDArray[np.float64]:
        return np.where(np.isfinite(self.values), self.values, np.nan)

    def until(self, step: int) -> Curve:
        """The part of the curve up to and including `step`."""
        count = int(np.searchsorted(self.steps, step, side="right"))
        return Curve(self.steps[:count], self.values[:count])

    def __len__(self) -> int:
        return len(self.steps)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Curve):
            return NotImplemented
        return np.array_equal(self.steps, other.steps) and np.array_equal(
            self.values, other.values, equal_nan=True
        )

    __hash__ = None  # type: ignore[assignment]  # arrays have no hash


@dataclass(frozen=True)
class Trial:
    """One set of params being trained, and what it reported.

    `index` counts the search trials before this one, None for the other kinds.
    `budget` is the step up to which it may run now, None for as long as it likes.
    `first_step` is the step of the checkpoint that it began from, taken from the trial
    `parent` when there is one. `attempt` counts its starts, `failures` those that
    failed. `waiting` (a paused one): to be started by whoever has a free slot, not by
    the scheduler. `reason` says why it ended, or why it waits. Times are seconds since
    1970; in `idle_s` seconds between the two it waited, and nobody trained it.

    >>> import danlu
    >>> trial = danlu.Trial(0, {"lr": 0.1}, curves={"loss": danlu.Curve.of({5: 0.7})})
    >>> trial.step, trial.state.value
    (5, 'running')
    """

    number: int
    params: Params
    state: State = State.RUNNING
    kind: Kind = Kind.SEARCH
    index: int | None = None
    budget: int | None = None
    parent: int | None = None
    first_step: int = 0
    seed: int = 0
    attempt: int = 1
    failures: int = 0
    waiting: bool = False
    sampler_note: Note = field(default_factory=dict)
    scheduler_note: Note = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    reason: str = ""
    started_s: float | None = None
    ended_s: float | None = None
    idle_s: float = 0.0
    host: str = ""

    @cached_property
    def step(self) -> int:
        """The last step reported, or the one it began from."""
        steps = (int(curve.steps[-1]) for curve in self.curves.values() if len(curve))
        return max(steps, default=self.first_step)

    @property
    def seconds(self) -> float | None:
        """Wall time that it was trained for, None while it runs."""
        if self.started_s is None or self.ended_s is None:
            return None
        return max(0.0, self.ended_s - self.started_s - self.idle_s)

    def idle_until(self, now_s: float) -> float:
        """The seconds in which nobody trained it, if it goes on or ends at `now_s`."""
        if self.started_s is None or self.ended_s is None:
            return self.idle_s
        return self.idle_s + max(0.0, now_s - self.ended_s)

    def with_curves(self, curves: Mapping[str, Curve]) -> Trial:
        """This trial with other curves: `dataclasses.replace`, ten times as fast."""
        grown = object.__new__(Trial)
        grown.__dict__.update(self.__dict__)
        grown.__dict__["curves"] = curves
        grown.__dict__.pop("step", None)  # it was worked out from the other curves
        return grown

    @property
    def reports(self) -> tuple[Report, ...]:
        """Everything reported, by step."""
        by_step: dict[int, dict[str, float]] = {}
        for name, curve in self.curves.items():
            pairs = zip(curve.steps.tolist(), curve.values.tolist(), strict=True)
            for step, value in pairs:
                by_step.setdefault(step, {})[name] = value
        return tuple(Report(step, by_step[step]) for step in sorted(by_step))


def check_transition(before: Trial, after: Trial) -> None:
    """Raises unless a trial may go from one state to the other.

    Raises:
        TrialError: it may not.
    """
    if after.state not in TRANSITIONS[before.state]:
        raise TrialError(
            f"trial {before.number} is {before.state.value} and cannot become "
            f"{after.state.value}"
        )


def add_reports(
    curves: Mapping[str, Curve], reports: Iterable[Report]
) -> dict[str, Curve]:
    """`curves` with `reports` added; of two values at one step the later one stays.

    >>> curves = add_reports({}, [Report(1, {"loss": 0.9}), Report(1, {"loss": 0.8})])
    >>> curves["loss"].values.tolist()
    [0.8]
    """
    points: dict[str, dict[int, float]] = {}
    for report in reports:
        for name, value in report.metrics.items():
            points.setdefault(name, {})[report.step] = value
    grown = dict(curves)
    for name, own in points.items():
        grown[name] = merge(grown.get(name), Curve.of(own))
    return grown


def merge(earlier: Curve | None, later: Curve) -> Curve:
    """Both curves as one; where both have a step, the later one's value stays."""
    if earlier is None or not len(earlier):
        return later
    if not len(later) or later.steps[0] > earlier.steps[-1]:
        steps = np.concatenate((earlier.steps, later.steps))
        return Curve(steps, np.concatenate((earlier.values, later.values)))
    if _is_part(later, earlier):
        return earlier
    if np.array_equal(earlier.steps, later.steps) or _is_part(earlier, later):
        return later
    kept = ~np.isin(earlier.steps, later.steps)
    steps = np.concatenate((earlier.steps[kept], later.steps))
    values = np.concatenate((earlier.values[kept], later.values))
    order = np.argsort(steps)
    return Curve(steps[order], values[order])


def _is_part(part: Curve, whole: Curve) -> bool:
    """Whether the points of `part` stand in `whole`, one after another."""
    first = int(whole.steps.searchsorted(part.steps[0]))
    places = slice(first, first + len(part))
    return Curve(whole.steps[places], whole.values[places]) == part


# `client.py` has this check too: it imports nothing of danlu, and has its own error.
def _checked_step(step: object) -> int:
    try:
        whole = operator.index(step)  # type: ignore[arg-type]
    except TypeError:
        if not (isinstance(step, float) and step.is_integer()):
            raise ReportError(
                f"a step is a whole number (an epoch, an iteration), got {shown(step)}"
            ) from None
        whole = int(step)
    if isinstance(step, bool) or not 0 <= whole <= MAX_STEP:
        raise ReportError(
            f"a step is a whole number from 0 to 2**63 - 1, got {shown(step)}"
        )
    return whole


def _checked_metrics(metrics: Mapping[str, object]) -> dict[str, float]:
    if not isinstance(metrics, Mapping):
        raise ReportError(f"metrics are a mapping of name to number, got {metrics!r}")
    if not metrics:
        raise ReportError("a report needs at least one metric, got none")
    checked = {}
    for name, value in metrics.items():
        if not isinstance(name, str) or not name or not is_name(name):
            raise ReportError(f"a metric's name is text, got {shown(name)}")
        checked[name] = _checked_value(name, value)
    return checked


def _checked_value(name: str, value: object) -> float:
    number = json_to_number(value)
    if number is None and not isinstance(value, str | bool | list | tuple):
        number = _from_scalar(value)
    if number is None:
        raise ReportError(f"metric {name!r} must be a number, got {shown(value)}")
    return number


def _from_scalar(value: object) -> float | None:
    """The number in a numpy scalar or a tensor of one element, else None."""
    item = getattr(value, "item", None)
    if item is None:
        return None
    try:
        return json_to_number(item())
    except (TypeError, ValueError, RuntimeError):  # more than one element
        return None
