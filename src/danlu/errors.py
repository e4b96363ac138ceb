"""Every error that this package raises on purpose, drawn as a tree.

DanluError
 ├── SpaceError          a domain, a search space or params that do not fit it
 ├── StudyError          a study that contradicts itself or one that exists
 │    └── StudyNotFound  no study (or more than one) goes by that name
 ├── TrialError          a trial that cannot do what was asked of it
 ├── ReportError         a step or a metric that cannot be recorded
 ├── SamplerError        a sampler that cannot work on this search space
 ├── ExecutorError       a training program that cannot be started
 ├── StorageError        the database cannot be read or written
 │    ├── StorageBusy    other processes held the database for too long
 │    ├── StorageFull    the disk is full
 │    └── StorageFormat  not our file, damaged, or written by a newer danlu
 └── StudyHalted         different trials in a row failed in the same way

Every message says what was asked, what is wrong, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DanluError(Exception):
    """Any error that danlu raises on purpose: `except danlu.DanluError` gets all.

    >>> import danlu
    >>> try:
    ...     danlu.Float(1.0, 0.0)
    ... except danlu.DanluError as error:
    ...     print(error)
    Float needs low <= high, got low=1.0, high=0.0: swap them
    """


class SpaceError(DanluError):
    """A domain, a search space, or params that do not fit it.

    >>> import danlu
    >>> danlu.Choice([])
    Traceback (most recent call last):
    danlu.errors.SpaceError: Choice needs at least one option, got none
    """


class StudyError(DanluError):
    """A study that contradicts itself, or one that exists under the same name."""


class StudyNotFound(StudyError):
    """No study, or more than one, goes by that name."""


class TrialError(DanluError):
    """A trial that cannot do what was asked of it, such as ending twice."""


class ReportError(DanluError):
    """A step or a metric that cannot be recorded."""


class SamplerError(DanluError):
    """A sampler that cannot work on this search space."""


class ExecutorError(DanluError):
    """A training program that cannot be started."""


class StorageError(DanluError):
    """The database cannot be read or written."""


class StorageBusy(StorageError):
    """Other processes held the database for longer than we waited."""


class StorageFull(StorageError):
    """The disk is full; what was acknowledged before is safe."""


class StorageFormat(StorageError):
    """Not a danlu database, a damaged one, or one of a newer danlu."""


class StudyHalted(DanluError):
    """Different trials in a row failed in the same way, so the study stopped.

    The message ends with the last lines of output of the last one.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint naming the known name closest to `name`, or listing a few of them.

    >>> did_you_mean("lrr", ["lr", "momentum"])
    "did you mean 'lr'?"
    """
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return "there are none yet"
    shown = ", ".join(repr(known_name) for known_name in names[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"known: {shown}{more}"
