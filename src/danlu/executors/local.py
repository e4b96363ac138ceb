"""Runs trials in processes of this machine."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from ..client import LiveTrial
from ..errors import ExecutorError
from . import processes
from .base import Event, Executor, Launch
from .checkpoint_place import checked_root, has_checkpoint, located, placed
from .command import check_program, filled
from .connection import Connection
from .ended import Cause, Ended, read_ended
from .functions import packed
from .gpus import Gpus
from .handover import environment, prepare, size_of
from .limits import Limits
from .reports import OutputReader, ReportReader
from .running import Running, exited
from .threads import import_variables, trial_variables
from .wire import Load, Signal, Spawn, Spawned

Train: TypeAlias = Callable[[LiveTrial], object] | Sequence[str]

LOOK_S = 0.05  # how often the files of running trials are looked at
MEMORY_LOOK_S = 1.0


class Local(Executor):
    """Runs a Python function or a command, each trial in processes of its own.

    `train` is a function of a `danlu.client.LiveTrial`, or the words of a command in
    which `{lr}` stands for the value of lr and `{args}` for all params. `slots` trials
    run at once. `gpus` are handed out through `CUDA_VISIBLE_DEVICES`, `gpus_per_trial`
    each: below 1 several trials share one. `pattern` is a regular expression for a
    program that can do nothing but print: its groups `step` and `metric`. Programs
    start in the folder `workdir`, by default the current one. `preload` names modules
    to import once for all trials. The cores are shared out among the slots through
    `OMP_NUM_THREADS`, unless it is set. A function's module is imported once, on one
    thread; threads that it begins then are missing in the trials. `checkpoints` is a
    URL or a folder where trials keep their checkpoints, `STUDY/NUMBER` each; without it
    they are in the trials' folders.

    >>> import danlu, tempfile
    >>> from pathlib import Path
    >>> executor = danlu.executors.Local(["echo", "step=1", "loss={x}"])
    >>> folder = Path(tempfile.mkdtemp())
    >>> launch = danlu.executors.Launch("s", danlu.Trial(0, {"x": 0.5}), "loss", folder)
    >>> events = []
    >>> executor.start(launch)
    >>> while not events or isinstance(events[-1], danlu.executors.Reported):
    ...     executor.poll(events.append, wait_s=1.0)
    >>> executor.close()
    >>> events[0].reports, events[-1].outcome.value
    ((Report(step=1, metrics={'loss': 0.5}),), 'done')

    Raises:
        ExecutorError: a setting is impossible.
    """

    def __init__(
        self,
        train: Train,
        *,
        slots: int = 1,
        gpus: Sequence[str] = (),
        gpus_per_trial: float = 1.0,
        limits: Limits | None = None,
        pattern: str | None = None,
        workdir: str | Path | None = None,
        preload: Sequence[str] = (),
        checkpoints: str | Path | None = None,
    ) -> None:
        self.slots = slots
        self.limits = limits or Limits()
        self._function = train if callable(train) else None
        self._words = None if callable(train) else _checked_words(train)
        self._gpus = Gpus(gpus, gpus_per_trial)
        _check_slots(slots, self._gpus)
        self._pattern = None if pattern is None else _compiled(pattern)
        self._workdir = _checked_folder(Path(workdir or os.getcwd()).absolute())
        self._preload = (preload,) if isinstance(preload, str) else tuple(preload)
        self._checkpoints = checked_root(checkpoints)
        self._running: dict[int, Running] = {}
        self._connection: Connection | None = None

    def open(self) -> None:
        """Starts the process server, which imports what the trials will need."""
        self._connected()

    def start(self, launch: Launch) -> None:
        """Starts a trial; the first one waits until the process server is ready."""
        launch = placed(launch, self._checkpoints)
        words = None if self._words is None else filled(self._words, launch)
        if words is not None:
            check_program(words[0], self._workdir)
        prepare(launch)
        connection = self._connected()
        connection.wait_until_ready()
        variables = environment(launch) | trial_variables(self.slots)
        number = launch.trial.number
        if self._gpus.names:
            variables["CUDA_VISIBLE_DEVICES"] = self._gpus.take(number)
        self._running[number] = self.begun(launch)
        trial = launch.trial
        connection.send(
            Spawn(
                number=number,
                attempt=trial.attempt,
                seed=trial.seed,
                folder=str(launch.folder),
                environ=variables,
                words=words,
            )
        )

    def poll(self, deliver: Callable[[Event], None], wait_s: float) -> None:
        """Hands over what is new; returns as soon as there was something."""
        deadline = time.monotonic() + wait_s
        while not self._look(deliver):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return
            self._listen(min(LOOK_S, left_s))

    def stop(self, number: int) -> None:
        """Asks a trial to end: its stop file, SIGTERM, and SIGKILL after the grace."""
        running = self._running.get(number)
        if running is not None:
            self._end(running, Cause.STOP)

    def kill(self, number: int) -> None:
        """Kills all processes of a trial."""
        running = self._running.get(number)
        if running is not None:
            self._signal(running, signal.SIGKILL, Cause.STOP)

    def recover(self, launch: Launch) -> Sequence[Event]:
        """What a trial left behind whose loop has died."""
        launch = located(launch)
        number, folder = launch.trial.number, launch.folder
        ended = read_ended(folder, launch.trial.attempt)
        processes.end_leftovers(folder)
        offset = processes.output_offset(folder)
        running = self.reread(launch, offset)
        events: list[Event] = []
        running.ended = Ended(number, launch.trial.attempt, 0)
        reported = running.reported()
        if reported is not None:
            events.append(reported)
        if ended is not None:
            events.append(exited(launch, ended, offset))
        return events

    def close(self) -> None:
        """Kills every trial and ends the process server."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        for number in list(self._running):
            self._forget(number)

    def _connected(self) -> Connection:
        if self._connection is None:
            load = Load(
                path=sys.path,
                arguments=sys.argv,
                workdir=str(self._workdir),
                preload=self._preload,
                function=None if self._function is None else packed(self._function),
            )
            importing = {} if self._function is None else import_variables(self.slots)
            self._connection = Connection(load, importing)
        return self._connection

    def begun(self, launch: Launch) -> Running:
        """A trial that starts now: what is in its files already is not news."""
        reports = launch.folder / "reports.jsonl"
        reader = ReportReader(reports, size_of(reports))
        offset = size_of(launch.folder / "output.log")
        return Running(launch, reader, self._output_reader(launch, offset), offset)

    def reread(self, launch: Launch, offset: int) -> Running:
        """A trial of an earlier loop: all reports, and the output from `offset` on."""
        reader = ReportReader(launch.folder / "reports.jsonl")
        return Running(launch, reader, self._output_reader(launch, offset), offset)

    def _output_reader(self, launch: Launch, offset: int) -> OutputReader | None:
        """Reads metrics from what a command prints; None for a function."""
        if self._words is None:
            return None
        goes_on = launch.trial.step > 0 and has_checkpoint(launch)
        return OutputReader(
            launch.folder / "output.log",
            launch.metric,
            pattern=self._pattern,
            offset=offset,
            last_step=launch.trial.step if goes_on else 0,
        )

    def _look(self, deliver: Callable[[Event], None]) -> bool:
        """Delivers what is new; whether there was something."""
        self._listen(0.0)
        delivered = False
        for number, running in list(self._running.items()):
            self._enforce(running)
            reported = running.reported()
            if running.ended is not None:
                self._forget(number)
            if reported is not None:
                deliver(reported)
            if running.ended is not None:
                deliver(exited(running.launch, running.ended, running.output_offset))
            delivered |= reported is not None or running.ended is not None
        return delivered

    def _listen(self, wait_s: float) -> None:
        """Takes in what the process server says, waiting for it up to `wait_s`."""
        if self._connection is None:
            time.sleep(wait_s)
            return
        try:
            for message in self._connection.receive(wait_s):
                self._take_in(message)
        except EOFError:
            self._bury_server()

    def _take_in(self, message: Spawned | Ended) -> None:
        running = self._running.get(message.number)
        if running is None:
            return
        if isinstance(message, Spawned):
            running.pid = message.pid
        else:
            running.ended = message

    def _bury_server(self) -> None:
        """The process server is dead: so are the trials; the next start begins anew."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        for number, running in self._running.items():
            folder, attempt = running.launch.folder, running.launch.trial.attempt
            processes.end_leftovers(folder)
            killed = Ended(number, attempt, -signal.SIGKILL)
            running.ended = running.ended or read_ended(folder, attempt) or killed

    def _enforce(self, running: Running) -> None:
        """Ends a trial that is over a limit, or over its grace."""
        now_s = time.monotonic()
        limits = self.limits
        if running.ended is not None:
            return
        if running.kill_at_s is not None:
            if now_s >= running.kill_at_s:
                running.kill_at_s = None
                self._signal(running, signal.SIGKILL, Cause.STOP)
            return
        if limits.time_s is not None and now_s - running.began_s > limits.time_s:
            self._end(running, Cause.TIME)
        elif running.printed_bytes > limits.output_bytes:
            self._signal(running, signal.SIGKILL, Cause.OUTPUT)
        elif limits.memory_bytes is not None and running.pid is not None:
            if now_s < running.weigh_at_s:
                return
            running.weigh_at_s = now_s + MEMORY_LOOK_S
            if processes.memory_bytes(running.pid) > limits.memory_bytes:
                self._signal(running, signal.SIGKILL, Cause.MEMORY)

    def _end(self, running: Running, cause: Cause) -> None:
        if running.kill_at_s is not None:
            return
        with suppress(OSError):  # a full disk: the signal says the same
            (running.launch.folder / "stop").touch()
        running.kill_at_s = time.monotonic() + self.limits.grace_s
        self._signal(running, signal.SIGTERM, cause)

    def _signal(self, running: Running, number: int, cause: Cause) -> None:
        if self._connection is not None:
            trial = running.launch.trial.number
            self._connection.send(Signal(trial, number, cause))

    def _forget(self, number: int) -> None:
        del self._running[number]
        self._gpus.give(number)


def _checked_words(train: Sequence[str]) -> tuple[str, ...]:
    if isinstance(train, str) or not isinstance(train, Sequence) or not train:
        raise ExecutorError(
            f"an executor runs a Python function or a list of words, got {train!r}: "
            "write ['python', 'train.py', '{args}']"
        )
    return tuple(os.fspath(word) for word in train)


def _check_slots(slots: int, gpus: Gpus) -> None:
    if type(slots) is not int or slots < 1:
        raise ExecutorError(f"slots is a whole number from 1, got {slots!r}")
    if gpus.names and slots > gpus.capacity:
        raise ExecutorError(
            f"slots={slots}, but {len(gpus.names)} GPUs with {gpus.per_trial:g} a "
            f"trial are enough for {gpus.capacity}: lower one of the two"
        )


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ExecutorError(f"pattern {pattern!r} is no pattern: {error}") from None
    if not compiled.groups:
        raise ExecutorError(
            f"pattern {pattern!r} has no group: put the number in one, such as "
            r"'error (?P<metric>\S+)'"
        )
    return compiled


def _checked_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise ExecutorError(f"workdir {folder} is not a folder")
    return folder
