"""How one attempt of a trial ended, as the file `exit.json` keeps it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path


class Cause(StrEnum):
    """Why we ended a program, if we did."""

    NONE = ""
    STOP = "stop"
    TIME = "time"
    MEMORY = "memory"
    OUTPUT = "output"


@dataclass(frozen=True)
class Ended:
    """The end of one attempt.

    `code` is the exit code, or minus the number of the signal that killed it. `cause`
    says why we had asked it to end. `oom_kill`: the kernel ran out of memory meanwhile.
    """

    number: int
    attempt: int
    code: int
    cause: str = Cause.NONE
    oom_kill: bool = False


def write_ended(folder: Path, ended: Ended) -> None:
    """Keeps how an attempt ended."""
    write_json(folder / "exit.json", asdict(ended))


def read_ended(folder: Path, attempt: int) -> Ended | None:
    """How this attempt ended, None if it has not or another one did."""
    try:
        ended = Ended(**json.loads((folder / "exit.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return ended if ended.attempt == attempt else None


def write_json(path: Path, document: object) -> None:
    """Replaces the file at once: readers see the old one or the new one."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(document), encoding="utf-8")
    os.replace(fresh, path)
