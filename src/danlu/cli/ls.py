"""`danlu ls`: the studies of a project."""

from __future__ import annotations

from typing import Any

import click

from ..jsontext import number_to_json
from .options import JSON, PROJECT
from .place import existing
from .words import number, progress_counts, show_json, study_state, table


@click.command()
@JSON
@PROJECT
def ls(as_json: bool, place: str | None) -> None:
    """List the studies of this project, oldest first."""
    with existing(place) as project:
        found: list[dict[str, Any]] = []
        for study in project.studies():
            history = project.history(study)
            ended, total = progress_counts(study, history)
            best = history.best
            loss = None if best is None else history.loss(best)
            value = None if loss is None else study.objective.value(loss)
            found.append({"study": study.name, "state": study_state(study, history),
                          "ended": ended, "trials": total, "best": value,
                          "metric": study.objective.name, "goal": study.goal})  # fmt: skip
    if as_json:
        for row in found:
            row["best"] = None if row["best"] is None else number_to_json(row["best"])
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
