"""What every face shows of a study: one frozen record with all numbers computed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..decide.decision import Decision, Runs
from ..domain import Choice, Domain
from ..errors import SpaceError
from ..history import History
from ..metric import Metric
from ..space import Array, Dimension, Params, SearchSpace
from ..storage.base import Note
from ..study import Study
from ..trial import Kind, State, Trial
from ..value import Value, same
from .agreement import Agreement, agreements
from .base import Finding, Level, by_level
from .checks import analyze
from .design import design
from .groups import Group, groups
from .held import holding
from .importance import Importances, importances_in
from .isolation import Isolation, isolations
from .schedule import Stretch, schedule_of
from .value_range import Range, value_range

TOP_ROWS = 10  # rows of the table of the best
LEADING = 5  # trials whose curves are worth a color of their own
TOP_SHARE = 0.1  # "the best 10 %", playbook A1
NO_VALUE = (State.INFEASIBLE, State.FAILED)


@dataclass(frozen=True)
class Row:
    """One trial as a row of a table.

    `value` is the metric as the user knows it, at `best_step`; None for a trial without
    one, and for infeasible and failed trials. `rank` counts from 1 among the search
    trials that ended with a value; `top` marks the best 10 % of them.
    """

    number: int
    kind: Kind
    state: State
    params: Params
    value: float | None
    best_step: int | None
    step: int
    seconds: float | None
    reason: str
    rank: int | None = None
    top: bool = False


@dataclass(frozen=True)
class Axis:
    """One hyperparameter of the space: its role, and what was tried of it.

    `places` (one for each search row) are in [0, 1] on the declared range, None where
    the hyperparameter is inactive. `tried` are the lowest and highest number tried,
    `options` how often each option was. `best` is its value in the best trial.
    """

    path: str
    name: str
    domain: Domain
    role: str
    places: tuple[float | None, ...]
    tried: tuple[float, float] | None
    options: tuple[tuple[Value, int], ...]
    best: Value
    active_in_best: bool


@dataclass(frozen=True)
class Arm:
    """The search trials of one combination of scientific values, and their best.

    `valued` of the `trials` ended with a value, from which `best` and `median` are.
    """

    held: Params
    trials: int
    valued: int
    infeasible: int
    best: Row | None
    median: float | None


@dataclass(frozen=True)
class Spread:
    """The values of one set of params under several seeds; `sd` None for one value."""

    values: tuple[float, ...]
    mean: float
    sd: float | None


@dataclass(frozen=True)
class BestSoFar:
    """A trial's own value, and the best one until it ended."""

    number: int
    value: float
    best: float


