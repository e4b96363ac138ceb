"""A11: the best result of each scientific value, the nuisance ones optimized away."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..domain import Choice
from ..history import History
from ..sentence import brief, listed
from ..space import Array, Dimension, Params
from ..study import Study
from .base import Finding, Level
from .bias import is_adaptive
from .bounded import bounded
from .compared import band, holm, p_of_lead
from .held import holding
from .repeats import trial_noise

LEAST_TRIALS = 4  # of an arm with a value: rule D5
MOST_VALUES = 8  # of a whole number or choice, before they are put into buckets
BUCKETS = 4
SIGNIFICANT = 0.05
SURE = 4.0  # lead / luck from where on the test sees it, measured on bowls
MOST_TIMES = 10  # as many trials: beyond, the arms are as good as equal
UNEQUAL = 1.25  # times as many trials as the smallest arm


@dataclass(frozen=True)
class Isolated:
    """One scientific value or bucket: what the metric reached there.

    `held` are the scientific values by path; `bounds` those of a bucket in place of a
    value. `best` is the expected best of as many trials as the smallest arm has, `low`
    to `high` hold 90 % of what another study's would be. All are as the user knows the
    metric; None where no trial has a value.
    """

    held: Params
    bounds: tuple[Any, Any] | None
    best: float | None
    low: float | None
    high: float | None
    trials: int
    luck: float = 0.0

    @property
    def name(self) -> str:
        """`optimizer=adam`, or `weight_decay 0.001 to 0.1` for a bucket."""
        if self.bounds is not None:
            first, last = (brief(own) for own in self.bounds)
            return f"{next(iter(self.held))} {first} to {last}"
        return ", ".join(f"{path}={brief(own)}" for path, own in self.held.items())


@dataclass(frozen=True)
class Isolation:
    """What is compared, a row for each value; `effort` trials count of each."""

    paths: tuple[str, ...]
    rows: tuple[Isolated, ...]
    effort: int


@dataclass(frozen=True)
class _Group:
    """The losses (n,) of one arm, inf where infeasible."""

    held: Params
    bounds: tuple[Any, Any] | None
    losses: Array

    @property
    def values(self) -> int:
        return int(np.isfinite(self.losses).sum())


def isolations(study: Study, history: History) -> tuple[Isolation, ...]:
    """The best result of each arm, or of each scientific hyperparameter's values.

    Equal effort: `best` is what as many trials as the smallest arm has would find. An
    infeasible trial is one of these. A continuous hyperparameter is cut in four equal
    buckets on its own scale.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which act?", metric="loss", trials=8,
    ...                     space={"act": danlu.Choice(["relu", "gelu"])},
    ...                     scientific=["act"])
    >>> history = danlu.History(study.search_space, study.objective)
    >>> [row.name for row in isolations(study, history)[0].rows]
    ['act=relu', 'act=gelu']
    """
    noise = _noise(history)
    return tuple(
        _isolated(study, paths, groups, noise)
        for paths, groups in _compared(study, history)
    )


def isolation(study: Study, history: History) -> tuple[Finding, ...]:
    """Which scientific value is best, or how many more trials it takes to tell.

    The best arm is compared with each other one by a permutation test of the expected
    best (`compared.p_of_lead`), with Holm's correction, and must lead by more than the
    luck of both: the sd of the best of as many trials, with the noise of a trial where
    that is known. On bowls of two nuisance hyperparameters and 20 trials an arm, a lead
    of four tenths of a bowl's height (about five times the luck) is told in at least
    90 % of the studies, and equal arms are told apart in less than 5 %.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which act?", metric="loss", trials=8,
    ...                     space={"act": danlu.Choice(["relu", "gelu"])},
    ...                     scientific=["act"])
    >>> history = danlu.History(study.search_space, study.objective)
    >>> isolation(study, history)[0].evidence["missing"]
    8
    """
    compared = _compared(study, history)
    if not compared:
        message = "The study compares nothing: it has no scientific hyperparameter."
        return (Finding("isolation", Level.OK, message),)
    noise = _noise(history)
    dimensions = max(1, *(len(space) for space in study.arm_spaces))
    return tuple(
        finding
        for paths, groups in compared
        for finding in (
            _verdict(study, _isolated(study, paths, groups, noise), groups, dimensions),
            *_unequal(study, groups),
        )
    )


def _noise(history: History) -> float:
    found = trial_noise(history)
    return 0.0 if found is None else found.sd


def _compared(
    study: Study, history: History
) -> list[tuple[tuple[str, ...], list[_Group]]]:
    """What is compared: all arms with one another, or the values of each path."""
    _, points, losses = history.searched()
    losses = np.where(np.isfinite(losses), bounded(losses), math.inf)
    dimensions = history.space.dimensions
    if len(study.arms) > 1:
        groups = [
            _Group(held, None, losses[holding(dimensions, points, held)])
            for held in study.arms
        ]
        return [(tuple(study.scientific), groups)]
    return [
        ((dimension.path,), _values(dimension, points[:, column], losses))
        for column, dimension in enumerate(dimensions)
        if dimension.path in study.scientific
    ]


def _values(dimension: Dimension, u: Array, losses: Array) -> list[_Group]:
    """A group for each value that was tried, or for each of four buckets."""
    path, domain = dimension.path, dimension.domain
    tried = np.unique(u[np.isfinite(u)])
    if isinstance(domain, Choice) or 0 < len(tried) <= MOST_VALUES:
        return [
            _Group({path: domain.decode(place)}, None, losses[u == place])
            for place in tried.tolist()
        ]
    cuts = np.linspace(0, 1, BUCKETS + 1)
    bucket = np.clip((u * BUCKETS), 0, BUCKETS - 1)
    return [
        _Group(
            {path: None},
            (domain.decode(cuts[place]), domain.decode(cuts[place + 1])),
            losses[np.floor(bucket) == place],
        )
        for place in range(BUCKETS)
    ]


def _isolated(
    study: Study, paths: tuple[str, ...], groups: Sequence[_Group], noise: float
) -> Isolation:
    effort = min((len(own.losses) for own in groups if own.values), default=0)
    rows = tuple(_row(study, own, effort, noise) for own in groups)
    return Isolation(paths, rows, effort)


def _row(study: Study, own: _Group, effort: int, noise: float) -> Isolated:
    count = len(own.losses)
    if not own.values:
        return Isolated(own.held, own.bounds, None, None, None, count)
    found, value = band(own.losses, effort, noise), study.objective.value
    low, high = sorted((value(found.low), value(found.high)))
    return Isolated(
        own.held, own.bounds, value(found.best), low, high, count, found.luck
    )


def _verdict(
    study: Study, seen: Isolation, groups: Sequence[_Group], dimensions: int
) -> Finding:
    lacking = sum(max(0, LEAST_TRIALS - own.values) for own in groups)
    if lacking or len(groups) < 2:
        return _too_few(seen, groups, max(lacking, LEAST_TRIALS * (2 - len(groups))))
    sign = study.objective.value(1.0)
    losses = [sign * (row.best or 0.0) for row in seen.rows]
    first = int(np.argmin(losses))
    others = [place for place in range(len(groups)) if place != first]
    tests = [p_of_lead(groups[first].losses, groups[place].losses) for place in others]
    p_values = dict(zip(others, holm(tests), strict=True))
    leads = {place: losses[place] - losses[first] for place in others}
    luck = {
        place: math.hypot(seen.rows[first].luck, seen.rows[place].luck)
        for place in others
    }
    unclear = [
        place
        for place in others
        if p_values[place] > SIGNIFICANT or leads[place] <= luck[place]
    ]
    evidence = {**_evidence(seen), "best": seen.rows[first].name}
    evidence["p"] = {seen.rows[place].name: p_values[place] for place in others}
    names = [seen.rows[place].name for place in (first, *unclear)]
    evidence["may_be_best"] = names
    if not unclear:
        second = min(others, key=lambda place: leads[place])
        return _clear(study, seen, (first, second), evidence)
    closest = max(unclear, key=lambda place: leads[place])
    times = _times(leads[closest], luck[closest], dimensions)
    return _cannot_tell(study, seen, names, times, evidence)


def _clear(
    study: Study, seen: Isolation, places: tuple[int, int], evidence: dict[str, Any]
) -> Finding:
    best, second = (seen.rows[place] for place in places)
    lead = abs((best.best or 0.0) - (second.best or 0.0))
    return Finding(
        "isolation",
        Level.OK,
        f"{best.name} is best: {study.objective.name} {_band(best)}, then "
        f"{second.name} {_band(second)}, {brief(lead)} behind, at {seen.effort} "
        f"trials each.{_bias(study)}",
        "Confirm it on several seeds before it is adopted.",
        evidence,
    )


def _cannot_tell(
    study: Study,
    seen: Isolation,
    names: Sequence[str],
    times: float,
    evidence: dict[str, Any],
) -> Finding:
    effort = max(math.ceil(times * seen.effort), seen.effort + LEAST_TRIALS)
    more = sum(max(0, effort - row.trials) for row in seen.rows)
    total = max(sum(row.trials for row in seen.rows) + more, study.trials)
    equal = times >= MOST_TIMES
    advice = f"About {more} more trials would tell, {effort} for each."
    if equal:
        advice = "They are as good as equal: choose the simpler one."
    return Finding(
        "isolation",
        Level.UNKNOWN,
        f"Which of {listed(names)} is best cannot be told yet: chance alone may well "
        "put their bests so far apart.",
        advice,
        {**evidence, "missing": more, **({} if equal else _more(total))},
    )


def _more(total: int) -> dict[str, Any]:
    return {"change": {"trials": total}}


def _times(lead: float, luck: float, dimensions: int) -> float:
    """How many times as many trials make the luck small enough to see the lead.

    The best of n in d dimensions scatters as it approaches the optimum: n^(-2/d).
    """
    if lead * MOST_TIMES ** (2 / dimensions) <= SURE * luck:
        return float(MOST_TIMES)
    return float(max(1.0, (SURE * luck / lead) ** (dimensions / 2)))


def _too_few(seen: Isolation, groups: Sequence[_Group], missing: int) -> Finding:
    few = [
        row.name
        for row, own in zip(seen.rows, groups, strict=True)
        if own.values < LEAST_TRIALS
    ]
    what = f" of {listed(few)}" if few else ""
    return Finding(
        "isolation",
        Level.UNKNOWN,
        f"There are too few trials{what} to compare {listed(seen.paths)}.",
        f"Run at least {missing} more, so that each has {LEAST_TRIALS} with a value.",
        {**_evidence(seen), "missing": missing},
    )


def _unequal(study: Study, groups: Sequence[_Group]) -> tuple[Finding, ...]:
    counts = {len(own.losses) for own in groups}
    if study.arms == ({},) or max(counts) <= max(
        UNEQUAL * min(counts), min(counts) + 1
    ):
        return ()
    least, most = min(counts), max(counts)
    return (
        Finding(
            "isolation",
            Level.NOTICE,
            f"The arms had unequal effort, {least} to {most} trials: more trials find "
            f"better ones, so that they are compared as if each had {least}.",
            "Run more trials of the smaller arms.",
            {"least": least, "most": most},
        ),
    )


def _evidence(seen: Isolation) -> dict[str, Any]:
    rows = [
        {
            "name": row.name,
            "best": row.best,
            "low": row.low,
            "high": row.high,
            "trials": row.trials,
        }
        for row in seen.rows
    ]
    return {"paths": list(seen.paths), "effort": seen.effort, "rows": rows}


def _bias(study: Study) -> str:
    if not is_adaptive(study.sampler, study.scientific):
        return ""
    return " The sampler chose by the results, so that the luck may be larger."


def _band(row: Isolated) -> str:
    if row.best is None or row.low is None or row.high is None:
        return "without a value"
    return f"{brief(row.best)} ({brief(row.low)} to {brief(row.high)})"
