"""Trials and curves as rows of a table, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from json import JSONDecoder
from operator import attrgetter, lt
from typing import Any

import numpy as np

from ..jsontext import dumps, json_to_number, loads, number_to_json, writable
from ..trial import Curve, Kind, Report, State, Trial
from .base import Changes, Claim

# What `trial_from_row` expects, in this order.
TRIAL_COLUMNS = (
    "number",
    "params",
    "state",
    "kind",
    "index",
    "budget",
    "parent",
    "first_step",
    "seed",
    "attempt",
    "failures",
    "waiting",
    "sampler_note",
    "scheduler_note",
    "reason",
    "started_s",
    "ended_s",
    "idle_s",
    "host",
)
# What a reserved trial, of which nothing is known yet, is written with.
RESERVED = (
    "state",
    "kind",
    "first_step",
    "seed",
    "attempt",
    "failures",
    "waiting",
    "reason",
    "host",
    "owner",
)
# What the first column says that a row of news is.
OF_STUDY, OF_TRIAL, OF_CURVE = 0, 1, 2
_STATES = {state.value: state for state in State}
_KINDS = {kind.value: kind for kind in Kind}
_decoded = JSONDecoder().raw_decode


def trial_from_row(row: Sequence[Any]) -> Trial:
    """The trial, without its curves, from the columns `TRIAL_COLUMNS`."""
    number, params, state, kind, index, budget, parent, first_step, seed = row[:9]
    attempt, failures, waiting, sampler_note, scheduler_note, reason = row[9:15]
    return Trial(
        number=number,
        params=_document(params),
        state=_STATES[state],
        kind=_KINDS[kind],
        index=index,
        budget=budget,
        parent=parent,
        first_step=first_step,
        seed=seed,
        attempt=attempt,
        failures=failures,
        waiting=bool(waiting),
        sampler_note=_document(sampler_note) if sampler_note else {},
        scheduler_note=_document(scheduler_note) if scheduler_note else {},
        reason=reason,
        started_s=row[15],
        ended_s=row[16],
        idle_s=row[17],
        host=row[18],
    )


def news_from(news: Iterable[Sequence[Any]]) -> Changes | None:
    """What rows of news say, in whatever order; None where there is no study."""
    version: int | None = None
    changed: list[Trial] = []
    grown: dict[int, list[tuple[int, str]]] = {}
    for what, *row in news:
        if what == OF_STUDY:
            version = row[0]
        elif what == OF_TRIAL:
            changed.append(trial_from_row(row[1:]))
        else:
            grown.setdefault(row[1], []).append((row[0], row[2]))
    if version is None:
        return None
    changed.sort(key=attrgetter("number"))
    stretches = (
        (number, curves_from(points for _, points in sorted(own)))
        for number, own in grown.items()
    )
    return Changes(version, tuple(changed), tuple(stretches))


def filled_columns(trial: Trial) -> dict[str, Any]:
    """What is written of a trial when its params become known."""
    return {
        "params": dumps(dict(trial.params)),
        "parent": trial.parent,
        "first_step": trial.first_step,
        "seed": trial.seed,
        "sampler_note": dumps(dict(trial.sampler_note)) if trial.sampler_note else None,
        **moved_columns(trial),
    }


def reserved_columns(kind: Kind, claim: Claim) -> dict[str, Any]:
    """What is written of a trial when its number is given out."""
    row = filled_columns(Trial(0, {}, kind=kind))
    row |= {"kind": kind.value, "owner": claim.owner}
    return {name: row[name] for name in RESERVED}


def as_new(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row under the names that the statements give to new values."""
    return {f"new_{name}": value for name, value in row.items()}


def moved_columns(trial: Trial) -> dict[str, Any]:
    """What may change of a trial during its life."""
    note = trial.scheduler_note
    return {
        "state": trial.state.value,
        "budget": trial.budget,
        "attempt": trial.attempt,
        "failures": trial.failures,
        "waiting": trial.waiting,
        "scheduler_note": dumps(dict(note)) if note else None,
        "reason": writable(trial.reason),  # what an exception says may be any text
        "started_s": trial.started_s,
        "ended_s": trial.ended_s,
        "idle_s": trial.idle_s,
        "host": trial.host,
    }


def points_of(reports: Iterable[Report]) -> str:
    """Reports as the JSON text of a stretch of curves."""
    points: dict[str, tuple[list[int], list[float | str]]] = {}
    for report in reports:
        for name, value in report.metrics.items():
            steps, values = points.setdefault(name, ([], []))
            steps.append(report.step)
            values.append(number_to_json(value))
    return dumps(points)


def curves_from(stretches: Iterable[str]) -> dict[str, Curve]:
    """The curves that stretches as JSON text, oldest first, make up."""
    points: dict[str, tuple[list[int], list[Any]]] = {}
    for stretch in stretches:
        for name, (steps, values) in _document(stretch).items():
            known = points.setdefault(name, ([], []))
            known[0].extend(steps)
            known[1].extend(values)
    return {name: _curve(steps, values) for name, (steps, values) in points.items()}


def joined(stretches: Iterable[str]) -> str:
    """Several stretches, oldest first, as the JSON text of one."""
    whole = curves_from(stretches)
    return dumps({name: _lists(curve) for name, curve in whole.items()})


def _document(text: str) -> Any:
    """What compact JSON text stands for, in a fifth of the time of `loads`."""
    document, end = _decoded(text)
    return document if end == len(text) else loads(text)


def _lists(curve: Curve) -> tuple[list[int], list[float | str]]:
    values = [number_to_json(value) for value in curve.values.tolist()]
    return curve.steps.tolist(), values


def _curve(steps: list[int], values: list[Any]) -> Curve:
    """A curve whose steps rise, whatever the order in which they were reported.

    Of two values at one step the later one stays.
    """
    rising = len(steps) == 1 or all(map(lt, steps, steps[1:]))
    try:
        array = np.array(values, np.float64)  # also reads "nan" and "inf"
    except ValueError:
        array = np.array([json_to_number(value) for value in values], np.float64)
    if rising:
        return Curve(np.array(steps, np.int64), array)
    return Curve.of(dict(zip(steps, array.tolist(), strict=True)))
