"""`danlu extend`: round 2 of a study, with longer trainings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import StudyError
from ..sentence import plural
from .next import run_planned, write_planned
from .options import JSON, PLAIN, PROJECT, QUIET, STUDY
from .place import existing
from .stated import WithProgram
from .words import quoted, say, show_json, table

if TYPE_CHECKING:
    from ..propose.extend import Extension
    from ..study import Study


@click.command(cls=WithProgram)
@STUDY
@click.option("--steps", metavar="N|Nx",
              help="The length of the new trainings: 1000, or 4x as long.")  # fmt: skip
@click.option("--trials", "-n", type=click.IntRange(1), metavar="N",
              help="How many (default: as many steps in all as before).")  # fmt: skip
@click.option("--run", "is_run", is_flag=True, help="Run it.")
@click.option("--write", "path", metavar="FILE", help="Write it as a study file.")
@PLAIN
@QUIET
@JSON
@PROJECT
@click.pass_context
def extend(
    ctx: click.Context,
    /,
    study: str | None,
    *,
    steps: str | None,
    trials: int | None,
    is_run: bool,
    path: str | None,
    plain: bool,
    quiet: bool,
    as_json: bool,
    place: str | None,
) -> int:
    """Plan few long trainings after the many short ones of STUDY.

    Says for each hyperparameter whether it is fixed at what was best, searched near it
    or searched again, and why.

    \b
    danlu extend --steps 4x
    danlu extend digits --steps 1000 --run
    """
    from ..propose.extend import extend as extended
    from .progress import watcher

    with existing(place) as project:
        found = project.study(study)
        taken = [own.name for own in project.studies()]
        length = _length(steps, found)
        made = extended(
            found, project.history(found), length, trials=trials, taken=taken
        )
        if path is not None:
            write_planned(project, found, made.study, Path(path))
        elif is_run:
            watch = watcher(plain=plain, quiet=quiet, verbose=False)
            return run_planned(project, found, made.study, ctx.obj, watch)
        elif as_json:
            show_json("extend", _json(made))
        else:
            _show(found, made)
    return 0


def _length(text: str | None, study: Study) -> int:
    """The steps that were asked for, in steps or in times the study's own.

    Raises:
        StudyError: it is neither, or the study has no length of its own.
    """
    if text is None:
        raise StudyError(
            "how long are the new trainings? add --steps 4x or --steps 1000"
        )
    own = study.max_steps
    given = text.strip().lower()
    number = given.removesuffix("x")
    try:
        if given.endswith("x") and own is not None:
            return round(float(number) * own)
        return int(number)
    except (ValueError, OverflowError):
        raise StudyError(
            f"how long are the new trainings? --steps 4x or --steps 1000, got {text!r}"
        ) from None


def _show(study: Study, made: Extension) -> None:
    from ..propose.longer import becomes
    from .next import time_text

    click.echo(f"{made.study.name}  {made.study.goal}\n")
    domains = {own.path: own.domain for own in study.search_space.dimensions}
    rows = [
        (own.path, own.rule, becomes(own, domains.get(own.path)), own.reason)
        for own in made.rows
    ]
    click.echo(table(("name", "is", "becomes", "why"), rows))
    cost = plural(made.study.trials, "trial")
    click.echo(f"\ncost  {cost}{time_text(made.seconds)}")
    steps = made.study.max_steps
    say(f"run it: danlu extend {quoted(study.name)} --steps {steps} --run")


def _json(made: Extension) -> dict[str, Any]:
    from ..codec import study_to_json

    return {
        "study": study_to_json(made.study),
        "seconds": made.seconds,
        "table": [
            {
                "path": own.path,
                "rule": own.rule.value,
                "value": own.value,
                "change": own.change,
                "reason": own.reason,
            }
            for own in made.rows
        ],
    }
