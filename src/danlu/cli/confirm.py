"""`danlu confirm`: the best of a study and the baseline, on fresh seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import StudyError
from ..sentence import plural
from .options import PLAIN, PROJECT, QUIET, STUDY
from .place import existing, launch_path
from .stated import WithProgram
from .words import progress_counts, quoted, say

if TYPE_CHECKING:
    from ..project import Project
    from ..study import Study
    from ..studyfile import Program
    from ..trial import Trial


@click.command(cls=WithProgram)
@STUDY
@click.option("--top", type=click.IntRange(1), default=3, show_default=True,
              metavar="K", help="How many of the best to confirm.")  # fmt: skip
@click.option("--trial", "-t", "trials", type=click.IntRange(0), multiple=True,
              metavar="N", help="Confirm this trial instead of the best.")  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True,
              metavar="N", help="Seeds for each, earlier ones included.")  # fmt: skip
@click.option("--queue", is_flag=True, help="Only queue the runs.")
@PLAIN
@QUIET
@PROJECT
@click.pass_context
def confirm(
    ctx: click.Context,
    /,
    study: str | None,
    *,
    top: int,
    trials: tuple[int, ...],
    seeds: int,
    queue: bool,
    plain: bool,
    quiet: bool,
    place: str | None,
) -> int:
    """Run the best of STUDY (the newest by default) and the baseline on fresh seeds.

    The best of many trials is lucky. Every configuration gets the same seeds, so that
    they are compared in pairs. The runs are trials of the study; they are run as its
    trials were, or by the program after `--`. `danlu decide` then says what they mean.

    \b
    danlu confirm
    danlu confirm digits --top 2 --seeds 8
    danlu confirm digits --trial 7 --seeds 12 -- python train.py {args}
    """
    with existing(place) as project:
        found = project.study(study)
        program = None if queue else _program(project, found, ctx.obj)
        queued = project.confirm(found, top=top, seeds=seeds, trials=trials)
        _say_queued(project, found, queued)
        if program is None or not queued:
            return 0
        return _run(project, found, program, plain=plain, quiet=quiet)


def _program(project: Project, study: Study, words: list[str] | None) -> Program:
    """How the runs are started; found first, so that no run is queued in vain."""
    from ..studyfile import read_program, write_program
    from .programs import started_by

    path = launch_path(project, study.name)
    program = read_program(path)
    if words:
        program = started_by(words, program)
        write_program(program, path)
    if not program.text:
        raise StudyError(
            f"how study {study.name!r} is run is not known here: end with "
            "`-- python train.py {args}`, or run them yourself after --queue"
        )
    return program


def _say_queued(project: Project, study: Study, queued: tuple[Trial, ...]) -> None:
    if not queued:
        say(f"{study.name}: all of them have been run")
        return
    for reason in dict.fromkeys(own.reason.partition(", seed ")[0] for own in queued):
        say(f"{reason}")
    say(f"{plural(len(queued), 'run')} to go")
    ended, total = progress_counts(study, project.history(study))
    if ended < total:
        left = plural(total - ended, "search trial")
        say(f"{study.name} has {left} left, which are run after these")


def _run(
    project: Project, study: Study, program: Program, *, plain: bool, quiet: bool
) -> int:
    from .programs import executor_of
    from .progress import watcher
    from .run import run_to_end

    watch = watcher(plain=plain, quiet=quiet, verbose=False)
    code = run_to_end(project, study, executor_of(program), watch)
    if code == 0:
        say(f"what it means: danlu decide {quoted(study.name)}")
    return code
