"""`danlu run`: a study's trials, from its file or from the command line alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from .exits import NO_RESULT
from .options import ADDRESS, ON, PLAIN, PROJECT, QUIET, SLURM
from .place import existing_or_new, launch_path
from .stated import WithProgram, stated, study_options
from .words import (
    best_text,
    counts_text,
    params_text,
    progress_counts,
    quoted,
    say,
    short_list_text,
)

if TYPE_CHECKING:
    import logging

    from ..executors.base import Executor
    from ..history import History
    from ..loop import Progress
    from ..project import Project
    from ..study import Study
    from ..studyfile import StudyFile

_SHOWN = 5


@click.command(cls=WithProgram)
@click.argument("target", required=False, metavar="[FILE | train.py:function]")
@study_options
@ON
@ADDRESS
@SLURM
@PROJECT
@click.option("--dry-run", is_flag=True, help="Show the first trials; run nothing.")
@PLAIN
@QUIET
@click.option("-v", "--verbose", is_flag=True, help="Add each trial's params.")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    target: str | None,
    *,
    on: str | None,
    address: str | None,
    slurm: tuple[str, ...],
    place: str | None,
    dry_run: bool,
    plain: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> int:
    """Run a study, or go on with it: its trials are a total.

    The study is stated by a file (study.yaml here by default), by options alone, or by
    both. A program may follow `--`; {lr} in it stands for the value of lr, {args} for
    all params.

    \b
    danlu run
    danlu run study.yaml --trials 200
    danlu run train.py:train -p 'lr=1e-4..1e-1:log' --min val_loss --trials 20
    danlu run -p 'lr=1e-4..1e-1:log' -p 'opt=sgd|adam' --min val_loss --trials 50 \\
        -- python train.py --lr {lr} --opt {opt}
    """
    from ..studyfile import write_program
    from .programs import check_words, executor_of, placed
    from .progress import watcher

    file = stated(target, ctx.obj, options)
    check_words(file)
    if dry_run:
        _rehearsed(file)
        return 0
    program = placed(file.program, on, address, slurm)
    executor = executor_of(program)  # first, so that no study is left behind
    with existing_or_new(place) as project:
        warn_on_stderr()
        study = project.plan(file.study)
        _say_baseline(project, study)
        write_program(program, launch_path(project, study.name))
        watch = watcher(plain=plain, quiet=quiet, verbose=verbose)
        return run_to_end(project, study, executor, watch)


def run_to_end(
    project: Project,
    study: Study,
    executor: Executor,
    watch: Callable[[Progress], None],
) -> int:
    """Runs what is left of a study and says how it ended; the exit code."""
    try:
        history = project.run(study, executor, watch=watch)
    except (KeyboardInterrupt, SystemExit):
        _close(watch)
        say(f"stopped; continue with: danlu resume {quoted(study.name)}")
        raise
    finally:
        _close(watch)
    return _concluded(study, history)


def _concluded(study: Study, history: History) -> int:
    """Writes the result to stdout; 4 when the budget gave none."""
    ended, total = progress_counts(study, history)
    click.echo(f"{study.name}: {ended}/{total} trials, {counts_text(history.trials)}")
    if short_list_text(study):
        say(short_list_text(study))
    if history.best is None:
        say(
            "the budget is used up and no trial has a result: look at one with "
            "`danlu trial logs 0`"
        )
        return NO_RESULT
    click.echo(f"best {best_text(study, history)}")
    say(f"more: danlu report {quoted(study.name)} --html report.html")
    return 0


def _rehearsed(file: StudyFile) -> None:
    """Shows the study and the first trials that it would run."""
    from ..project import open as open_project
    from .check import described, show_findings

    study = file.study
    click.echo(described(study))
    show_findings(study)
    click.echo(f"\nprogram {file.program.text or '-'}")
    with open_project(":memory:", folder=".") as project:
        _quiet_warnings()
        study = replace(study, learn_from=())  # which are not in this project
        for _ in range(min(_SHOWN, study.trials)):
            trial = project.ask(study)
            if trial is None:
                break
            shown = params_text(trial.params, without=study.fixed)
            click.echo(f"#{trial.number}  {trial.kind}  {shown}")


def _say_baseline(project: Project, study: Study) -> None:
    """Says what `danlu confirm` will compare with, where the study does not."""
    held = None if study.baseline is not None else project.to_beat(study)
    if held is None:
        return
    shown = params_text(held.params, without=study.fixed)
    say(f"baseline of {held.origin}: {shown}; `danlu confirm` compares with it")


def _close(watch: Callable[[Progress], None]) -> None:
    close = getattr(watch, "close", None)
    if close is not None:
        close()


def warn_on_stderr() -> None:
    """Lets the library's warnings reach the user."""
    import logging

    class Said(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(f"warning: {record.getMessage()}")

    _handle_warnings(Said())


def _quiet_warnings() -> None:
    """Keeps the library's warnings back where they have been said already."""
    import logging

    _handle_warnings(logging.NullHandler())


def _handle_warnings(handler: logging.Handler) -> None:
    import logging

    log = logging.getLogger("danlu")
    log.handlers = [handler]
    log.propagate = False
