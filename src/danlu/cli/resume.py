"""`danlu resume`: goes on with a study by its name alone."""

from __future__ import annotations

import dataclasses

import click

from ..errors import StudyError
from ..sentence import plural
from ..trial import State
from .options import ADDRESS, ON, PLAIN, PROJECT, QUIET, SLURM, STUDY
from .place import existing, launch_path
from .run import run_to_end
from .words import say


@click.command()
@STUDY
@click.option("--more", type=click.IntRange(1), metavar="N", help="N trials more.")
@click.option("--retry-failed", is_flag=True, help="Run the failed trials again.")
@click.option("--slots", "-j", type=click.IntRange(1), metavar="N",
              help="How many trials run at the same time from now on.")  # fmt: skip
@click.option("--checkpoints", metavar="URL",
              help="Where trials that have not begun keep checkpoints.")  # fmt: skip
@PLAIN
@QUIET
@click.option("-v", "--verbose", is_flag=True, help="Add each trial's params.")
@ON
@ADDRESS
@SLURM
@PROJECT
def resume(
    study: str | None,
    *,
    more: int | None,
    retry_failed: bool,
    slots: int | None,
    checkpoints: str | None,
    plain: bool,
    quiet: bool,
    verbose: bool,
    on: str | None,
    address: str | None,
    slurm: tuple[str, ...],
    place: str | None,
) -> int:
    """Go on with STUDY (the newest by default) as it was run before."""
    from ..studyfile import read_program, write_program
    from .programs import executor_of, placed
    from .progress import watcher

    with existing(place) as project:
        found = project.study(study)
        program = read_program(launch_path(project, found.name))
        if not program.text:
            raise StudyError(
                f"how study {found.name!r} is run is not known here: `danlu run` it "
                "from its file once"
            )
        if more:
            grown = dataclasses.replace(found, trials=found.trials + more)
            found = project.plan(grown)
        if retry_failed:
            failed = [
                t for t in project.history(found).trials if t.state is State.FAILED
            ]
            for trial in failed:
                project.requeue(found, trial.number)
            say(f"to be run again: {plural(len(failed), 'failed trial')}")
        if slots:
            program = dataclasses.replace(program, slots=slots)
        if checkpoints:
            program = dataclasses.replace(program, checkpoints=checkpoints)
        program = placed(program, on, address, slurm)
        executor = executor_of(program)
        write_program(program, launch_path(project, found.name))
        watch = watcher(plain=plain, quiet=quiet, verbose=verbose)
        return run_to_end(project, found, executor, watch)
