"""What every face shows of a study: one frozen record with all numbers computed."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..domain import Choice, Domain, Value, same
from ..errors import SpaceError
from ..history import History, Metric
from ..space import Array, Dimension, Params, SearchSpace
from ..storage.base import Note
from ..study import Study
from ..trial import Curve, Kind, State, Trial

TOP_ROWS = 10  # rows of the table of the best
LEADING = 5  # trials whose curves are worth a color of their own
TOP_SHARE = 0.1  # "the best 10 %", playbook A1
MIN_FULL = 5  # full trainings before they alone tell what is usual
CLIP_IQRS = 3.0  # values further than this beyond the median go to the rim
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
class Group:
    """Trials that ended alike; numbers inside their reasons are left out of it."""

    state: State
    reason: str
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Spread:
    """The values of one set of params under several seeds; `sd` None for one value."""

    values: tuple[float, ...]
    mean: float
    sd: float | None


@dataclass(frozen=True)
class Range:
    """The values worth a plot's height; `beyond` are worse than that and at the rim."""

    low: float
    high: float
    beyond: int


@dataclass(frozen=True)
class BestSoFar:
    """The best value after each search trial that ended with one, in order of ending.

    `number` is the trial, `value` its own value, `best` the best one until then.
    """

    number: int
    value: float
    best: float


@dataclass(frozen=True)
class Summary:
    """A study in numbers; every face shows these and computes none of its own.

    `rows` are the search trials by number, `others` the baseline and confirm trials.
    `gain` is by how much the best value is better than the baseline's mean. `leading`
    are the few best search trials with their curves, `rest` the others.
    """

    study: Study
    rows: tuple[Row, ...]
    others: tuple[Row, ...]
    top: tuple[Row, ...]
    states: Mapping[State, int]
    kinds: Mapping[Kind, int]
    axes: tuple[Axis, ...]
    arms: tuple[Arm, ...]
    groups: tuple[Group, ...]
    baseline: Spread | None
    gain: float | None
    range: Range | None
    progress: tuple[BestSoFar, ...]
    leading: tuple[Trial, ...]
    rest: tuple[Trial, ...]
    training_s: float
    started_s: float | None
    ended_s: float | None
    notes: tuple[Note, ...] = ()

    @property
    def metric(self) -> Metric:
        """What the study makes small or large."""
        return self.study.objective

    @property
    def best(self) -> Row | None:
        """The best search trial, None before one has ended with a value."""
        return self.top[0] if self.top else None

    @property
    def valued(self) -> int:
        """How many search trials ended with a value: the best is the best of these."""
        return sum(row.rank is not None for row in self.rows)

    @property
    def ended(self) -> int:
        """How many search trials have ended, in whatever way."""
        return sum(row.state.ended for row in self.rows)


def summarize(study: Study, history: History, notes: Sequence[Note] = ()) -> Summary:
    """The summary of a study and what is known of it so far.

    >>> import danlu
    >>> from danlu.analysis.summary import summarize
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=1,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> done = danlu.Trial(0, {"x": 0.25}, danlu.State.COMPLETED,
    ...                    curves={"loss": danlu.Curve.of({1: 3.0, 2: 2.0})})
    >>> history = danlu.History(study.search_space, study.objective, [done])
    >>> best = summarize(study, history).best
    >>> best.number, best.value, best.best_step
    (0, 2.0, 2)
    """
    search = [trial for trial in history.trials if trial.kind is Kind.SEARCH]
    ranked = replace(history, trials=search).ranked()
    ranks = {trial.number: rank for rank, trial in enumerate(ranked, start=1)}
    top_count = math.ceil(TOP_SHARE * len(ranked))
    rows = tuple(_row(trial, study.objective, ranks, top_count) for trial in search)
    by_number = {row.number: row for row in rows}
    best = by_number[ranked[0].number] if ranked else None
    places = _places(study.search_space, rows)
    others = tuple(
        _row(trial, study.objective, {}, 0)
        for trial in history.trials
        if trial.kind is not Kind.SEARCH
    )
    baseline = _baseline(others)
    started, ended = _times(history.trials)
    return Summary(
        study=study,
        rows=rows,
        others=others,
        top=tuple(by_number[trial.number] for trial in ranked[:TOP_ROWS]),
        states=Counter(row.state for row in rows),
        kinds=Counter(trial.kind for trial in history.trials),
        axes=_axes(study, rows, places, best),
        arms=_arms(study, rows, places),
        groups=_groups(history.trials),
        baseline=baseline,
        gain=_gain(study.objective, best, baseline),
        range=_range(study.objective, rows),
        progress=_progress(study.objective, ranked),
        leading=tuple(ranked[:LEADING]),
        rest=tuple(
            trial for trial in search if ranks.get(trial.number, LEADING + 1) > LEADING
        ),
        training_s=sum(trial.seconds or 0.0 for trial in history.trials),
        started_s=started,
        ended_s=ended,
        notes=tuple(notes),
    )


def _row(trial: Trial, metric: Metric, ranks: Mapping[int, int], top_count: int) -> Row:
    curve = trial.curves.get(metric.name)
    loss = None if trial.state in NO_VALUE else metric.loss(curve)
    rank = ranks.get(trial.number)
    return Row(
        number=trial.number,
        kind=trial.kind,
        state=trial.state,
        params=trial.params,
        value=None if loss is None else metric.value(loss),
        best_step=None if loss is None or curve is None else _step(metric, curve),
        step=trial.step,
        seconds=trial.seconds,
        reason=trial.reason,
        rank=rank,
        top=rank is not None and rank <= top_count,
    )


