"""`danlu log`: each study in one row: question, conclusion, next."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .options import PROJECT
from .place import existing
from .words import show_json

if TYPE_CHECKING:
    from ..log import Entry


@click.command()
@click.option("--markdown", "form", flag_value="markdown", help="As a table.")
@click.option("--csv", "form", flag_value="csv", help="As CSV.")
@click.option("--json", "form", flag_value="json", help="As one JSON document.")
@PROJECT
def log(form: str | None, place: str | None) -> None:
    """Every study of the project: why it was run, what came of it, what comes next.

    With its best result, how much that varies between seeds, the notes, and the command
    that runs the same study anew.
    """
    from ..log import csv_text, markdown

    with existing(place) as project:
        entries = project.log()
    if form == "json":
        show_json("log", {"studies": [asdict(own) for own in entries]})
    elif form == "csv":
        click.echo(csv_text(entries), nl=False)
    elif form == "markdown":
        click.echo(markdown(entries), nl=False)
    else:
        click.echo("\n\n".join(map(_text, entries)))


def _text(entry: Entry) -> str:
    """A study as a paragraph, which no width cuts."""
    from ..log import COLUMNS

    cells = dict(zip(COLUMNS, entry.cells, strict=True))
    name = " ".join(word for word in (cells.pop("study"), cells.pop("began")) if word)
    lines = [f"  {key:<10}  {value}" for key, value in cells.items() if value]
    return "\n".join([name, *lines])
