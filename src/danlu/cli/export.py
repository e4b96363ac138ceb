"""`danlu export`: a study's trials as csv, json or parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import StudyError
from ..sentence import plural
from .options import PROJECT, STUDY
from .place import existing
from .words import say

if TYPE_CHECKING:
    from ..history import History
    from ..study import Study


@click.command()
@click.argument(
    "form", metavar="csv|json|parquet", type=click.Choice(["csv", "json", "parquet"])
)
@STUDY
@click.option("-o", "--output", metavar="FILE", help="Write there, not to stdout.")
@PROJECT
def export(form: str, study: str | None, output: str | None, place: str | None) -> None:
    """All trials of STUDY (the newest by default), one row each.

    csv and parquet hold params and final values; json also holds every curve.
    """
    with existing(place) as project:
        found = project.study(study)
        history = project.history(found)
    if form == "parquet" and output is None:
        raise StudyError("parquet is not text: add -o FILE")
    content = _FORMATS[form](found, history)
    if output is None:
        click.echo(content, nl=False)
        return
    Path(output).write_bytes(content)
    say(f"wrote {plural(len(history.trials), 'trial')} to {output}")


def rows(study: Study, history: History) -> list[dict[str, Any]]:
    """A row for each trial: facts, `params.NAME`, and the last value of each metric."""
    found = []
    for trial in history.trials:
        loss = history.loss(trial)
        row: dict[str, Any] = {
            "number": trial.number,
            "kind": trial.kind.value,
            "state": trial.state.value,
            "value": None if loss is None else study.objective.value(loss),
            "step": trial.step,
            "seed": trial.seed,
            "attempt": trial.attempt,
            "seconds": trial.seconds,
            "reason": trial.reason,
        }
        row |= {f"params.{name}": value for name, value in trial.params.items()}
        row |= {
            f"last.{name}": curve.last
            for name, curve in trial.curves.items()
            if len(curve)
        }
        found.append(row)
    return found


def csv_bytes(study: Study, history: History) -> bytes:
    """The rows as CSV, with every column that any trial has."""
    found = rows(study, history)
    names = list(dict.fromkeys(name for row in found for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names or ["number"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue().encode("utf-8")


def json_bytes(study: Study, history: History) -> bytes:
    """The study and its trials as JSON, curves included."""
    from ..codec import study_to_json, trial_to_json

    document = {
        "schema": "danlu/export@1",
        "study": study_to_json(study),
        "trials": [trial_to_json(trial) for trial in history.trials],
    }
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    return text.encode("utf-8")


def parquet_bytes(study: Study, history: History) -> bytes:
    """The rows as a parquet file.

    Raises:
        StudyError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise StudyError(
            "parquet needs pyarrow: pip install 'danlu[report]', or export csv"
        ) from None
    found = rows(study, history)
    names = list(dict.fromkeys(name for row in found for name in row))
    columns = {name: _column([row.get(name) for row in found]) for name in names}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def _column(values: list[Any]) -> list[Any]:
    """Values of one kind, as a column must have; mixed ones become text."""
    kinds = {type(value) for value in values if value is not None}
    largest = max((abs(v) for v in values if isinstance(v, int)), default=0)
    if len(kinds) <= 1 and largest < 2**63:
        return values
    if kinds == {int, float} and largest <= 2**53:  # else digits would be lost
        return [None if value is None else float(value) for value in values]
    return [None if value is None else str(value) for value in values]


_FORMATS: Mapping[str, Callable[[Study, History], bytes]] = {
    "csv": csv_bytes,
    "json": json_bytes,
    "parquet": parquet_bytes,
}
