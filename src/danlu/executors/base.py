"""The contract of an executor: starts trials and tells what became of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from ..trial import Report, Trial


@dataclass(frozen=True)
class Launch:
    """One trial to be started: what it is, and the folder where its files go.

    `metric` names the number that the study is about, `names` every hyperparameter of
    its space, also those that this trial does not have. `checkpoints` is a URL or a
    folder where its checkpoints go, None for its own folder; executors fill it in.

    >>> import danlu, pathlib
    >>> trial = danlu.Trial(4, {"lr": 0.1})
    >>> folder = pathlib.Path("digits/4")
    >>> danlu.executors.Launch("digits", trial, "val_error", folder).trial.params
    {'lr': 0.1}
    """

    study: str
    trial: Trial
    metric: str
    folder: Path
    names: tuple[str, ...] = ()
    checkpoints: str | None = None


class Outcome(StrEnum):
    """How a training program ended.

    `PREEMPTED` (exit code 75, or stopped by us from outside) says that the machine was
    wanted for something else: the trial is tried again and nobody counts it.

    >>> import danlu
    >>> [outcome.value for outcome in danlu.executors.Outcome]
    ['done', 'failed', 'out of memory', 'out of time', 'preempted']
    """

    DONE = "done"
    FAILED = "failed"
    OUT_OF_MEMORY = "out of memory"
    OUT_OF_TIME = "out of time"
    PREEMPTED = "preempted"


@dataclass(frozen=True)
class Reported:
    """A trial reported: what could be read, in order, and complaints about the rest.

    >>> import danlu
    >>> danlu.executors.Reported(4, (danlu.Report(1, {"loss": 0.5}),)).complaints
    ()
    """

    number: int
    reports: tuple[Report, ...]
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exited:
    """A trial's program has ended; `tail` holds the last lines of its output.

    >>> import danlu
    >>> failed = danlu.executors.Outcome.FAILED
    >>> danlu.executors.Exited(4, failed, "exit code 1").reason
    'exit code 1'
    """

    number: int
    outcome: Outcome
    reason: str = ""
    tail: str = ""


Event: TypeAlias = Reported | Exited


class Executor(ABC):
    """Runs trials; mutable, since the world is.

    >>> import danlu
    >>> executor = danlu.executors.Inline(lambda trial: trial.params["x"] ** 2)
    >>> executor.slots
    1
    """

    slots: int

    @abstractmethod
    def open(self) -> None:
        """Begins to get ready for the first trial, without waiting for it.

        Raises:
            ExecutorError: the training program cannot be handed over.
        """

    @abstractmethod
    def start(self, launch: Launch) -> None:
        """Starts a trial; a checkpoint in its folder is what it goes on from.

        Raises:
            ExecutorError: the program cannot be started at all, for any trial.
        """

    @abstractmethod
    def poll(self, deliver: Callable[[Event], None], wait_s: float) -> None:
        """Hands every new event to `deliver`, waiting up to `wait_s` for the first.

        Reports of a trial come before its exit; nothing comes after its exit.
        `deliver` may call `stop`.
        """

    @abstractmethod
    def stop(self, number: int) -> None:
        """Asks a trial to end, and ends it by force after a grace time.

        Does nothing for a trial that has ended. Its exit is still delivered.
        """

    @abstractmethod
    def kill(self, number: int) -> None:
        """Ends a trial by force, at once; its exit is still delivered."""

    @abstractmethod
    def recover(self, launch: Launch) -> Sequence[Event]:
        """What a trial left behind whose loop has died: its reports, maybe its exit.

        Whatever is left of its processes is ended first. Without an `Exited` in the
        answer, the trial has to be started again.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends everything that still runs, by force."""
