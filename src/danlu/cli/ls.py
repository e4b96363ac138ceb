"""`danlu ls`: the studies of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .options import JSON, PROJECT
from .place import existing
from .words import number, progress_counts, show_json, study_state, table

if TYPE_CHECKING:
    from ..history import History
    from ..study import Study


@click.command()
@JSON
@PROJECT
def ls(as_json: bool, place: str | None) -> None:
    """List the studies of this project, oldest first."""
    with existing(place) as project:
        found = [_row(study, project.history(study)) for study in project.studies()]
    if as_json:
        show_json("ls", {"studies": found})
        return
    rows = [
        (
            row["study"],
            row["state"],
            f"{row['ended']}/{row['trials']}",
            f"{row['metric']} {number(row['best'])}",
            row["goal"],
        )
        for row in found
    ]
    click.echo(table(("study", "state", "trials", "best", "goal"), rows))


def _row(study: Study, history: History) -> dict[str, Any]:
    ended, total = progress_counts(study, history)
    best = history.best
    loss = None if best is None else history.loss(best)
    return {
        "study": study.name,
        "state": study_state(study, history),
        "ended": ended,
        "trials": total,
        "metric": study.objective.name,
        "best": None if loss is None else study.objective.value(loss),
        "goal": study.goal,
    }
