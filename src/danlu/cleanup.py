"""What trials take on the disk, and which checkpoints may go."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from .checkpoints.places import disk_sizes, place_of
from .errors import StorageError
from .executors.checkpoint_place import noted_place

if TYPE_CHECKING:
    from .project import Project
    from .study import Study


class Keep(StrEnum):
    """Which ended trials keep their checkpoints.

    >>> [keep.value for keep in Keep]
    ['all', 'best', 'none']
    """

    ALL = "all"
    BEST = "best"
    NONE = "none"


@dataclass(frozen=True)
class DiskUse:
    """How many bytes are used; `complete` is False where counting was cut short.

    >>> DiskUse(1024, complete=False).size_bytes
    1024
    """

    size_bytes: int
    complete: bool


@dataclass(frozen=True)
class Removable:
    """The checkpoints of an ended trial at one place, which may be removed.

    `place` is a folder or a URL.

    >>> Removable(3, "s3://bucket/digits/3", 2**20).number
    3
    """

    number: int
    place: str
    size_bytes: int


def disk_use(folder: Path, within_s: float = 0.2) -> DiskUse:
    """What is in a folder, as far as it can be counted in that time.

    >>> disk_use(Path("nowhere"))
    DiskUse(size_bytes=0, complete=True)
    """
    deadline, size_bytes = time.monotonic() + within_s, 0
    for size in disk_sizes(folder):
        size_bytes += size
        if time.monotonic() > deadline:
            return DiskUse(size_bytes, complete=False)
    return DiskUse(size_bytes, complete=True)


def place_use(place: str, within_s: float = 2.0) -> DiskUse:
    """What checkpoints take at a URL or in a folder, as far as it answers in time.

    >>> place_use("nowhere")
    DiskUse(size_bytes=0, complete=True)
    """
    sizes: list[int] = []
    whole: list[bool] = []

    def count() -> None:
        with suppress(Exception):  # each kind of store has its own: it stays uncounted
            sizes.extend(place_of(place).sizes())
            whole.append(True)

    counting = threading.Thread(target=count, daemon=True)
    counting.start()
    counting.join(within_s)
    return DiskUse(sum(list(sizes)), complete=bool(whole))


def checkpoint_places(folder: Path, within_s: float = 0.2) -> Sequence[str]:
    """Where a study's trials keep checkpoints outside of the study's own folder.

    >>> checkpoint_places(Path("nowhere"))
    []
    """
    deadline = time.monotonic() + within_s
    found: dict[str, None] = {}
    with suppress(OSError):
        for entry in os.scandir(folder):
            place = noted_place(Path(entry.path))
            if place is not None:
                found[place.rpartition("/")[0]] = None
            if time.monotonic() > deadline:
                break
    return list(found)


def removable(
    project: Project, study: Study, *, keep: Keep = Keep.BEST, best: int = 3
) -> Sequence[Removable]:
    """The checkpoints that `keep` does without: of ended trials only.

    A trial that runs, pauses or waits needs its checkpoint to go on.

    >>> import danlu
    >>> with danlu.open(":memory:") as project:
    ...     study = danlu.Study("s", "Where is the minimum?", "loss",
    ...                         {"x": danlu.Float(-1, 1)}, trials=1)
    ...     list(removable(project, study))
    []
    """
    if keep is Keep.ALL:
        return []
    history = project.history(study)
    kept = history.ranked()[:best] if keep is Keep.BEST else ()
    spared = {trial.number for trial in kept}
    found: list[Removable] = []
    for trial in history.trials:
        if trial.state.ended and trial.number not in spared:
            folder = project.trial_folder(study, trial.number)
            found += [
                Removable(trial.number, place, size_bytes)
                for place in places_of_trial(folder)
                if (size_bytes := _size_bytes(place))
            ]
    return found


def places_of_trial(folder: Path) -> Sequence[str]:
    """Where the trial of this folder may have checkpoints: in it, and elsewhere.

    >>> [Path(place).name for place in places_of_trial(Path("digits/3"))]
    ['checkpoint']
    """
    elsewhere = noted_place(folder)
    own = str(folder / "checkpoint")
    return [own] if elsewhere is None else [own, elsewhere]


def remove_place(place: str) -> None:
    """Removes all checkpoints at a place, which is a folder or a URL.

    >>> remove_place("nowhere")

    Raises:
        StorageError: they cannot be removed.
    """
    try:
        place_of(place).clear()
    except Exception as error:  # each kind of store has errors of its own
        raise StorageError(
            f"cannot remove {place}: {_why(error)}; remove it by hand, or ask whom it "
            "belongs to"
        ) from error


def clean(
    project: Project, study: Study, *, keep: Keep = Keep.BEST, best: int = 3
) -> Sequence[Removable]:
    """Removes the checkpoints that `keep` does without, and says which they were.

    Reports, output and params stay. A trial that is run again later begins at step 0.

    >>> import danlu
    >>> with danlu.open(":memory:") as project:
    ...     study = danlu.Study("s", "Where is the minimum?", "loss",
    ...                         {"x": danlu.Float(-1, 1)}, trials=1)
    ...     list(clean(project, study, keep=Keep.NONE))
    []

    Raises:
        StorageError: checkpoints cannot be looked at, or cannot be removed.
    """
    removed = removable(project, study, keep=keep, best=best)
    for own in removed:
        remove_place(own.place)
    return removed


def _size_bytes(place: str) -> int:
    try:
        return sum(place_of(place).sizes())
    except Exception as error:  # each kind of store has errors of its own
        raise StorageError(
            f"cannot look at the checkpoints in {place}: {_why(error)}"
        ) from error


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