def _step(metric: Metric, curve: Curve) -> int:
    """The step of the checkpoint that the metric speaks of; the first of equals."""
    finite = np.isfinite(curve.values)
    steps, values = curve.steps[finite], curve.values[finite]
    if metric.at == "last":
        return int(steps[-1])
    return int(steps[np.argmax(values) if metric.maximize else np.argmin(values)])


def _places(space: SearchSpace, rows: Sequence[Row]) -> Array:
    """Points (n, d) of the rows; all nan for params that are not in the space."""
    places = np.full((len(rows), len(space)), np.nan)
    for place, row in zip(places, rows, strict=True):
        try:
            place[:] = space.encode(row.params)
        except SpaceError:
            continue
    return places


def _axes(
    study: Study, rows: Sequence[Row], places: Array, best: Row | None
) -> tuple[Axis, ...]:
    return tuple(
        _axis(dimension, study.role(dimension.path), rows, places[:, column], best)
        for column, dimension in enumerate(study.search_space.dimensions)
    )


def _axis(
    dimension: Dimension,
    role: str,
    rows: Sequence[Row],
    places: Array,
    best: Row | None,
) -> Axis:
    known = [None if math.isnan(place) else place for place in places.tolist()]
    pairs = list(zip(rows, known, strict=True))
    values = [row.params[dimension.name] for row, u in pairs if u is not None]
    numbers = [value for value in values if not isinstance(dimension.domain, Choice)]
    active = any(row is best and u is not None for row, u in pairs)
    return Axis(
        path=dimension.path,
        name=dimension.name,
        domain=dimension.domain,
        role=role,
        places=tuple(known),
        tried=(min(numbers), max(numbers)) if numbers else None,  # type: ignore[type-var, arg-type]
        options=_options(dimension.domain, values),
        best=best.params[dimension.name] if best is not None and active else None,
        active_in_best=active,
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
    if study.arms == ({},):
        return ()
    return tuple(_arm(study, held, rows, places) for held in study.arms)


def _arm(study: Study, held: Params, rows: Sequence[Row], places: Array) -> Arm:
    dimensions = study.search_space.dimensions
    inside = np.ones(len(rows), bool)
    for column, dimension in enumerate(dimensions):
        if dimension.path in held:
            place = dimension.domain.encode(held[dimension.path])  # type: ignore[arg-type]
            inside &= places[:, column] == place
    own = [row for row, mine in zip(rows, inside.tolist(), strict=True) if mine]
    valued = sorted(
        (row for row in own if row.rank is not None), key=lambda row: row.rank or 0
    )
    values = [row.value for row in valued if row.value is not None]
    return Arm(
        held=held,
        trials=len(own),
        valued=len(valued),
        infeasible=sum(row.state is State.INFEASIBLE for row in own),
        best=valued[0] if valued else None,
        median=float(np.median(values)) if values else None,
    )


def _groups(trials: Sequence[Trial]) -> tuple[Group, ...]:
    """Infeasible, failed and stopped trials by reason, largest group first."""
    numbers: dict[tuple[State, str], list[Trial]] = {}
    for trial in trials:
        if trial.state in (State.INFEASIBLE, State.FAILED, State.STOPPED):
            kind = re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "…", trial.reason)
            numbers.setdefault((trial.state, kind), []).append(trial)
    order = (State.INFEASIBLE, State.FAILED, State.STOPPED)
    found = [
        Group(
            state,
            own[0].reason if len({trial.reason for trial in own}) == 1 else kind,
            tuple(trial.number for trial in own),
        )
        for (state, kind), own in numbers.items()
    ]
    return tuple(sorted(found, key=lambda g: (order.index(g.state), -len(g.numbers))))


def _baseline(others: Sequence[Row]) -> Spread | None:
    values = tuple(
        row.value
        for row in others
        if row.kind is Kind.BASELINE and row.state.ended and row.value is not None
    )
    if not values:
        return None
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(values, float(np.mean(values)), sd)


def _gain(metric: Metric, best: Row | None, baseline: Spread | None) -> float | None:
    if best is None or best.value is None or baseline is None:
        return None
    difference = best.value - baseline.mean
    return difference if metric.maximize else -difference


def _range(metric: Metric, rows: Sequence[Row]) -> Range | None:
    """All values, but for those far worse than the median of the full trainings."""
    losses: dict[State, list[float]] = {state: [] for state in State}
    for row in rows:
        if row.value is not None:
            losses[row.state].append(-row.value if metric.maximize else row.value)
    signed = np.array([loss for own in losses.values() for loss in own])
    if not len(signed):
        return None
    full = losses[State.COMPLETED]
    usual = full if len(full) >= MIN_FULL else signed
    lower, median, upper = np.quantile(usual, (0.25, 0.5, 0.75))
    limit = median + CLIP_IQRS * (upper - lower) if upper > lower else np.max(signed)
    kept = [metric.value(loss) for loss in signed.tolist() if loss <= limit]
    return Range(min(kept), max(kept), len(signed) - len(kept))


def _progress(metric: Metric, ranked: Sequence[Trial]) -> tuple[BestSoFar, ...]:
    def ending(trial: Trial) -> tuple[float, int]:
        return (math.inf if trial.ended_s is None else trial.ended_s, trial.number)

    found, best = [], math.inf
    for trial in sorted(ranked, key=ending):
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
