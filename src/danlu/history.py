"""What a study knows so far: its trials, read-only, and as arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from .constraint import Constraint
from .errors import SpaceError
from .ledger import Ledger
from .metric import Metric
from .space import Array, SearchSpace
from .transfer import moved
from .trial import Kind, State, Trial

# Steps in one column of losses: a ledger keeps 64 columns, so up to 1,024 different
# steps are looked at without working one out again.
_BLOCK = 16


def slacks_of(
    trial: Trial, metric: Metric, constraints: Sequence[Constraint]
) -> list[float | None]:
    """By how much a trial is beyond each constraint, None where it never said.

    What counts is the value at the step at which the loss was taken, since that is the
    checkpoint that one would keep; the last one where there is none at that step.
    """
    step = metric.step(trial.curves.get(metric.name))
    values = [constraint.value(trial.curves, step) for constraint in constraints]
    return [
        None if value is None else constraint.slack(value)
        for constraint, value in zip(constraints, values, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class History:
    """One study so far (or one arm of it), read-only; a smaller loss is better.

    `trials` are in order of number. `seed` is the study's (or the arm's) own,
    `position` the number of trials that its sampler was asked for before. `max_steps`
    is the length of a full training, `planned` the number of search trials that there
    will be in all, None when unknown. `constraints` are the limits that trials must
    keep to, `earlier` the studies that this one learns from. With a `level`, samplers
    see the losses that trials had at that step (see `level.leveled`). `rungs` are the
    steps at which trials are compared, lowest first, and `budget` is the one that the
    trial which a sampler is asked for runs to first.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> done = danlu.Trial(0, {"x": 0.25}, danlu.State.COMPLETED,
    ...                    curves={"loss": danlu.Curve.of({1: 3.0})})
    >>> history = danlu.History(space, danlu.Metric("loss"), [done])
    >>> X, y = history.observed()
    >>> X.tolist(), y.tolist()
    ([[0.25]], [3.0])
    """

    space: SearchSpace
    metric: Metric
    trials: Sequence[Trial] = field(default=())
    seed: int = 0
    position: int = 0
    max_steps: int | None = None
    constraints: tuple[Constraint, ...] = ()
    earlier: tuple[History, ...] = ()
    planned: int | None = None
    level: int | None = None
    rungs: tuple[int, ...] = ()
    budget: int | None = None

    def loss(self, trial: Trial, at: int | None = None) -> float | None:
        """The trial's loss, or its loss up to step `at`; None where it has none."""
        return _loss(self.metric, at, trial)

    def observed(self, at: int | None = None) -> tuple[Array, Array]:
        """Points (n, d) and losses (n,) of the ended trials inside the space.

        An infeasible trial is there with the loss nan. With `at`, every trial that has
        reached that step counts, with its loss up to it. Without, the history's level
        counts, where it has one: then infeasible trials are there wherever they ended.
        Trials that confirm others are left out here and wherever trials are ranked:
        many seeds of the best few points say nothing new about where to look, and the
        luckiest of the seeds is not the best trial.
        """
        counts = self._counts(at)
        return self._places[counts, 1:], self._outcomes(at)[counts, 1]

    def searched(self) -> tuple[Sequence[Trial], Array, Array]:
        """The ended search trials in the space, their points (n, d) and losses (n,).

        What `observed()` returns without the baseline's trials and those that confirm.
        """
        kinds = (trial.kind.judged for trial in self.trials)
        counts = self._counts(None) & np.fromiter(kinds, bool, len(self.trials))
        own = tuple(self.trials[place] for place in np.nonzero(counts)[0].tolist())
        return own, self._places[counts, 1:], self._outcomes(None)[counts, 1]

    def pending(self) -> Array:
        """Points (n, d) of the trials that have begun and not ended.

        With a level, of all that are not observed there: those that run, wait or were
        stopped below it.
        """
        key = ("begun", self.metric, self.level)
        of = partial(_begun, self.metric, self.level)
        begun = self._ledger.column(key, of, width=1)[:, 0] == 1
        return self._places[begun & self._inside, 1:]

    def failed(self) -> Array:
        """Points (n, d) of the trials that failed: nobody is to try them again."""
        key = ("failed",)
        failed = self._ledger.column(key, _has_failed, width=1)[:, 0] == 1
        return self._places[failed & self._inside, 1:]

    def slacks(self) -> Array:
        """By how much the trials of `observed()` are beyond each constraint (n, c).

        0 or less where the trial keeps to it; nan where it never reported the metric.
        """
        of = partial(_slack_row, self.metric, self.constraints)
        key = ("slacks", self.metric, self.constraints)
        rows = self._ledger.column(key, of, width=len(self.constraints))
        return rows[self._counts(None)]

    def transferred(self) -> list[tuple[Array, Array]]:
        """For each earlier study, points (n, d) in this space's cube and losses (n,).

        A point is nan where a dimension is inactive, or unknown to the earlier study; a
        loss is nan where the trial was infeasible (see `transfer.moved`).
        """
        return [self._moved(own) for own in self.earlier]

    def ranked(self, at: int | None = None) -> Sequence[Trial]:
        """Trials by loss, best first: the ended ones, or all that reached step `at`.

        Trials without a loss, and those that failed or are infeasible, are left out.
        Of equals the earlier one comes first.
        """
        key = ("rank", self.metric, at)
        return self._ledger.ranking(key, partial(_useful_loss, self.metric, at))

    def ended(self) -> Sequence[Trial]:
        """The trials that have ended, in the order in which they did."""
        return self._ledger.ranking("ended", _end)

    def standing(self, at: int) -> Sequence[Trial]:
        """The search trials that are through step `at`, best first, for schedulers.

        Of two equals the earlier one is first. Those without a loss come last. A trial
        that was to run to `at` and no further is through when it has stopped there, or
        short of it. Those that failed are left out.
        """
        key = ("standing", self.metric, at)
        return self._ledger.ranking(key, partial(_standing, self.metric, at))

    def groups(
        self, of: Callable[[Trial], Hashable]
    ) -> Mapping[Hashable, Mapping[int, Trial]]:
        """The trials by number in groups by `of(trial)`, a function of a module.

        They are to be read only, and in no order. Trials for which it is None are in
        none; a group may be empty.
        """
        return self._ledger.groups(of)

    def losses(self, at: int) -> Array:
        """The loss up to step `at` of each of `trials` (n,), to be read only.

        It is nan where the trial has not come that far, or has no loss by then, and
        for trials that failed or confirm others.
        """
        block, place = divmod(at, _BLOCK)
        key, of = (
            ("losses", self.metric, block),
            partial(_losses, self.metric, block * _BLOCK),
        )
        return self._ledger.column(key, of, width=_BLOCK)[:, place]

    @property
    def best(self) -> Trial | None:
        """The ended trial with the smallest loss, None before there is one."""
        ranked = self.ranked()
        return ranked[0] if ranked else None

    @cached_property
    def _ledger(self) -> Ledger:
        """The trials with what is worked out from them; a process keeps its own."""
        return self.trials if isinstance(self.trials, Ledger) else Ledger(self.trials)

    @property
    def _places(self) -> Array:
        """For each trial 1 and its point (n, 1 + d), 0 if it is outside the space."""
        key = ("places", id(self.space))  # the column keeps the space, and so its id
        of, width = partial(_place, self.space), 1 + len(self.space)
        return self._ledger.column(key, of, width=width, reads=attrgetter("params"))

    @property
    def _inside(self) -> NDArray[np.bool_]:
        """Which trials have params in the space (n,)."""
        inside: NDArray[np.bool_] = self._places[:, 0] == 1
        return inside

    def _outcomes(self, at: int | None) -> Array:
        """For each trial whether it counts for `observed(at)`, and its loss (n, 2)."""
        if at is None and self.level is not None:
            of = partial(_at_level, self.metric, self.level)
            return self._ledger.column(("level", self.metric, self.level), of, width=2)
        of = partial(_outcome, self.metric, at)
        return self._ledger.column(("outcome", self.metric, at), of, width=2)

    def _counts(self, at: int | None) -> NDArray[np.bool_]:
        """Which trials are those of `observed(at)` (n,)."""
        counts: NDArray[np.bool_] = (self._outcomes(at)[:, 0] == 1) & self._inside
        return counts

    def _moved(self, earlier: History) -> tuple[Array, Array]:
        """Points (n, d) in this space and losses (n,) of an earlier study."""
        key = ("moved", id(self.space), id(earlier.space))
        of, width = partial(_moved, self.space, earlier.space), 1 + len(self.space)
        ledger = earlier._ledger
        places = ledger.column(key, of, width=width, reads=attrgetter("params"))
        counts = earlier._counts(None) & (places[:, 0] == 1)
        return places[counts, 1:], earlier._outcomes(None)[counts, 1]


