"""A trial's folder on a Ray cluster: shared with its node, or one of the node's own.

Only a trial whose checkpoints are at a place that all nodes reach can do without a
shared folder. The near side writes down in its folder whom the trial was handed to. A
node that finds that note shares the folder; another one makes a folder of its own, of
which reports and last words travel back through the actor, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..errors import ExecutorError
from . import processes
from .base import Exited, Launch
from .ended import write_json

NOTE = "handed_to.json"


@dataclass(frozen=True)
class Place:
    """Where a slot is: the name of its host, and what Ray calls the node."""

    host: str
    node: str


def hand_out(launch: Launch, place: Place) -> None:
    """Notes whom the trial is handed to.

    Raises:
        ExecutorError: the trial's folder cannot be written.
    """
    if launch.checkpoints is None:
        return
    folder = launch.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "process.json").unlink(missing_ok=True)  # of an earlier start
        note = {**asdict(place), "attempt": launch.trial.attempt}
        write_json(folder / NOTE, note)
    except OSError as error:
        raise ExecutorError(
            f"cannot write in the trial's folder {folder}: {error.strerror}; "
            "free the disk or choose another project folder"
        ) from error


def handed_to(folder: Path) -> Place | None:
    """Whom the trial was handed to last, None where that is not known."""
    note = _note(folder)
    try:
        return Place(str(note["host"]), str(note["node"]))
    except KeyError:
        return None


def here(launch: Launch, place: Place) -> Launch:
    """The launch in the folder that it has at this node."""
    own = {**asdict(place), "attempt": launch.trial.attempt}
    if launch.checkpoints is None or _note(launch.folder) == own:
        return launch
    return replace(launch, folder=own_folder(launch))


def own_folder(launch: Launch) -> Path:
    """A node's own folder for a trial: of this user, and of no other study."""
    names = f"{launch.checkpoints}\n{launch.folder}"
    digest = hashlib.sha256(names.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"danlu-{os.getuid()}" / digest


def end_leftovers_here(launch: Launch) -> None:
    """Kills what is left of a trial on this node, in whichever folder it ran."""
    processes.end_leftovers(launch.folder)
    if launch.checkpoints is not None:
        processes.end_leftovers(own_folder(launch))


def is_elsewhere(launch: Launch) -> bool:
    """Whether the files of the last start are not in the trial's folder as seen here.

    The process server writes a note into the folder where a trial really runs.
    """
    if launch.checkpoints is None:
        return False
    return not (launch.folder / "process.json").exists()


def keep_words(launch: Launch, exited: Exited) -> None:
    """Keeps the last words of a trial whose output is on another node."""
    if exited.tail and is_elsewhere(launch):
        with suppress(OSError), open(launch.folder / "output.log", "a") as output:
            output.write(exited.tail.rstrip("\n") + "\n")


def _note(folder: Path) -> dict[str, object]:
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
