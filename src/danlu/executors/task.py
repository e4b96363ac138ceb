"""What all trials of an executor run, in a form that travels to other machines."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass

from ..client import LiveTrial
from .functions import packed
from .limits import Limits
from .local import Local, Train


@dataclass(frozen=True)
class Task:
    """What every trial is to run: a command's words, or a pickled training function.

    `workdir` None means the folder that the far side starts in.
    """

    words: tuple[str, ...] | None
    function: bytes | None
    limits: Limits
    pattern: str | None
    workdir: str | None


def task_of(
    train: Train, *, limits: Limits, pattern: str | None, workdir: str | None
) -> Task:
    """The task of running `train`.

    Raises:
        ExecutorError: the function holds something that cannot travel.
    """
    if callable(train):
        return Task(None, packed(train), limits, pattern, workdir)
    words = tuple(os.fspath(word) for word in train)
    return Task(words, None, limits, pattern, workdir)


def local_for(task: Task) -> Local:
    """An executor for a task on the machine that this is called on.

    Raises:
        ExecutorError: this machine lacks something, such as the folder `workdir`.
    """
    function = None if task.function is None else _Packed(task.function)
    return Local(
        task.words or function or (),
        limits=task.limits,
        pattern=task.pattern,
        workdir=task.workdir,
    )


class _Packed:
    """A training function on its way, which only the process server is to load."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __call__(self, trial: LiveTrial) -> object:
        """Runs the function."""
        return pickle.loads(self._content)(trial)

    def __reduce__(self) -> tuple[Callable[[bytes], object], tuple[bytes]]:
        return pickle.loads, (self._content,)
