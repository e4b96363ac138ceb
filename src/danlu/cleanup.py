"""What trials take on the disk, and which checkpoints may go."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import StorageError

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
    """The checkpoints of an ended trial, which may be removed.

    >>> Removable(3, Path("digits/3/checkpoint"), 2**20).number
    3
    """

    number: int
    folder: Path
    size_bytes: int


def disk_use(folder: Path, within_s: float = 0.2) -> DiskUse:
    """What is in a folder, as far as it can be counted in that time.

    >>> disk_use(Path("nowhere"))
    DiskUse(size_bytes=0, complete=True)
    """
    deadline, size_bytes = time.monotonic() + within_s, 0
    for size in _sizes(folder):
        size_bytes += size
        if time.monotonic() > deadline:
            return DiskUse(size_bytes, complete=False)
    return DiskUse(size_bytes, complete=True)


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
            folder = project.trial_folder(study, trial.number) / "checkpoint"
            size_bytes = sum(_sizes(folder))
            if size_bytes:
                found.append(Removable(trial.number, folder, size_bytes))
    return found


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
        StorageError: a folder cannot be removed.
    """
    removed = removable(project, study, keep=keep, best=best)
    for own in removed:
        try:
            shutil.rmtree(own.folder)
        except OSError as error:
            raise StorageError(
                f"cannot remove {own.folder}: {error.strerror or error}; remove it by "
                "hand, or ask whom it belongs to"
            ) from error
    return removed


def _sizes(folder: Path) -> Iterator[int]:
    """The bytes of every file below a folder; what disappears meanwhile is left out."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _sizes(Path(entry.path))
            continue
        with suppress(OSError):
            facts = entry.stat(follow_symlinks=False)
            yield getattr(facts, "st_blocks", 0) * 512 or facts.st_size
