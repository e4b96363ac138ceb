"""This side of the process server: starts it, talks to it, ends it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

from ..errors import ExecutorError
from .outcome import clipped
from .wire import Load, Loaded, Signal, Spawn, Wire

END_WITHIN_S = 10.0


class Connection:
    """A process server; it gets ready while its user does other things.

    Raises:
        ExecutorError: it cannot be started.
    """

    def __init__(self, load: Load, variables: Mapping[str, str]) -> None:
        own, its = socket.socketpair()
        self._wire = Wire(own)
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # our life
        with its:
            self._process = _start(its, self._output, {**os.environ, **variables})
        self._ready = False
        self._answer: Loaded | None = None
        with suppress(OSError):  # `wait_until_ready` will say that it is dead
            self._wire.send(load)

    def wait_until_ready(self) -> None:
        """Returns once the server has loaded the training function.

        Raises:
            ExecutorError: it has died, or cannot load the function.
        """
        if self._ready:
            return
        try:
            answer = self._first_answer()
        except (OSError, EOFError):
            self.close()
            raise ExecutorError(f"the process server died: {self.last_words}") from None
        except BaseException:  # Ctrl-C: it may be busy with its imports for long
            self._process.kill()
            self.close()
            raise
        if answer.error:
            self.close()
            raise ExecutorError(
                f"the training function cannot be loaded: {answer.error}"
            )
        self._ready = True

    @property
    def last_words(self) -> str:
        """The end of what the server and the modules it imported have printed."""
        if self._output.closed:
            return self._last_words
        self._output.seek(0)
        return clipped(self._output.read().decode(errors="replace"))

    def fileno(self) -> int:
        """The descriptor, for `select`."""
        return self._wire.fileno()

    def send(self, message: Spawn | Signal) -> None:
        """Sends one message; a dead server is noticed by `receive`."""
        with suppress(OSError):
            self._wire.send(message)

    def receive(self, wait_s: float) -> list[Any]:
        """What the server has told.

        Raises:
            EOFError: it is dead.
        """
        told = []
        for message in self._wire.receive(wait_s):
            if isinstance(message, Loaded):
                self._answer = message  # before anybody has waited for it
            else:
                told.append(message)
        return told

    def close(self) -> None:
        """Ends the server, and with it every trial, by force."""
        self._wire.close()
        try:
            self._process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._last_words = self.last_words
        self._output.close()

    def _first_answer(self) -> Loaded:
        while self._answer is None:
            self.receive(1.0)  # nothing else is told before it
        return self._answer


def _start(
    its: socket.socket, output: IO[bytes], environ: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    descriptor = its.fileno()
    module = "danlu.executors.forkserver"
    try:
        return subprocess.Popen(
            # -P: a random.py in the current folder is none of the server's
            [sys.executable, "-P", "-m", module, str(descriptor)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environ,
            pass_fds=[descriptor],
            start_new_session=True,  # Ctrl-C in a terminal is for the loop alone
        )
    except OSError as error:
        raise ExecutorError(f"the process server cannot be started: {error}") from error
