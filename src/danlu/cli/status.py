"""`danlu status`: what runs, how far a study is, and the best so far."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..trial import State
from .curves import BestAtStep, compared
from .options import JSON, PROJECT, STUDY
from .place import existing
from .words import (
    best_text,
    counts_text,
    number,
    progress_counts,
    quoted,
    short_list_text,
    show_json,
    size,
    study_state,
    trial_json,
)

if TYPE_CHECKING:
    from ..cleanup import DiskUse
    from ..history import History
    from ..project import Project
    from ..study import Study
    from ..trial import Trial

WATCH_S = 2.0


@click.command()
@STUDY
@click.option("--watch", is_flag=True, help="Show it again every two seconds.")
@JSON
@PROJECT
def status(study: str | None, watch: bool, as_json: bool, place: str | None) -> None:
    """What runs in STUDY (the newest by default), and the best so far."""
    if watch and as_json:
        raise click.UsageError("--watch and --json: choose one of the two")
    with existing(place) as project:
        while True:
            found = project.study(study)
            history = project.history(found)
            if as_json:
                show_json("status", status_json(project, found, history))
            else:
                if watch:
                    click.clear()
                click.echo(status_text(project, found, history))
            if not watch or study_state(found, history) == "done":
                return
            time.sleep(WATCH_S)


def status_text(project: Project, study: Study, history: History) -> str:
    """One screen: how far, the best, what runs, what is lost."""
    ended, total = progress_counts(study, history)
    lost = lost_trials(project, study)
    state = study_state(study, history, lost)
    lines = [
        f"study  {study.name}  {state}  {ended}/{total} trials",
        f"goal   {study.goal}",
        f"best   {best_text(study, history)}",
        f"all    {counts_text(history.trials)}",
    ]
    if short_list_text(study):
        lines.append(f"ends   {short_list_text(study)}")
    folder, used = _disk(project, study)
    if used.size_bytes:
        bound = "" if used.complete else "at least "
        lines.append(f"disk   {bound}{size(used.size_bytes)}  {folder}")
    for kept_at, used in _elsewhere(folder):
        bound = "" if used.complete else "at least "
        lines.append(f"disk   {bound}{size(used.size_bytes)}  {kept_at}")
    best = BestAtStep()
    running = [t for t in history.trials if t.state is State.RUNNING]
    if running:
        best.learn(history)
    lines += [_running_line(study, trial, best) for trial in running]
    if lost:
        numbers = ", ".join(f"#{number}" for number in sorted(lost))
        lines.append(
            f"lost   {numbers}: the process that ran them is gone; "
            f"`danlu resume {quoted(study.name)}` goes on with them"
        )
    return "\n".join(lines)


def status_json(project: Project, study: Study, history: History) -> dict[str, Any]:
    """The same as a document."""
    ended, total = progress_counts(study, history)
    counts = {
        state.value: sum(trial.state is state for trial in history.trials)
        for state in State
    }
    running = [t for t in history.trials if t.state is State.RUNNING]
    best = history.best
    lost = lost_trials(project, study)
    folder, used = _disk(project, study)
    return {
        "study": study.name,
        "goal": study.goal,
        "state": study_state(study, history, lost),
        "metric": {
            "name": study.objective.name,
            "goal": "max" if study.objective.maximize else "min",
        },
        "ended": ended,
        "trials": total,
        "counts": counts,
        "best": None if best is None else trial_json(study, history, best),
        "running": [trial_json(study, history, trial) for trial in running],
        "lost": sorted(lost),
        "disk": {
            "folder": str(folder),
            "bytes": used.size_bytes,
            "complete": used.complete,
            "elsewhere": [
                {"place": kept_at, "bytes": own.size_bytes, "complete": own.complete}
                for kept_at, own in _elsewhere(folder)
            ],
        },
    }


def _disk(project: Project, study: Study) -> tuple[Path, DiskUse]:
    """Where the trials keep their files, and how much they take."""
    from ..cleanup import disk_use

    folder = project.trial_folder(study, 0).parent
    return folder, disk_use(folder)


def _elsewhere(folder: Path) -> list[tuple[str, DiskUse]]:
    """Where checkpoints are kept outside of the study's folder, and how much of it."""
    from ..cleanup import checkpoint_places, place_use

    return [(place, place_use(place)) for place in checkpoint_places(folder)]


def lost_trials(project: Project, study: Study) -> set[int]:
    """The running trials whose process is gone, or has been silent for too long."""
    from ..owner import is_dead

    return {
        holding.number
        for holding in project.holdings(study)
        if holding.lapsed or is_dead(holding.owner)
    }


def _running_line(study: Study, trial: Trial, best: BestAtStep) -> str:
    curve = trial.curves.get(study.objective.name)
    budget = f"/{trial.budget}" if trial.budget is not None else ""
    parts = [f"run    #{trial.number}", f"step {trial.step}{budget}"]
    if curve is not None and len(curve):
        parts.append(f"{study.objective.name} {number(curve.last)}")
        parts.append(compared(study.objective, trial, best))
    parts.append(f"on {trial.host}" if trial.host else "")
    return "  ".join(part for part in parts if part)
