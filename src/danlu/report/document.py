"""A summary as JSON: schema `danlu/report@1`; nan and inf are strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..analysis.groups import Group
from ..analysis.importance import Importances
from ..analysis.isolation import Isolation
from ..analysis.summary import Arm, Axis, Row, Summary
from ..codec import decision_to_json
from ..decide.decision import Decision
from ..domain import Choice
from ..jsontext import to_json
from .curves import Panel, panels

SCHEMA = "danlu/report@1"
COLUMNS = (
    "number",
    "kind",
    "state",
    "rank",
    "value",
    "best_step",
    "step",
    "seconds",
    "reason",
    "params",
)


def summary_to_json(summary: Summary) -> dict[str, Any]:
    """The summary as plain dicts, lists, text and numbers, for any program to read.

    Trials stand as columns: entry `k` of every list under `trials` is of one trial, as
    is entry `k` of a hyperparameter's `places`.
    """
    document: dict[str, Any] = to_json(_document(summary))
    return document


def _document(summary: Summary) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        **_statement(summary),
        "ended": summary.ended,
        "valued": summary.valued,
        "states": {str(state): count for state, count in summary.states.items()},
        "kinds": {str(kind): count for kind, count in summary.kinds.items()},
        "best": _row(summary.best),
        "decision": _decision(summary.decision),
        "findings": [asdict(own) for own in summary.findings],
        "schedule": [stretch.to_json() for stretch in summary.schedule],
        "agreements": [asdict(own) for own in summary.agreements],
        "top": [_row(row) for row in summary.top],
        "baseline": _baseline(summary),
        "gain": summary.gain,
        "space": [_axis(axis) for axis in summary.axes],
        "arms": [_arm(arm) for arm in summary.arms],
        "isolations": [_isolation(own) for own in summary.isolations],
        "importances": _importances(summary.importances),
        "groups": [_group(group) for group in summary.groups],
        "range": _range(summary),
        "progress": [[step.number, step.value, step.best] for step in summary.progress],
        "trials": _columns(summary.rows),
        "other_trials": _columns(summary.others),
        "curves": [_panel(panel) for panel in panels(summary)],
        "training_s": summary.training_s,
        "started_s": summary.started_s,
        "ended_s": summary.ended_s,
        "notes": [
            {"text": note.text, "written_s": note.written_s} for note in summary.notes
        ],
    }


def _statement(summary: Summary) -> dict[str, Any]:
    study, metric = summary.study, summary.metric
    return {
        "study": study.name,
        "goal": study.goal,
        "metric": {"name": metric.name, "maximize": metric.maximize, "at": metric.at},
        "planned": study.trials,
        "constraints": [str(constraint) for constraint in study.limits],
        "learn_from": list(study.learn_from),
        "guards": list(study.guards),
        "why": summary.why,
        "fixed": dict(study.fixed),
    }


def _decision(decision: Decision | None) -> dict[str, Any] | None:
    return None if decision is None else decision_to_json(decision)


def _group(group: Group) -> dict[str, Any]:
    numbers, state = list(group.numbers), str(group.state)
    return {"state": state, "reason": group.reason, "trials": numbers}


def _row(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "number": row.number,
        "kind": str(row.kind),
        "state": str(row.state),
        "rank": row.rank,
        "value": row.value,
        "best_step": row.best_step,
        "step": row.step,
        "seconds": row.seconds,
        "reason": row.reason,
        "params": dict(row.params),
    }


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    found = [_row(row) or {} for row in rows]
    return {name: [row[name] for row in found] for name in COLUMNS}


def _axis(axis: Axis) -> dict[str, Any]:
    return {
        "path": axis.path,
        "name": axis.name,
        "role": axis.role,
        "domain": _domain(axis),
        "tried": None if axis.tried is None else list(axis.tried),
        "options": [[option, count] for option, count in axis.options],
        "active_in_best": axis.active_in_best,
        "best": axis.best,
        "places": list(axis.places),
    }


def _domain(axis: Axis) -> dict[str, Any]:
    domain = axis.domain
    if isinstance(domain, Choice):
        options = list(domain.options)
        return {"type": "choice", "options": options, "ordered": domain.ordered}
    kind = type(domain).__name__.lower()
    return {"type": kind, "low": domain.low, "high": domain.high, "log": domain.log}


def _arm(arm: Arm) -> dict[str, Any]:
    return {
        "held": dict(arm.held),
        "trials": arm.trials,
        "valued": arm.valued,
        "infeasible": arm.infeasible,
        "median": arm.median,
        "best": _row(arm.best),
    }


def _isolation(isolation: Isolation) -> dict[str, Any]:
    rows = [{**asdict(row), "name": row.name} for row in isolation.rows]
    return {"paths": list(isolation.paths), "effort": isolation.effort, "rows": rows}


def _importances(found: Importances | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)


def _panel(panel: Panel) -> list[dict[str, Any]]:
    return [
        {
            "number": series.number,
            "rank": series.rank,
            "metric": series.metric,
            "training": series.training,
            "steps": series.curve.steps.tolist(),
            "values": series.curve.values.tolist(),
        }
        for series in panel.best
    ]


def _baseline(summary: Summary) -> dict[str, Any] | None:
    baseline = summary.baseline
    if baseline is None:
        return None
    return asdict(baseline)


def _range(summary: Summary) -> dict[str, Any] | None:
    span = summary.range
    if span is None:
        return None
    return {"low": span.low, "high": span.high, "beyond": span.beyond}
