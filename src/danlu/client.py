"""REPORT from inside a training program; standard library only.

    from danlu import client

    trial = client.current({"lr": 0.1})      # outside danlu: these params, and prints
    for epoch in range(1, 101):
        error = train_one_epoch(trial.params["lr"])
        save(trial.checkpoint / "model.pt")  # first the checkpoint, then the report
        if not trial.report(epoch, val_error=error):
            break

Other languages follow the same file protocol, in `docs/protocol.md`.
"""

from __future__ import annotations

import json
import math
import operator
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex

if TYPE_CHECKING:
    from .checkpoints import Checkpoints

MAX_STEP = 2**63 - 1  # what a database keeps as a whole number
MIDWAY_S = 0.05  # far longer than a write of one line


class ReportError(ValueError):
    """A step or a metric that cannot be recorded.

    >>> from danlu import client
    >>> client.report(1.5, loss=0.1)
    Traceback (most recent call last):
    danlu.client.ReportError: a step is a whole number (an epoch, an iteration), got 1.5
    """


class Channel(ABC):
    """Where the reports of one trial go, and where it hears that it shall end."""

    @abstractmethod
    def send(self, step: int, metrics: Mapping[str, float]) -> None:
        """Hands on one checked report."""

    @abstractmethod
    def stopping(self) -> bool:
        """Whether the trial has been asked to end."""


class LiveTrial:
    """The trial that this program runs: its params, and where it reports.

    `params` maps names to values. `seed` is the trial's own. `budget` is the step up to
    which it may run now, None for as long as it likes. `folder` is the trial's own
    folder. `attempt` counts its starts. `metric` names what the study is about. `step`
    is the last step reported, None before the first. `checkpoints_at` is where
    `checkpoints` saves: a URL, or None for the folder `checkpoint`.

    >>> from danlu import client
    >>> trial = client.current({"lr": 0.1})
    >>> trial.params["lr"], trial.report(3, val_error=0.31)
    step=3 val_error=0.31
    (0.1, True)
    """

    def __init__(
        self, params: Mapping[str, str | int | float | bool | None], channel: Channel
    ) -> None:
        self.params = params
        self.study = ""
        self.number = 0
        self.seed = 0
        self.budget: int | None = None
        self.attempt = 1
        self.metric = ""
        self.folder = Path()
        self.checkpoints_at: str | None = None
        self.step: int | None = None
        self._channel = channel

    @property
    def checkpoint(self) -> Path:
        """The folder for checkpoints; on a resumed trial it holds the earlier one."""
        folder = self.folder / "checkpoint"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """Saves checkpoints, whole or not at all, and keeps the last one.

        They are at the URL that danlu was given for checkpoints, else in that folder.
        """
        from .checkpoints import Checkpoints

        return Checkpoints(self.checkpoints_at or self.checkpoint)

    @property
    def stopping(self) -> bool:
        """Whether the trial has been asked to end."""
        return self._channel.stopping()

    def report(self, /, step: SupportsIndex, **metrics: SupportsFloat) -> bool:
        """True when training may go on, False when it is to end now.

        It ends at its budget, or when it was asked to. Numpy scalars and tensors of one
        element are numbers too; nan and inf are recorded.

        Raises:
            ReportError: the step is not a whole number, a metric not a number.
        """
        whole = _checked_step(step)
        if not metrics:
            raise ReportError("a report needs at least one metric, got none")
        checked = {name: _checked_value(name, metrics[name]) for name in metrics}
        self._channel.send(whole, checked)
        self.step = whole
        within_budget = self.budget is None or whole < self.budget
        return within_budget and not self._channel.stopping()


def current(
    params: Mapping[str, str | int | float | bool | None] | None = None,
) -> LiveTrial:
    """The trial that danlu runs this program for.

    Outside danlu a stand-in with the given `params`, which prints what is reported, so
    that the same script also works alone.

    >>> from danlu import client
    >>> client.current({"lr": 0.1}).params
    {'lr': 0.1}
    """
    path = os.environ.get("DANLU_REPORT")
    if path is None:
        return LiveTrial(dict(params or {}), Printed())
    return _from_environment(path)