@dataclass(frozen=True)
class Summary:
    """A study in numbers; every face shows these and computes none of its own.

    `rows` are the search trials by number, `others` the baseline and confirm trials.
    `leading` are the few best search trials with their curves, `rest` the others. `why`
    is the sampler's reason for its last choice, empty where it gives none. `schedule`
    is that of the best trial, empty where its params were the same from step 0 on.
    `agreements` say whether short runs tell who is best. `findings` are of the study's
    design and of its results, what matters most first. `isolations` are the bests of
    what is compared, `importances` what the metric depends on, None with too few
    trials. `decision` is the last one about the study, None before there is one.
    """

    study: Study
    rows: tuple[Row, ...]
    others: tuple[Row, ...]
    axes: tuple[Axis, ...]
    arms: tuple[Arm, ...]
    groups: tuple[Group, ...]
    baseline: Spread | None
    range: Range | None
    progress: tuple[BestSoFar, ...]
    leading: tuple[Trial, ...]
    rest: tuple[Trial, ...]
    started_s: float | None
    ended_s: float | None
    notes: tuple[Note, ...] = ()
    why: str = ""
    schedule: tuple[Stretch, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    findings: tuple[Finding, ...] = ()
    isolations: tuple[Isolation, ...] = ()
    importances: Importances | None = None
    decision: Decision | None = None

    @property
    def metric(self) -> Metric:
        """What the study makes small or large."""
        return self.study.objective

    @cached_property
    def top(self) -> tuple[Row, ...]:
        """The best search trials, at most ten, the best one first."""
        return _by_rank(self.rows)[:TOP_ROWS]

    @property
    def best(self) -> Row | None:
        """The best search trial, None before one has ended with a value."""
        return self.top[0] if self.top else None

    @property
    def gain(self) -> float | None:
        """By how much the best value is better than the baseline's mean."""
        if self.best is None or self.best.value is None or self.baseline is None:
            return None
        difference = self.best.value - self.baseline.mean
        return difference if self.metric.maximize else -difference

    @property
    def confirmed(self) -> Runs | None:
        """The best trial's params on fresh seeds, None before a decision looked at it.

        The mean over them is what is to be expected; `best.value` was lucky.
        """
        if self.best is None or self.decision is None:
            return None
        looked = (own for own in self.decision.candidates if own.mean is not None)
        return next((own for own in looked if self.best.number in own.trials), None)

    def found(self, *levels: Level) -> tuple[Finding, ...]:
        """The findings of these levels."""
        return tuple(own for own in self.findings if own.level in levels)

    @cached_property
    def states(self) -> Mapping[State, int]:
        """How many search trials are in each state."""
        return Counter(row.state for row in self.rows)

    @cached_property
    def kinds(self) -> Mapping[Kind, int]:
        """How many trials there are of each kind."""
        return Counter(row.kind for row in (*self.rows, *self.others))

    @property
    def valued(self) -> int:
        """How many search trials ended with a value: the best is the best of these."""
        return len(self.progress)

    @property
    def ended(self) -> int:
        """How many search trials have ended, in whatever way."""
        return sum(row.state.ended for row in self.rows)

    @property
    def training_s(self) -> float:
        """The time that all ended trials took together."""
        return sum(row.seconds or 0.0 for row in (*self.rows, *self.others))


def summarize(study: Study, history: History, notes: Sequence[Note] = ()) -> Summary:
    """The summary of a study and what is known of it so far.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=1,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> summarize(study, history).best is None
    True
    """
    search = [trial for trial in history.trials if trial.kind is Kind.SEARCH]
    ranked = replace(history, trials=search).ranked()
    ranks = {trial.number: rank for rank, trial in enumerate(ranked, start=1)}
    metric = study.objective
    rows = tuple(_row(trial, metric, ranks) for trial in search)
    apart = [trial for trial in history.trials if trial.kind is not Kind.SEARCH]
    others = tuple(_row(trial, metric, {}) for trial in apart)
    places = _places(study.search_space, rows)
    valued = ((row.state, row.value) for row in rows if row.value is not None)
    found = by_level((*design(study), *analyze(study, history)))
    leading = {trial.number for trial in ranked[:LEADING]}
    started, ended = _times(history.trials)
    return Summary(
        study=study,
        rows=rows,
        others=others,
        axes=_axes(study, rows, places),
        arms=_arms(study, rows, places),
        groups=groups(history.trials),
        baseline=_baseline(others),
        range=value_range(metric, valued),
        progress=_progress(metric, ranked),
        leading=tuple(ranked[:LEADING]),
        rest=tuple(trial for trial in search if trial.number not in leading),
        started_s=started,
        ended_s=ended,
        notes=tuple(notes),
        why=_why(search),
        schedule=_schedule(history, ranked),
        agreements=agreements(history),
        findings=found,
        isolations=isolations(study, history),
        importances=importances_in(found),
    )


def _schedule(history: History, ranked: Sequence[Trial]) -> tuple[Stretch, ...]:
    found = schedule_of(history, ranked[0].number) if ranked else ()
    return found if len(found) > 1 else ()


def _why(search: Sequence[Trial]) -> str:
    reasons = (trial.sampler_note.get("why") for trial in reversed(search))
    return str(next((reason for reason in reasons if reason), ""))


def _row(trial: Trial, metric: Metric, ranks: Mapping[int, int]) -> Row:
    curve = trial.curves.get(metric.name)
    loss = None if trial.state in NO_VALUE else metric.loss(curve)
    rank = ranks.get(trial.number)
    return Row(
        number=trial.number,
        kind=trial.kind,
        state=trial.state,
        params=trial.params,
        value=None if loss is None else metric.value(loss),
        best_step=None if loss is None else metric.step(curve),
        step=trial.step,
        seconds=trial.seconds,
        reason=trial.reason,
        rank=rank,
        top=rank is not None and rank <= math.ceil(TOP_SHARE * len(ranks)),
    )


def _by_rank(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows that have a rank, the best first."""
    ranked = [(row.rank, row) for row in rows if row.rank is not None]
    return tuple(row for _, row in sorted(ranked, key=lambda pair: pair[0]))


def _places(space: SearchSpace, rows: Sequence[Row]) -> Array:
    """Points (n, d) of the rows; all nan for params that are not in the space."""
    places = np.full((len(rows), len(space)), np.nan)
    for place, row in zip(places, rows, strict=True):
        with suppress(SpaceError):
            place[:] = space.encode(row.params)
    return places


def _axes(study: Study, rows: Sequence[Row], places: Array) -> tuple[Axis, ...]:
    return tuple(
        _axis(dimension, study.role(dimension.path), rows, places[:, column])
        for column, dimension in enumerate(study.search_space.dimensions)
    )


def _axis(dimension: Dimension, role: str, rows: Sequence[Row], places: Array) -> Axis:
    known = [None if math.isnan(place) else place for place in places.tolist()]
    active = [row for row, u in zip(rows, known, strict=True) if u is not None]
    values = [row.params[dimension.name] for row in active]
    numbers = [value for value in values if not isinstance(dimension.domain, Choice)]
    best = [row.params[dimension.name] for row in active if row.rank == 1]
    return Axis(
        path=dimension.path,
        name=dimension.name,
        domain=dimension.domain,
        role=role,
        places=tuple(known),
        tried=(min(numbers), max(numbers)) if numbers else None,  # type: ignore[type-var, arg-type]
        options=_options(dimension.domain, values),
        best=best[0] if best else None,
        active_in_best=bool(best),
    )


def _options(domain: Domain, values: Sequence[Value]) -> tuple[tuple[Value, int], ...]:
    if not isinstance(domain, Choice):
        return ()
    return tuple(
        (option, sum(same(value, option) for value in values))
        for option in domain.options
    )


def _arms(study: Study, rows: Sequence[Row], places: Array) -> tuple[Arm, ...]:
    """One record for each arm; none when the study compares nothing."""
    compared = () if study.arms == ({},) else study.arms
    return tuple(_arm(study, held, rows, places) for held in compared)


def _arm(study: Study, held: Params, rows: Sequence[Row], places: Array) -> Arm:
    inside = holding(study.search_space.dimensions, places, held)
    own = [row for row, mine in zip(rows, inside.tolist(), strict=True) if mine]
    valued = _by_rank(own)
    values = [row.value for row in valued if row.value is not None]
    return Arm(
        held=held,
        trials=len(own),
        valued=len(valued),
        infeasible=sum(row.state is State.INFEASIBLE for row in own),
        best=valued[0] if valued else None,
        median=float(np.median(values)) if values else None,
    )


def _baseline(others: Sequence[Row]) -> Spread | None:
    ended = (row for row in others if row.kind is Kind.BASELINE and row.state.ended)
    values = tuple(row.value for row in ended if row.value is not None)
    if not values:
        return None
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(values, float(np.mean(values)), sd)


def _progress(metric: Metric, ranked: Sequence[Trial]) -> tuple[BestSoFar, ...]:
    found, best = [], math.inf
    for trial in sorted(ranked, key=lambda t: (t.ended_s or math.inf, t.number)):
        loss = metric.loss(trial.curves.get(metric.name))
        if loss is not None:
            best = min(best, loss)
            found.append(
                BestSoFar(trial.number, metric.value(loss), metric.value(best))
            )
    return tuple(found)


def _times(trials: Sequence[Trial]) -> tuple[float | None, float | None]:
    """When the first trial began; when the last one ended, None while one has not."""
    started = [trial.started_s for trial in trials if trial.started_s is not None]
    ended = [trial.ended_s for trial in trials if trial.ended_s is not None]
    unfinished = any(not trial.state.ended for trial in trials)
    return min(started, default=None), None if unfinished else max(ended, default=None)
