"""One trial in several processes: the first one speaks with danlu, all do as it says.

Processes that decide on their own, each by its own look at a file, leave the loop at
different steps and wait for each other without end. So every answer is that of rank 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

from torch import distributed

from ... import client
from ...checkpoints import Saved
from ...client import LiveTrial
from .. import processes
from .messages import FAILED, NO, YES, Message, receive, send

Unit: TypeAlias = Literal["epoch", "step"]


class SharedTrial:
    """A trial for all processes that train it; every method is called by all of them.

    `trial` is `client.current()` if not given, found when it is first needed, so that
    this object can be sent to another process.

    >>> from danlu import client
    >>> from danlu.training.callbacks import SharedTrial
    >>> shared = SharedTrial(client.current({"lr": 0.1}))
    >>> shared.rank, shared.report(1, {"val_loss": 0.5})
    step=1 val_loss=0.5
    (0, True)
    """

    def __init__(self, trial: LiveTrial | None = None) -> None:
        self._given = trial
        self._latest: list[Saved | None] = []  # what was found, until one is saved

    @cached_property
    def trial(self) -> LiveTrial:
        """The trial."""
        return client.current() if self._given is None else self._given

    @property
    def rank(self) -> int:
        """The number of this process, 0 where it is alone."""
        return processes.rank()

    def report(self, step: int, metrics: Mapping[str, float]) -> bool:
        """Whether training goes on, for all processes alike.

        Raises:
            ValueError: the study's metric is not among the metrics.
            RuntimeError: the first process failed, and this is another one.
        """

        def first() -> Message:
            self._check(step, metrics)
            return Message(YES if self.trial.report(step, **metrics) else NO)

        return self._by_first(first).code == YES

    def save(
        self, step: int, metrics: Mapping[str, float], write: Callable[[Path], object]
    ) -> None:
        """Saves a checkpoint that all processes write: `write(path)` runs in each.

        The path is one on the disk of rank 0. Metrics that `report` would refuse are
        refused before anything is saved. Raises as `report` does.
        """
        self._latest.clear()
        if self.rank != 0:
            write(Path(receive().text))
            return
        told = False

        def written(path: Path) -> object:
            nonlocal told
            told = True
            send(Message(YES, str(path)))
            return write(path)

        try:
            self._check(step, metrics)
            self.trial.checkpoints.save(step, written)
        except Exception as error:
            if not told:  # the others wait for the path
                send(_failure(error))
            raise

    def latest(self) -> Saved | None:
        """The checkpoint to go on from; found by each process on its own.

        It may be asked for before the processes know of each other, as long as none
        of them saves.
        """
        if not self._latest:  # every byte of it is read
            self._latest.append(self.trial.checkpoints.latest())
        return self._latest[0]

    def save_by_first(
        self, step: int, metrics: Mapping[str, float], write: Callable[[Path], object]
    ) -> None:
        """Saves a checkpoint that the first process writes alone; else as `save`."""
        self._latest.clear()

        def first() -> Message:
            self._check(step, metrics)
            self.trial.checkpoints.save(step, write)
            return Message(YES)

        self._by_first(first)

    def wait(self) -> None:
        """Returns once all processes are here."""
        if processes.is_shared():
            distributed.barrier()

    def _check(self, step: int, metrics: Mapping[str, float]) -> None:
        if self.trial.metric and self.trial.metric not in metrics:
            raise ValueError(
                f"the study is about {self.trial.metric!r}, and at step {step} there "
                f"are {sorted(metrics)}: log it under that name, or let the study be "
                "about one of these"
            )

    def _by_first(self, work: Callable[[], Message]) -> Message:
        """What `work` gives in the first process; an error there is one in all."""
        if self.rank != 0:
            return receive()
        try:
            message = work()
        except Exception as error:
            send(_failure(error))
            raise
        send(message)
        return message


def _failure(error: Exception) -> Message:
    return Message(FAILED, f"{type(error).__name__}: {error}")


def check_unit(unit: str) -> None:
    """Raises a ValueError where the unit is no unit.

    >>> check_unit("epoch")
    """
    if unit not in ("epoch", "step"):
        raise ValueError(f"unit is 'epoch' or 'step', got {unit!r}")


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Those of the metrics that are single numbers.

    >>> import torch
    >>> numbers({"loss": torch.tensor(0.5), "name": "a", "each": torch.ones(2)})
    {'loss': 0.5}
    """
    found = {}
    for name, value in metrics.items():
        item = getattr(value, "item", None)
        if item is not None and getattr(value, "size", None) is not None:
            value = item() if _count(value) == 1 else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = float(value)
    return found


def _count(value: Any) -> int:
    """How many elements a tensor or an array has."""
    return int(value.numel() if hasattr(value, "numel") else value.size)
