"""Where a trial's checkpoints are, when they are not to stay in its folder.

The first start of a trial decides it, and writes it down in the trial's folder: the
trial goes on from there, whatever the executor is told by then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ..checkpoints.places import Place, place_of
from ..errors import ExecutorError
from ..folders import folder_name
from .base import Launch
from .ended import write_json

NOTE = "checkpoints.json"
MARK = "trial.json"  # at the place: whose it is


def checked_root(root: str | os.PathLike[str] | None) -> str | None:
    """Where all studies' checkpoints go: a URL as it is, a folder made absolute.

    >>> checked_root("s3://bucket/tuning/")
    's3://bucket/tuning'

    Raises:
        ExecutorError: it is neither.
    """
    if root is None:
        return None
    text = os.fspath(root) if isinstance(root, str | os.PathLike) else ""
    kind, _, rest = text.partition("://")
    if not text or (not rest.strip("/") and kind != text):
        raise ExecutorError(
            f"checkpoints={root!r} names no place: write a URL such as "
            "s3://bucket/tuning, or a folder"
        )
    return text.rstrip("/") if "://" in text else str(Path(text).absolute())


def noted_place(folder: Path) -> str | None:
    """Where the trial of this folder keeps its checkpoints, None for in it."""
    try:
        place = json.loads((folder / NOTE).read_text(encoding="utf-8"))["place"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return place if isinstance(place, str) else None


def located(launch: Launch) -> Launch:
    """The same with an absolute folder, and the place of its checkpoints if noted."""
    launch = replace(launch, folder=launch.folder.absolute())
    if launch.checkpoints is not None:
        return launch
    return replace(launch, checkpoints=noted_place(launch.folder))


def placed(launch: Launch, root: str | None) -> Launch:
    """The same for a start: a trial that has no checkpoints yet gets a place at `root`.

    Raises:
        ExecutorError: the place cannot be used, or is taken by another study.
    """
    launch = located(launch)
    if root is None or launch.checkpoints is not None:
        return launch
    if _has_files(launch.folder / "checkpoint"):
        return launch  # it began before there was a `root`
    place = f"{root}/{folder_name(launch.study)}/{launch.trial.number}"
    _take(launch, place)
    try:
        launch.folder.mkdir(parents=True, exist_ok=True)
        write_json(launch.folder / NOTE, {"place": place})
    except OSError as error:
        raise ExecutorError(
            f"cannot write in the trial's folder {launch.folder}: {error.strerror}; "
            "free the disk or choose another project folder"
        ) from error
    return replace(launch, checkpoints=place)


def has_checkpoint(launch: Launch) -> bool:
    """Whether the trial has saved anything to go on from.

    Raises:
        ExecutorError: its place cannot be looked at.
    """
    if _has_files(launch.folder / "checkpoint"):
        return True
    if launch.checkpoints is None:
        return False
    with told(launch.checkpoints):
        return is_used(place_of(launch.checkpoints))


def _take(launch: Launch, place: str) -> None:
    """Marks the place as the trial's; it must not go on from what another one saved."""
    trial = launch.trial
    own = json.dumps({"params": dict(trial.params), "seed": trial.seed}).encode()
    with told(place):
        there = place_of(place)
        mark, has_files = there.read(MARK), is_used(there)
        is_mine = mark == own and trial.attempt > 1
        if mark not in (None, own) or (has_files and not is_mine):
            raise ExecutorError(
                f"{place} is taken by another study of the name {launch.study!r}: "
                "choose another place, or remove what is there"
            )
        there.write(MARK, own)


def is_used(place: Place) -> bool:
    """Whether there is anything at a place but the mark of whose it is."""
    return any(name != MARK for name in place.names())


@contextmanager
def told(place: str) -> Iterator[None]:
    """Tells what is wrong with a place; each kind of store has errors of its own."""
    try:
        yield
    except ExecutorError:
        raise
    except Exception as error:
        raise ExecutorError(
            f"checkpoints cannot be kept at {place}: {error or type(error).__name__}"
        ) from error


def _has_files(folder: Path) -> bool:
    with suppress(OSError):
        return any(folder.iterdir())
    return False
