"""`danlu clean`: removes checkpoints of ended trials."""

from __future__ import annotations

import click

from ..sentence import plural
from .options import PROJECT, STUDY
from .place import existing
from .words import say, size


@click.command()
@STUDY
@click.option("--keep", type=click.Choice(["best", "none", "all"]), default="best",
              show_default=True, help="Whose checkpoints stay.")  # fmt: skip
@click.option("--best", type=click.IntRange(0), default=3, metavar="N",
              show_default=True, help="How many trials count as the best.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would go; remove nothing.")
@PROJECT
def clean(
    study: str | None, *, keep: str, best: int, dry_run: bool, place: str | None
) -> None:
    """Remove checkpoints of STUDY's ended trials (the newest study by default).

    The best trials keep theirs, and so do all that run, pause or wait. Reports, output
    and params always stay.
    """
    from ..cleanup import Keep, removable
    from ..cleanup import clean as remove

    with existing(place) as project:
        found = project.study(study)
        act = removable if dry_run else remove
        gone = act(project, found, keep=Keep(keep), best=best)
    for own in gone:
        click.echo(f"#{own.number}  {size(own.size_bytes)}  {own.place}")
    total = size(sum(own.size_bytes for own in gone))
    verb = "would free" if dry_run else "freed"
    say(f"{found.name}: {verb} {total}, checkpoints of {plural(len(gone), 'trial')}")
