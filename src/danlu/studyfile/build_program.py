"""From what was said to a program: the command or function, its slots and limits."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from ..errors import StudyError
from .document import Document, Key
from .function import is_reference
from .keys import check_known, or_default
from .program import Program
from .quantities import seconds, size_bytes

_LIMITS = ("time", "memory", "output", "grace")
_T = TypeVar("_T")


def build_program(document: Document, folder: Path) -> Program:
    """How the trials are started, in `folder`, as a document says."""
    limits = document.get("limits") or {}
    if not isinstance(limits, Mapping):
        raise document.error(("limits",), f"needs {', '.join(_LIMITS)}: {limits!r}")
    check_known(document, ("limits",), limits, _LIMITS)
    grace_s = _measured(document, ("limits", "grace"), seconds)
    return Program(
        command=_command(document),
        function=_function(document),
        workdir=str(folder.resolve()),
        slots=_count(document, "slots"),
        gpus=_gpus(document),
        gpus_per_trial=_share(document),
        time_s=_measured(document, ("limits", "time"), seconds),
        memory_bytes=_measured(document, ("limits", "memory"), size_bytes),
        output_bytes=_measured(document, ("limits", "output"), size_bytes) or 2**30,
        grace_s=30.0 if grace_s is None else grace_s,
        pattern=_pattern(document),
        checkpoints=_checkpoints(document, folder),
    )


def _command(document: Document) -> tuple[str, ...]:
    stated = document.get("command")
    if stated is None:
        return ()
    if document.get("function") is not None:
        raise document.error(
            ("function",), "there is a command as well: keep one of the two"
        )
    if isinstance(stated, str):
        try:
            words = shlex.split(stated)
        except ValueError as error:
            raise document.error(("command",), f"{error} in {stated!r}") from None
    else:
        words = stated
    if not isinstance(words, list) or not words or isinstance(words[0], dict):
        raise document.error(("command",), f"needs a command, got {stated!r}")
    return tuple(str(word) for word in words)


def _function(document: Document) -> str:
    stated = document.get("function")
    if stated is None:
        return ""
    if not isinstance(stated, str) or not is_reference(stated):
        raise document.error(
            ("function",), f"needs a form such as train.py:train, got {stated!r}"
        )
    return stated


def _count(document: Document, key: str) -> int:
    value = or_default(document, key)
    if type(value) is not int or value < 1:
        raise document.error((key,), f"is a whole number from 1, got {value!r}")
    return value


def _gpus(document: Document) -> tuple[str, ...]:
    stated = document.get("gpus")
    if stated is None:
        return ()
    if isinstance(stated, bool) or not isinstance(stated, str | int | list):
        raise document.error(
            ("gpus",), f"lists the devices, as in [0, 1], got {stated!r}"
        )
    names = stated if isinstance(stated, list) else str(stated).split(",")
    return tuple(str(name).strip() for name in names)


def _share(document: Document) -> float:
    value = or_default(document, "gpus_per_trial")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise document.error(
            ("gpus_per_trial",), f"is a number above 0, such as 0.5, got {value!r}"
        )
    return float(value)


def _measured(
    document: Document, key: Key, measure: Callable[[object], _T]
) -> _T | None:
    stated = document.get(*key)
    if stated is None:
        return None
    try:
        return measure(stated)
    except StudyError as error:
        raise document.error(key, error) from None


def _checkpoints(document: Document, folder: Path) -> str | None:
    """A URL as it stands; a folder from where the study file is."""
    stated = document.get("checkpoints")
    if stated is None:
        return None
    if not isinstance(stated, str) or not stated:
        raise document.error(("checkpoints",), f"is a URL or a folder, got {stated!r}")
    return stated if "://" in stated else str((folder / stated).resolve())


def _pattern(document: Document) -> str | None:
    stated = document.get("pattern")
    if stated is None:
        return None
    try:
        re.compile(stated)
    except (re.error, TypeError) as error:
        raise document.error(
            ("pattern",), f"is no regular expression: {error}"
        ) from None
    return str(stated)