# What the columns of a ledger hold of one trial.


def _loss(metric: Metric, at: int | None, trial: Trial) -> float | None:
    """A trial's loss, or its loss up to step `at`; None where it has none."""
    curve = trial.curves.get(metric.name)
    if curve is None or at is None:
        return metric.loss(curve)
    if metric.at == "last":
        return metric.loss(curve.until(at))
    best = curve.best_until(at, metric.maximize)
    if math.isnan(best):
        return None
    return -best if metric.maximize else best


def _outcome(metric: Metric, at: int | None, trial: Trial) -> tuple[float, float]:
    """1 and the loss of a trial that says something about its params, else 0, nan."""
    known = trial.state.ended if at is None else trial.step >= at
    if not known or trial.state is State.FAILED or trial.kind is Kind.CONFIRM:
        return 0.0, math.nan
    if trial.state is State.INFEASIBLE:
        return 1.0, math.nan
    loss = _loss(metric, at, trial)
    return (0.0, math.nan) if loss is None else (1.0, loss)


def _useful_loss(metric: Metric, at: int | None, trial: Trial) -> float | None:
    """The loss that a trial is ranked by, None where it has no rank."""
    _, loss = _outcome(metric, at, trial)
    return None if math.isnan(loss) else loss


def _end(trial: Trial) -> float | None:
    """When a trial ended, 0 where nobody noted it, None while it is open."""
    return (trial.ended_s or 0.0) if trial.state.ended else None