def report(step: SupportsIndex, **metrics: SupportsFloat) -> bool:
    """True when training may go on: `current().report(...)`.

    >>> from danlu import client
    >>> client.report(3, val_error=0.31)
    step=3 val_error=0.31
    True
    """
    return current().report(step, **metrics)


class ReportFile(Channel):
    """Appends reports to a file; a file beside it says when to end."""

    def __init__(self, path: str, stop_path: str) -> None:
        self.path = path
        self.stop_path = stop_path
        self._descriptor: int | None = None

    def send(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes one whole line at once, so that writers never mix theirs."""
        if self._descriptor is None:
            self._descriptor = _open_to_append(self.path)
        line = {name: _json_number(value) for name, value in metrics.items()}
        try:
            _write(self._descriptor, json.dumps({"step": step, **line}) + "\n")
        except OSError:  # the line may be torn: the next one must not be glued to it
            self.close()
            raise

    def stopping(self) -> bool:
        """Whether the stop file exists."""
        return os.path.exists(self.stop_path)

    def close(self) -> None:
        """Lets go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Printed(Channel):
    """Prints reports; never asks to end."""

    def send(self, step: int, metrics: Mapping[str, float]) -> None:
        """Prints the report on one line."""
        words = [f"{name}={value}" for name, value in metrics.items()]
        print(f"step={step}", *words, flush=True)

    def stopping(self) -> bool:
        """Always False."""
        return False


@cache
def _from_environment(path: str) -> LiveTrial:
    named = os.environ
    with open(named["DANLU_PARAMS"], encoding="utf-8") as file:
        params = json.load(file)
    live = LiveTrial(params, ReportFile(path, named["DANLU_STOP"]))
    live.study = named["DANLU_STUDY"]
    live.number = int(named["DANLU_TRIAL"])
    live.seed = int(named["DANLU_SEED"])
    live.budget = int(named["DANLU_BUDGET"]) if named["DANLU_BUDGET"] else None
    live.attempt = int(named["DANLU_ATTEMPT"])
    live.metric = named["DANLU_METRIC"]
    live.folder = Path(named["DANLU_FOLDER"])
    live.checkpoints_at = named.get("DANLU_CHECKPOINTS") or None
    return live


def _open_to_append(path: str) -> int:
    """A descriptor at the end of the file, on a new line."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    seen = _unended(descriptor)
    if seen:
        time.sleep(MIDWAY_S)
    if seen and _unended(descriptor) == seen:
        os.write(descriptor, b"\n")  # the last line was torn by a crash or a full disk
    return descriptor


def _unended(descriptor: int) -> int:
    """The file's size in bytes if its last line has no end, else 0.

    So it is for a moment too while another process writes: the size may grow in parts.
    """
    size = os.fstat(descriptor).st_size
    return size if size and os.pread(descriptor, 1, size - 1) != b"\n" else 0


def _write(descriptor: int, line: str) -> None:
    rest = line.encode()
    while rest:  # a second round only when the disk is full, and then it raises
        rest = rest[os.write(descriptor, rest) :]


def _json_number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _checked_step(step: object) -> int:
    try:
        whole = operator.index(step)  # type: ignore[arg-type]
    except TypeError:
        if not (isinstance(step, float) and step.is_integer()):
            raise ReportError(
                f"a step is a whole number (an epoch, an iteration), got {_shown(step)}"
            ) from None
        whole = int(step)
    if isinstance(step, bool) or not 0 <= whole <= MAX_STEP:
        raise ReportError(
            f"a step is a whole number from 0 to 2**63 - 1, got {_shown(step)}"
        )
    return whole


def _checked_value(name: str, value: object) -> float:
    bare = value if isinstance(value, int | float) else _item(value)
    if isinstance(bare, int | float) and not isinstance(bare, bool):
        try:
            return float(bare)
        except OverflowError:
            raise ReportError(f"metric {name!r} is too large for a float") from None
    raise ReportError(f"metric {name!r} must be a number, got {_shown(value)}")


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write a whole number of over 4300 digits
        return "a number with thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def _item(value: object) -> object:
    """What a numpy scalar or a tensor of one element holds, else None."""
    item = getattr(value, "item", None)
    if item is None:
        return None
    try:
        return item()
    except (TypeError, ValueError, RuntimeError):  # more than one element
        return None
