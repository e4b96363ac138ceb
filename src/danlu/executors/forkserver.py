"""The process server: starts every trial by a fork, so that imports are paid once.

It is a fresh Python process of one thread, the parent of all trials and, on Linux, of
whatever they leave behind. It ends them all when the process that it serves is gone.
"""

from __future__ import annotations

import importlib
import os
import pickle
import select
import signal
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import processes, started
from .ended import Cause, Ended, write_ended
from .functions import import_quietly, imported_names
from .wire import Load, Loaded, Signal, Spawn, Spawned, Wire

# What packages import only when they are first used: torch's first optimizer imports
# 800 modules, 1.4 s of CPU, which every trial would pay again.
_IMPORTED_LATE = ("torch._dynamo",)
QUIET_S = 0.1  # without a message: no trial is about to be started
LOOK_S = 1.0  # how often it makes sure that its own parent lives


@dataclass
class _Child:
    spawn: Spawn
    pid: int
    oom_kills: int
    cause: Cause = Cause.NONE


class Server:
    """Serves the process at the other end of `wire` until that one is gone."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._parent = os.getppid()
        self._running: dict[int, _Child] = {}
        self._function: Callable[..., Any] | None = None
        self._names: deque[str] = deque()
        self._late: deque[str] = deque()
        self._wakeup = _signals()

    def serve(self) -> None:
        """Answers messages and tells of every end; returns when nobody listens."""
        try:
            watched: list[Any] = [self._wire, self._wakeup]
            while os.getppid() == self._parent:
                wait_s = 0.0 if self._names else QUIET_S if self._late else LOOK_S
                ready = select.select(watched, [], [], wait_s)[0]
                if self._wakeup in ready:
                    os.read(self._wakeup, 4096)
                if self._wire in ready:
                    for message in self._wire.receive(0.0):
                        self._answer(message)
                self._reap()
                if not ready:
                    self._import_ahead()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        finally:
            self._end_all()

    def _answer(self, message: Load | Spawn | Signal) -> None:
        if isinstance(message, Load):
            self._wire.send(Loaded(self._load(message)))
        elif isinstance(message, Spawn):
            self._spawn(message)
        else:
            self._signal(message)

    def _load(self, load: Load) -> str:
        """Imports what trials will need; what went wrong, or nothing."""
        try:
            sys.path[:] = load.path
            sys.argv[:] = load.arguments
            os.chdir(load.workdir)
            for name in load.preload:
                importlib.import_module(name)
            if load.function is not None:
                self._function = pickle.loads(load.function)
        except BaseException as error:  # the user's modules may even exit
            return "".join(traceback.format_exception_only(error)).strip()
        if self._function is not None:
            self._names.extend(imported_names(self._function))
            self._late.extend(_IMPORTED_LATE)
        return ""

    def _import_ahead(self) -> None:
        """Imports one module that trials will need, so that none waits for all.

        A trial that starts before the others are there imports them itself.
        """
        if self._names:
            import_quietly([self._names[0]])
            self._names.popleft()
        elif self._late and self._running:
            late = self._late.popleft()
            if late.partition(".")[0] in sys.modules:
                import_quietly([late])

    def _spawn(self, spawn: Spawn) -> None:
        folder = Path(spawn.folder)
        output = folder / "output.log"
        offset = output.stat().st_size if output.exists() else 0
        # A signal that comes before the child is ready for it waits.
        signal.pthread_sigmask(signal.SIG_BLOCK, started.HELD_BACK)
        try:
            pid = os.fork()
            if pid == 0:
                server = [self._wire.fileno(), self._wakeup]
                started.become(spawn, self._function, self._names, server)
        except OSError as error:
            self._refuse(spawn, error)
            return
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, started.HELD_BACK)
        self._running[pid] = _Child(spawn, pid, processes.oom_kills())
        with suppress(OSError):  # a full disk: only a crash of ours would miss it
            processes.write_process(folder, pid, offset)
        self._wire.send(Spawned(spawn.number, pid))

    def _refuse(self, spawn: Spawn, error: OSError) -> None:
        """Tells of a trial that could not even be forked."""
        with suppress(OSError), open(f"{spawn.folder}/output.log", "a") as output:
            output.write(f"danlu: cannot start a process: {error.strerror}\n")
        code = started.NOT_STARTED_CODE
        self._wire.send(Ended(spawn.number, spawn.attempt, code))

    def _signal(self, message: Signal) -> None:
        for child in self._running.values():
            if child.spawn.number == message.number:
                child.cause = child.cause or message.cause
                processes.signal_group(child.pid, message.signal)

    def _reap(self) -> None:
        """Buries the dead; a trial's whole group goes with its leader."""
        ends = []
        while (pid := _dead_child()) is not None:
            child = self._running.pop(pid, None)
            if child is not None:  # its number is still taken: no other group has it
                processes.signal_group(pid, signal.SIGKILL)
            status = os.waitpid(pid, 0)[1]
            if child is not None:
                ends.append((child, os.waitstatus_to_exitcode(status)))
        self._end_orphans()
        for child, code in ends:
            self._tell(child, code)

    def _tell(self, child: _Child, code: int) -> None:
        spawn = child.spawn
        killed_for_memory = processes.oom_kills() > child.oom_kills
        ended = Ended(spawn.number, spawn.attempt, code, child.cause, killed_for_memory)
        with suppress(OSError):  # a full disk: whoever listens still hears it
            write_ended(Path(spawn.folder), ended)
        self._wire.send(ended)

    def _end_orphans(self) -> None:
        """Kills what ended trials left outside of their process group."""
        orphans = [pid for pid in processes.children() if pid not in self._running]
        if not orphans:
            return
        living = [child.spawn for child in self._running.values()]
        folders = {spawn.folder for spawn in living}
        names = {started.process_name(spawn) for spawn in living}
        for pid in orphans:
            folder, name = processes.folder_of(pid), processes.name_of(pid)
            of_living = folder in folders or name in names
            of_a_trial = folder is not None or name.startswith(started.NAME_PREFIX)
            if of_a_trial and not of_living:
                _kill(pid)

    def _end_all(self) -> None:
        """Kills every trial at once; none of this is an end that they came to."""
        for pid in self._running:
            processes.signal_group(pid, signal.SIGKILL)
        with suppress(ChildProcessError):  # nobody is left
            while True:
                for pid in processes.children():  # each death may bring new orphans
                    _kill(pid)
                os.waitpid(-1, 0)


def main() -> None:
    """Serves on the socket whose descriptor is the argument."""
    own = socket.socket(fileno=int(sys.argv[1]))
    own.set_inheritable(False)  # a command must not keep the line open
    processes.adopt_orphans()
    Server(Wire(own)).serve()
    os._exit(0)  # taking down torch would cost half a second, for nothing


def _signals() -> int:
    """Ends with the process it serves alone; a descriptor tells of children's ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    return readable


def _dead_child() -> int | None:
    """A child that has ended and waits to be buried, None if there is none."""
    try:
        result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return result.si_pid if result is not None else None


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
