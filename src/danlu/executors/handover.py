"""What a trial is handed: files in its folder, variables in its environment."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from ..errors import ExecutorError
from .base import Launch
from .command import text
from .ended import write_json


def prepare(launch: Launch) -> None:
    """Makes the trial's folder ready for a start; what it has reported stays.

    Raises:
        ExecutorError: the folder cannot be written.
    """
    folder = launch.folder
    try:
        set_aside(launch)
        (folder / "checkpoint").mkdir(parents=True, exist_ok=True)
        for stale in ("stop", "exit.json", "process.json"):
            (folder / stale).unlink(missing_ok=True)
        _end_torn_line(folder / "reports.jsonl")
        write_json(folder / "params.json", dict(launch.trial.params))
    except OSError as error:
        raise ExecutorError(
            f"cannot write in the trial's folder {folder}: {error.strerror}; "
            "free the disk or choose another project folder"
        ) from error


def set_aside(launch: Launch) -> None:
    """Moves what another trial left in the folder away, so that none goes on from it.

    Such as one of the same number, of a database that was removed.
    """
    folder, count = launch.folder, 1
    told = folder / "params.json"
    if launch.trial.parent is not None or not told.exists():
        return  # a child's folder has its parent's checkpoint
    with suppress(ValueError):
        if json.loads(told.read_text("utf-8")) == dict(launch.trial.params):
            return
    while (away := folder.with_name(f"{folder.name}.before-{count}")).exists():
        count += 1
    folder.rename(away)


def environment(launch: Launch) -> dict[str, str]:
    """The variables that tell a program which trial it is."""
    trial, folder = launch.trial, launch.folder
    budget = "" if trial.budget is None else str(trial.budget)
    named = {
        f"DANLU_PARAM_{name.upper()}": text(value)
        for name, value in trial.params.items()
        if name.isidentifier() and _fits(name + text(value))
    }
    return {
        **named,
        "DANLU_STUDY": launch.study,
        "DANLU_TRIAL": str(trial.number),
        "DANLU_PARAMS": str(folder / "params.json"),
        "DANLU_SEED": str(trial.seed),
        "DANLU_BUDGET": budget,
        "DANLU_METRIC": launch.metric,
        "DANLU_REPORT": str(folder / "reports.jsonl"),
        "DANLU_CHECKPOINT": str(folder / "checkpoint"),
        "DANLU_CHECKPOINTS": launch.checkpoints or "",
        "DANLU_FOLDER": str(folder),
        "DANLU_STOP": str(folder / "stop"),
        "DANLU_ATTEMPT": str(trial.attempt),
    }


def size_of(path: Path) -> int:
    """The file's size in bytes, 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _fits(content: str) -> bool:
    """Whether a variable can hold this text; `params.json` holds any."""
    try:
        return b"\0" not in os.fsencode(content)
    except UnicodeEncodeError:
        return False


def _end_torn_line(path: Path) -> None:
    """Ends a line that a crash cut short, so that the next one starts on its own."""
    if not size_of(path):
        return
    with open(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
