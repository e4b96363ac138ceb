"""`danlu note`: remarks on a study, kept with it and shown in its report."""

from __future__ import annotations

from datetime import datetime

import click

from .options import JSON, PROJECT
from .place import existing
from .words import say, show_json


@click.command()
@click.argument("words", nargs=-1, metavar="[STUDY] [TEXT]")
@JSON
@PROJECT
def note(words: tuple[str, ...], as_json: bool, place: str | None) -> None:
    """Keep the remark TEXT on STUDY (the newest by default); without, list them.

    \b
    danlu note 'Adam needs a smaller learning rate than we thought.'
    danlu note digits 'Adam needs a smaller learning rate than we thought.'
    danlu note
    """
    if len(words) > 2:
        raise click.UsageError("put the text in quotes: danlu note STUDY 'TEXT'")
    with existing(place) as project:
        if words:
            found = project.study(words[0] if len(words) == 2 else None)
            project.note(found, words[-1])
            say(f"noted on {found.name}")
            return
        found = project.study()
        notes = project.notes(found)
    if as_json:
        kept = [{"text": note.text, "written_s": note.written_s} for note in notes]
        show_json("note", {"study": found.name, "notes": kept})
        return
    for kept_note in notes:
        when = datetime.fromtimestamp(kept_note.written_s).astimezone()
        click.echo(f"{when:%Y-%m-%d %H:%M}  {kept_note.text}")
    if not notes:
        say(f"no remark on {found.name} yet: danlu note 'TEXT'")
