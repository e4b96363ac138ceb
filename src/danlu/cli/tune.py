"""`danlu tune`: from a program and a budget to confirmed params."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..jsontext import dumps, loads
from .exits import GATE, NO_RESULT
from .options import ADDRESS, ON, PROJECT, SLURM
from .place import existing_or_new, launch_path
from .run import warn_on_stderr
from .stated import WithProgram, stated, study_options
from .words import say

if TYPE_CHECKING:
    from ..autopilot import Tuned
    from ..budget import Budget
    from ..history import History
    from ..measured import Measured, Preflight
    from ..project import Project
    from ..study import Study
    from ..studyfile import StudyFile


@click.command(cls=WithProgram)
@click.argument("target", required=False, metavar="[FILE | train.py:function]")
@study_options
@click.option("--hours", type=click.FloatRange(0, min_open=True), metavar="H",
              help="Spend H hours instead of --trials full trainings.")  # fmt: skip
@click.option("--preflight", "probe", metavar="FILE.py:NAME",
              help="Check this probe first; search lr where it trains.")  # fmt: skip
@ON
@ADDRESS
@SLURM
@PROJECT
@click.option("--plain", is_flag=True, help="One line a trial, nothing redrawn.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what went wrong.")
@click.option("-v", "--verbose", is_flag=True, help="Add each trial's params.")
@click.pass_context
def tune(
    ctx: click.Context,
    /,
    target: str | None,
    *,
    hours: float | None,
    probe: str | None,
    on: str | None,
    address: str | None,
    slurm: tuple[str, ...],
    place: str | None,
    plain: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> int:
    """Explore, read the results, adapt the space, exploit, confirm, decide.

    The study is stated as for `danlu run`; its trials are the budget, in full
    trainings, confirmation included. Each round is a study of its own, NAME-1, NAME-2
    and so on, to be looked at and taken over. The same command goes on with what was
    interrupted.

    \b
    danlu tune
    danlu tune study.yaml --trials 60
    danlu tune study.yaml --hours 8 -- python train.py {args}
    danlu tune study.yaml --preflight train.py:probe
    """
    from ..autopilot import tune as tuned_by
    from ..studyfile import write_program
    from .programs import check_words, executor_of, placed
    from .progress import watcher

    if hours is not None:
        options["trials"] = 1  # the hours are what counts
    file = stated(target, ctx.obj, options)
    check_words(file)
    program = placed(file.program, on, address, slurm)
    executor_of(program)  # first, so that no study is left behind
    with existing_or_new(place) as project:
        warn_on_stderr()
        first = f"{file.study.name}-1"
        preflight = None if probe is None else _before(project, first, probe)
        if preflight is not None and preflight.faults:
            return GATE

        def run(study: Study) -> History:
            write_program(program, launch_path(project, study.name))
            if preflight is not None and study.name == first:
                _keep(project, first, preflight)
            watch = watcher(plain=plain, quiet=quiet, verbose=verbose)
            try:
                return project.run(study, executor_of(program), watch=watch)
            finally:
                close = getattr(watch, "close", None)
                if close is not None:
                    close()

        try:
            budget = _budget(file, hours)
            tuned = tuned_by(project, file.study, run, budget, preflight=preflight)
        except (KeyboardInterrupt, SystemExit):
            say("stopped; the same command goes on from here")
            raise
        return _concluded(tuned)


def _before(project: Project, first: str, probe: str) -> Preflight:
    """The pre-flight of a probe; what it found is said on stderr.

    That of an earlier call is taken where the first round has begun with it.
    """
    from .preflight import loaded

    if (kept := _kept(project, first)) is not None:
        return kept
    found: Preflight = loaded(probe).preflight()
    for fault in found.faults:
        say(f"pre-flight, a fault: {fault}")
    if found.faults:
        say("nothing is tuned before it is put right: danlu preflight says more")
    else:
        say(f"pre-flight: {found.updates} updates. {found.message}")
    return found


def _place(project: Project, first: str) -> Path:
    return launch_path(project, first).with_name("preflight.json")


def _keep(project: Project, first: str, found: Preflight) -> None:
    """Writes a pre-flight beside the first round."""
    from ..measured import Measured

    names = (own.name for own in fields(Measured))
    path = _place(project, first)
    partial = path.with_suffix(".partial")
    partial.write_text(dumps({name: getattr(found, name) for name in names}), "utf-8")
    partial.replace(path)


def _kept(project: Project, first: str) -> Measured | None:
    """The pre-flight that the first round was begun with, if any."""
    from ..measured import Measured

    if all(own.name != first for own in project.studies()):
        return None
    path = _place(project, first)
    return Measured(**loads(path.read_text("utf-8"))) if path.exists() else None


def _budget(file: StudyFile, hours: float | None) -> Budget:
    from ..budget import Budget, Hours

    if hours is not None:
        return Budget(hours, Hours(file.program.slots))
    return Budget(float(file.study.trials))


def _concluded(tuned: Tuned) -> int:
    """Writes what each round led to and what was decided; 4 without a result."""
    from ..autopilot import story
    from .decide import show_decision

    if tuned.before:
        click.echo(f"pre-flight: {tuned.before:.3g} {tuned.budget.unit.name}")
    for line in story(tuned):
        click.echo(line)
    budget = tuned.budget
    click.echo(f"spent {tuned.spent:.3g} of {budget.amount:.3g} {budget.unit.name}")
    if tuned.decision is None:
        say("no trial has a result: look at one with `danlu trial logs 0`")
        return NO_RESULT
    click.echo()
    show_decision(tuned.decision)
    return 0