def _standing(metric: Metric, at: int, trial: Trial) -> float | None:
    """The loss that a trial has at a rung, inf without one, None if not through it."""
    if trial.state is State.FAILED or not trial.kind.judged:
        return None
    rests = trial.state is State.PAUSED and not trial.waiting
    ended = trial.state in (State.COMPLETED, State.INFEASIBLE)
    if trial.step < at and not (trial.budget == at and (rests or ended)):
        return None
    died = trial.state is State.INFEASIBLE and trial.budget == at
    loss = None if died else _loss(metric, at, trial)
    return math.inf if loss is None else loss


def _losses(metric: Metric, first: int, trial: Trial) -> Array:
    """The loss up to each of the _BLOCK steps from `first` on, nan without one."""
    known = np.full(_BLOCK, math.nan)
    if trial.state is State.FAILED or trial.kind is Kind.CONFIRM:
        return known
    curve, count = trial.curves.get(metric.name), min(trial.step - first + 1, _BLOCK)
    if curve is None or not len(curve) or count <= 0:
        return known
    steps = np.arange(first, first + count)
    if metric.at == "last":
        losses = [_loss(metric, step, trial) for step in steps.tolist()]
        known[:count] = [math.nan if loss is None else loss for loss in losses]
    else:
        bests = curve.bests_until(steps, metric.maximize)
        known[:count] = -bests if metric.maximize else bests
    return known


def _at_level(metric: Metric, level: int, trial: Trial) -> tuple[float, float]:
    """As `_outcome` at a rung, where also those count that ended by themselves below.

    A trial that is infeasible is so at every rung.
    """
    ended = trial.state in (State.COMPLETED, State.INFEASIBLE)
    return _outcome(metric, None if ended and trial.step < level else level, trial)


def _begun(metric: Metric, level: int | None, trial: Trial) -> tuple[float]:
    """1 for a trial whose loss is still to come, and counts then."""
    if trial.kind is Kind.CONFIRM:
        return (0.0,)
    if level is None:
        return (float(not trial.state.ended),)
    counts, _ = _at_level(metric, level, trial)
    return (float(not counts and trial.state is not State.FAILED),)


def _has_failed(trial: Trial) -> tuple[float]:
    return (float(trial.state is State.FAILED),)


def _place(space: SearchSpace, trial: Trial) -> Array:
    """1 and the point of a trial (1 + d,), 0 where it is outside the space."""
    try:
        return np.concatenate(([1.0], space.encode(trial.params)))
    except SpaceError:
        return np.zeros(1 + len(space))


def _moved(space: SearchSpace, earlier: SearchSpace, trial: Trial) -> Array:
    """1 and the point that a trial of another space stands for, 0 where it has none."""
    try:
        point = moved(space, earlier.by_path(trial.params), earlier.fixed)
    except SpaceError:
        point = None  # it was added by hand, outside of its own space
    return np.zeros(1 + len(space)) if point is None else np.append(1.0, point)


def _slack_row(
    metric: Metric, constraints: Sequence[Constraint], trial: Trial
) -> list[float]:
    own = slacks_of(trial, metric, constraints)
    return [math.nan if slack is None else slack for slack in own]
