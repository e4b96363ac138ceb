"""`danlu replay`: what another scheduler would have done on a finished study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..sentence import plural
from .options import JSON, PROJECT, STUDY
from .place import existing
from .words import number, say, show_json, table

if TYPE_CHECKING:
    from ..replay import Replay
    from ..study import Study

WHOLE = "full"  # what the others are compared with


@click.command()
@STUDY
@click.option("--scheduler", "names", multiple=True, metavar="NAME", default=("asha",),
              help="Which one (default asha); may be given several times.")  # fmt: skip
@click.option("--slots", "-j", type=click.IntRange(1), default=1, metavar="N",
              help="How many trials would run at the same time.")  # fmt: skip
@JSON
@PROJECT
def replay(
    study: str | None,
    names: tuple[str, ...],
    slots: int,
    as_json: bool,
    place: str | None,
) -> None:
    """What another scheduler would have done on STUDY (the newest by default).

    The trials that were trained to their end are played back in their order, without
    training anything, and set beside training each of them to the end.
    """
    from ..replay import replay as replayed
    from ..replay import replayable

    with existing(place) as project:
        found = project.study(study)
        history = project.history(found)
    asked = dict.fromkeys((WHOLE, *names))
    results = {name: replayed(found, history, name, slots=slots) for name in asked}
    if as_json:
        rows = [_row(found, name, own) for name, own in results.items()]
        show_json("replay", {"study": found.name, "slots": slots, "rows": rows})
        return
    count, known = len(replayable(found, history)), len(history.trials)
    say(f"{plural(count, 'trial')} of {known} of {found.name} played back")
    headers = ("scheduler", "steps", "time", "to the end", "best", found.objective.name)
    shown = [_cells(found, name, own, results[WHOLE]) for name, own in results.items()]
    click.echo(table(headers, shown))


def _cells(study: Study, name: str, own: Replay, whole: Replay) -> tuple[str, ...]:
    from ..studyfile.quantities import duration_text

    share = f" ({own.steps / max(1, whole.steps):.0%})" if name != WHOLE else ""
    value = None if own.loss is None else study.objective.value(own.loss)
    best = "-" if own.best is None else f"#{own.best}"
    time = duration_text(own.seconds)
    return name, f"{own.steps}{share}", time, str(own.trained), best, number(value)


def _row(study: Study, name: str, own: Replay) -> dict[str, Any]:
    value = None if own.loss is None else study.objective.value(own.loss)
    return {
        "scheduler": name,
        "steps": own.steps,
        "seconds": own.seconds,
        "trained": own.trained,
        "best": own.best,
        "value": value,
    }
