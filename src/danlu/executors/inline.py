"""Runs trials one after another in this process."""

from __future__ import annotations

import os
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from ..client import Channel, LiveTrial, ReportFile
from ..errors import ExecutorError
from ..trial import Report
from .base import Event, Executor, Exited, Launch, Outcome, Reported
from .functions import report_result
from .outcome import PREEMPTED_CODE, clipped, memory_complaint
from .reports import ReportReader

Train: TypeAlias = Callable[[LiveTrial], object]


class Inline(Executor):
    """Runs a Python function in this process, one trial at a time.

    The function gets a `danlu.client.LiveTrial`. It reports through `trial.report`, or
    returns the metric as a number, or several as a mapping.

    >>> import danlu
    >>> def train(trial):
    ...     for step in range(1, 4):
    ...         trial.report(step, loss=trial.params["x"] / step)
    >>> danlu.executors.Inline(train).slots
    1

    Raises:
        ExecutorError: `train` is not a function.
    """

    slots = 1

    def __init__(self, train: Train) -> None:
        if not callable(train):
            raise ExecutorError(f"Inline runs a Python function, got {train!r}")
        self.train = train
        self._waiting: deque[Launch] = deque()
        self._channel: _Direct | None = None

    def open(self) -> None:
        """Nothing has to get ready."""

    def start(self, launch: Launch) -> None:
        """Puts a trial in line; `poll` runs it."""
        _make_folder(os.fspath(launch.folder))
        self._waiting.append(launch)

    def poll(self, deliver: Callable[[Event], None], wait_s: float) -> None:
        """Runs one trial to its end; its reports are delivered as they come."""
        if not self._waiting:
            return
        launch = self._waiting.popleft()
        channel = _Direct(launch, deliver)
        self._channel = channel
        try:
            exited = _run(self.train, launch, channel)
        finally:
            self._channel = None
            channel.file.close()
        if channel.undelivered is not None:
            raise channel.undelivered
        deliver(exited)

    def stop(self, number: int) -> None:
        """Makes the next report of a running trial answer False."""
        if self._channel is not None and self._channel.number == number:
            self._channel.stopped = True

    def kill(self, number: int) -> None:
        """Ends a running trial at its next report."""
        if self._channel is not None and self._channel.number == number:
            self._channel.stopped = self._channel.killed = True

    def recover(self, launch: Launch) -> Sequence[Event]:
        """The reports that a trial wrote before its process died."""
        reader = ReportReader(launch.folder / "reports.jsonl")
        reports, complaints = reader.read_to_end()
        if not reports and not complaints:
            return ()
        return (Reported(launch.trial.number, tuple(reports), tuple(complaints)),)

    def close(self) -> None:
        """Forgets the trials that have not begun."""
        self._waiting.clear()


class _Killed(BaseException):
    """Ends a training function from within its report."""


class _Direct(Channel):
    """Writes each report to the trial's file, then delivers it at once."""

    def __init__(self, launch: Launch, deliver: Callable[[Event], None]) -> None:
        self.number = launch.trial.number
        self.file = ReportFile(f"{launch.folder}/reports.jsonl", "")
        self.stopped = False
        self.killed = False
        self.undelivered: BaseException | None = None
        self._deliver = deliver

    def send(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes and delivers one report."""
        self.file.send(step, metrics)
        try:
            self._deliver(Reported(self.number, (Report(step, metrics),)))
        except BaseException as error:  # the loop's own: no failure of the training
            self.undelivered = error
            raise
        if self.killed:
            raise _Killed

    def stopping(self) -> bool:
        """Whether somebody called `stop`."""
        return self.stopped


def _run(train: Train, launch: Launch, channel: _Direct) -> Exited:
    live = _live(launch, channel)
    number = launch.trial.number
    try:
        report_result(live, train(live))
    except _Killed:
        return Exited(number, Outcome.PREEMPTED, "stopped on request")
    except SystemExit as error:
        return _after_exit(channel, error)
    except Exception as error:  # whatever the user's code raises is the trial's outcome
        return _after_error(channel, error)
    return Exited(number, Outcome.DONE)


def _live(launch: Launch, channel: Channel) -> LiveTrial:
    trial = launch.trial
    live = LiveTrial(trial.params, channel)
    live.study = launch.study
    live.number = trial.number
    live.seed = trial.seed
    live.budget = trial.budget
    live.attempt = trial.attempt
    live.metric = launch.metric
    live.folder = launch.folder
    return live


def _after_exit(channel: _Direct, error: SystemExit) -> Exited:
    if error.code in (0, None):
        return Exited(channel.number, Outcome.DONE)
    if channel.stopped:
        return Exited(channel.number, Outcome.PREEMPTED, "stopped on request")
    reason = f"exit code {error.code}"
    if error.code == PREEMPTED_CODE:
        return Exited(channel.number, Outcome.PREEMPTED, reason)
    return Exited(channel.number, Outcome.FAILED, reason)


def _after_error(channel: _Direct, error: Exception) -> Exited:
    tail = clipped("".join(traceback.format_exception(error)))
    reason = "".join(traceback.format_exception_only(error)).strip()
    if channel.stopped:
        return Exited(channel.number, Outcome.PREEMPTED, "stopped on request", tail)
    if isinstance(error, MemoryError) or memory_complaint(reason):
        return Exited(channel.number, Outcome.OUT_OF_MEMORY, reason, tail)
    return Exited(channel.number, Outcome.FAILED, reason, tail)


def _make_folder(folder: str) -> None:
    try:
        os.mkdir(folder)
    except FileExistsError:
        return
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise ExecutorError(
            f"cannot make the trial's folder {folder}: {error.strerror}; "
            "free the disk or choose another project folder"
        ) from error
