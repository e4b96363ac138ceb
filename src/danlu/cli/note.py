"""`danlu note`: remarks on a study, kept with it and shown in its report."""

from __future__ import annotations

from datetime import datetime

import click

from .options import JSON, PROJECT
from .place import existing
from .words import quoted, say, show_json


@click.command()
@click.argument("words", nargs=-1, metavar="[STUDY] [TEXT]")
@JSON
@PROJECT
def note(words: tuple[str, ...], as_json: bool, place: str | None) -> None:
    """Keep the remark TEXT on STUDY (the newest by default); without, list them.

    \b
    danlu note 'Adam needs a smaller learning rate than we thought.'
    danlu note digits 'Adam needs a smaller learning rate than we thought.'
    danlu note digits
    """
    if len(words) > 2:
        raise click.UsageError("put the text in quotes: danlu note STUDY 'TEXT'")
    with existing(place) as project:
        names = {study.name for study in project.studies()}
        named = len(words) == 2 or (len(words) == 1 and words[0] in names)
        found = project.study(words[0] if named else None)
        text = words[1:] if named else words
        if text:
            project.note(found, text[0])
            say(f"noted on {found.name}")
            return
        notes = project.notes(found)
    if as_json:
        kept = [{"text": note.text, "written_s": note.written_s} for note in notes]
        show_json("note", {"study": found.name, "notes": kept})
        return
    for kept_note in notes:
        when = datetime.fromtimestamp(kept_note.written_s).astimezone()
        click.echo(f"{when:%Y-%m-%d %H:%M}  {kept_note.text}")
    if not notes:
        say(f"no remark on {found.name} yet: danlu note {quoted(found.name)} 'TEXT'")
