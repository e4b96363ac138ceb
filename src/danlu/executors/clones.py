"""The checkpoints that a new trial begins from: copies of its parent's.

A copy is made before the new trial exists, while its parent stands still. The file
`cloned.json` in the new trial's folder is there first. So what a crash leaves under a
number that no trial has yet is found, and thrown away before the number is given out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..checkpoints.places import place_of
from ..errors import ExecutorError
from .checkpoint_place import MARK, NOTE, is_used, noted_place, told
from .ended import write_json

CLONED = "cloned.json"


@dataclass(frozen=True)
class Clones:
    """Copies of checkpoints from one trial's folder to another's.

    `folder` maps a trial's number to where its files are.

    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> clones = Clones(lambda number: root / str(number))
    >>> (root / "3" / "checkpoint").mkdir(parents=True)
    >>> _ = (root / "3" / "checkpoint" / "weights").write_text("0.5")
    >>> clones.take(3, 4)
    True
    >>> (root / "4" / "checkpoint" / "weights").read_text()
    '0.5'
    """

    folder: Callable[[int], Path]

    def take(self, parent: int, child: int) -> bool:
        """Whether `parent` had a checkpoint, of which `child` has a copy now.

        A copy that was begun before is thrown away.

        Raises:
            ExecutorError: it cannot be copied, or another study is in the way.
        """
        self.drop(child)
        source, target = self.folder(parent).absolute(), self.folder(child).absolute()
        place = noted_place(source)
        try:
            target.mkdir(parents=True, exist_ok=True)
            own = None if place is None else f"{place.rpartition('/')[0]}/{child}"
            if own is not None:
                _check_free(own)
            write_json(target / CLONED, {"parent": parent, "place": own})
            checkpoint = place_of(str(source / "checkpoint"))
            found = checkpoint.copy_to(str(target / "checkpoint"))
            if place is not None and own is not None:
                found |= _copied(place, own, parent)
                write_json(target / NOTE, {"place": own})
        except OSError as error:
            raise ExecutorError(
                f"the checkpoint of trial {parent} cannot be copied to {target}: "
                f"{error.strerror or error}; free the disk and run the study again"
            ) from error
        return found

    def drop(self, number: int) -> None:
        """Throws away what was copied for a number that no trial has yet.

        Raises:
            ExecutorError: it cannot be removed.
        """
        folder = self.folder(number)
        note = folder / CLONED
        if not note.exists():
            return
        place = _place_of_clone(note)
        if place is not None:
            with told(place):
                place_of(place).clear()
        try:
            place_of(str(folder / "checkpoint")).clear()
            (folder / NOTE).unlink(missing_ok=True)
            note.unlink()
        except OSError as error:
            raise ExecutorError(
                f"cannot remove the copied checkpoint in {folder}: {error.strerror}; "
                "remove it yourself and run the study again"
            ) from error


def _check_free(place: str) -> None:
    with told(place):
        if is_used(place_of(place)) or place_of(place).read(MARK) is not None:
            raise ExecutorError(
                f"{place} is taken by another study of the same name: choose another "
                "place for checkpoints, or remove what is there"
            )


def _copied(place: str, own: str, parent: int) -> bool:
    """Whether there was anything to copy from one place to the other."""
    with told(own):
        mark = json.dumps({"parent": parent}).encode()
        place_of(own).write(MARK, mark)  # whoever comes by now knows that it is taken
        return place_of(place).copy_to(own, without=(MARK,))


def _place_of_clone(note: Path) -> str | None:
    try:
        place = json.loads(note.read_text(encoding="utf-8"))["place"]
    except (OSError, ValueError, TypeError, KeyError):
        return None  # it was cut short: nothing had been copied yet
    return os.fspath(place) if isinstance(place, str) else None
