"""`danlu report`: what a study found, in the terminal, as HTML or as JSON."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from .options import JSON, PROJECT, STUDY
from .place import existing
from .words import say, screen_width, show_json

_WIDEST = 100  # columns; longer lines are hard to read


@click.command()
@STUDY
@click.option(
    "--html", "page", metavar="FILE", help="Write one HTML file that opens offline."
)
@JSON
@PROJECT
def report(
    study: str | None, page: str | None, as_json: bool, place: str | None
) -> None:
    """What STUDY (the newest by default) found."""
    from ..report import summarize, summary_to_json, text, write_html

    with existing(place) as project:
        found = project.study(study)
        history, notes = project.history(found), project.notes(found)
        decision = next(reversed(project.decisions(found)), None)
    if page is not None:
        path = write_html(found, history, Path(page), notes, decision)
        say(f"wrote {path.absolute()}")
        if not as_json:
            return
    summary = replace(summarize(found, history, notes), decision=decision)
    if as_json:
        document = summary_to_json(summary)
        document.pop("schema", None)
        show_json("report", document)
        return
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    click.echo(text(summary, width=min(screen_width(), _WIDEST), color=color).rstrip())
