"""`danlu trial`: one trial, looked at, run again, or stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import TrialError
from .options import JSON, OF_STUDY, PROJECT
from .place import existing
from .words import number, quoted, say, show_json, trial_json

if TYPE_CHECKING:
    from ..history import History
    from ..project import Project
    from ..study import Study
    from ..trial import Trial

OUTPUT = "output.log"
_FOLLOW_S = 0.3
_NUMBER = click.argument("number_", metavar="N", type=click.IntRange(0))


@click.group()
def trial() -> None:
    """Look at one trial, run it again, or stop it."""


@trial.command()
@_NUMBER
@OF_STUDY
@JSON
@PROJECT
def show(number_: int, study: str | None, as_json: bool, place: str | None) -> None:
    """What trial N is: params, state, metrics, times, files."""
    from ..analysis import schedule_of

    with existing(place) as project:
        found, history, one = _found(project, study, number_)
        folder = project.trial_folder(found, number_)
    if as_json:
        document = trial_json(found, history, one)
        document["folder"] = str(folder)
        document["metrics"] = {
            name: {
                "steps": curve.steps.tolist(),
                "values": curve.values.tolist(),
            }
            for name, curve in one.curves.items()
        }
        stretches = schedule_of(history, number_)
        document["schedule"] = [stretch.to_json() for stretch in stretches]
        show_json("trial", {"study": found.name, **document})
        return
    click.echo("\n".join(_lines(found, history, one, folder)))


@trial.command()
@_NUMBER
@OF_STUDY
@click.option("--follow", "-f", is_flag=True, help="Go on while the trial runs.")
@PROJECT
def logs(number_: int, study: str | None, follow: bool, place: str | None) -> None:
    """What the program of trial N has printed."""
    with existing(place) as project:
        found, _, _ = _found(project, study, number_)
        path = project.trial_folder(found, number_) / OUTPUT
        if not path.is_file():
            raise TrialError(f"trial {number_} has no output: there is no {path}")
        with path.open("rb") as output:
            while True:
                state = _found(project, found.name, number_)[2].state
                while chunk := output.read(1 << 16):
                    click.echo(chunk, nl=False)
                if not follow or state.ended:
                    return
                time.sleep(_FOLLOW_S)


@trial.command()
@_NUMBER
@click.option(
    "--afresh", is_flag=True, help="Throw its checkpoint away and begin at step 0."
)
@OF_STUDY
@PROJECT
def rerun(number_: int, afresh: bool, study: str | None, place: str | None) -> None:
    """Put the ended trial N back in the queue; it goes on from its checkpoint."""
    from ..cleanup import places_of_trial, remove_place

    with existing(place) as project:
        found = project.study(study)
        if afresh and _has_ended(project, found, number_):
            # Before it is queued: a loop that waits for trials would begin it at once.
            for kept_at in places_of_trial(project.trial_folder(found, number_)):
                remove_place(kept_at)
        project.requeue(found, number_)
    now = f"danlu resume {quoted(found.name)}"
    say(f"trial {number_} is to be run again; `{now}` does it now")


@trial.command()
@_NUMBER
@OF_STUDY
@click.option("--reason", default="", metavar="TEXT", help="Kept with the trial.")
@PROJECT
def stop(number_: int, study: str | None, reason: str, place: str | None) -> None:
    """End trial N, wherever it runs; what it reported stays."""
    with existing(place) as project:
        found = project.study(study)
        project.end(found, number_, reason)
    say(f"trial {number_} of {found.name} is stopped")


def _found(
    project: Project, name: str | None, wanted: int
) -> tuple[Study, History, Trial]:
    study = project.study(name)
    history = project.history(study)
    for one in history.trials:
        if one.number == wanted:
            return study, history, one
    count = len(history.trials)
    known = f"0 to {history.trials[-1].number}" if count else "none yet"
    raise TrialError(f"no trial {wanted} in study {study.name!r}; it has {known}")


def _lines(study: Study, history: History, one: Trial, folder: Path) -> Iterator[str]:
    loss = history.loss(one)
    name = study.objective.name
    budget = f" of {one.budget}" if one.budget is not None else ""
    yield f"trial    #{one.number} of {study.name}, {one.kind}, {one.state}"
    if one.reason:
        yield f"reason   {one.reason}"
    if "why" in one.sampler_note:
        yield f"params   by {one.sampler_note['why']}"
    if "why" in one.scheduler_note:
        yield f"length   by {one.scheduler_note['why']}"
    yield f"step     {one.step}{budget}, attempt {one.attempt}, seed {one.seed}"
    if loss is not None:
        at = study.objective.at
        yield f"{name}  {number(study.objective.value(loss))} ({at} over its steps)"
    for metric, curve in one.curves.items():
        if metric != name and len(curve):
            yield f"{metric}  {number(curve.last)} (last)"
    for param, value in one.params.items():
        shown = repr(value) if isinstance(value, float) else value
        yield f"  {param} = {shown}"
    yield from _schedule_lines(history, one)
    yield f"time     {_moment(one.started_s)} to {_moment(one.ended_s)}, on {one.host}"
    yield from _trained_lines(one)
    yield f"files    {folder}"


def _schedule_lines(history: History, one: Trial) -> Iterator[str]:
    """By which params the trial's checkpoint was trained, if not by its own alone."""
    from ..analysis import schedule_of
    from ..report.schedule import schedule_rows
    from ..report.table import table

    if one.parent is None:
        return
    yield f"parent   #{one.parent}, from its checkpoint at step {one.first_step}"
    yield "schedule"
    yield from table(schedule_rows(schedule_of(history, one.number)))


def _trained_lines(one: Trial) -> Iterator[str]:
    """For how long a trial was trained that waited in between."""
    from ..studyfile.quantities import duration_text

    if one.idle_s and one.seconds is not None:
        yield f"trained  {duration_text(one.seconds)} of it"


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return "now"
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"


def _has_ended(project: Project, study: Study, number: int) -> bool:
    trials = project.history(study).trials
    return any(own.number == number and own.state.ended for own in trials)
