"""What a process and its process server say to each other, over a pair of sockets."""

from __future__ import annotations

import pickle
import select
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .ended import Cause

_LENGTH = struct.Struct(">Q")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Load:
    """Get ready: the import path, modules to import, a pickled training function."""

    path: Sequence[str]
    arguments: Sequence[str]
    workdir: str
    preload: Sequence[str] = ()
    function: bytes | None = None


@dataclass(frozen=True)
class Loaded:
    """Ready, or what went wrong."""

    error: str = ""


@dataclass(frozen=True)
class Spawn:
    """Start a trial: a command, or the training function when `words` is None."""

    number: int
    attempt: int
    seed: int
    folder: str
    environ: Mapping[str, str]
    words: Sequence[str] | None = None


@dataclass(frozen=True)
class Spawned:
    """A trial has started, as this process."""

    number: int
    pid: int


@dataclass(frozen=True)
class Signal:
    """Send a signal to a trial's processes; `cause` says why."""

    number: int
    signal: int
    cause: Cause


class Wire:
    """One end of the conversation; messages come whole and in order."""

    def __init__(self, own: socket.socket) -> None:
        self._socket = own
        self._unread = bytearray()

    def fileno(self) -> int:
        """The descriptor, for `select`."""
        return self._socket.fileno()

    def send(self, message: object) -> None:
        """Sends one message.

        Raises:
            OSError: the other end is closed.
        """
        content = pickle.dumps(message)
        self._socket.sendall(_LENGTH.pack(len(content)) + content)

    def receive(self, wait_s: float) -> list[Any]:
        """The messages that have come, waiting up to `wait_s` for something to come.

        Raises:
            EOFError: the other end is closed.
        """
        if not select.select([self._socket], [], [], wait_s)[0]:
            return []
        try:
            chunk = self._socket.recv(_CHUNK_BYTES)
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            raise EOFError("the other end is closed")
        self._unread += chunk
        return self._whole_messages()

    def close(self) -> None:
        """Closes this end."""
        self._socket.close()

    def _whole_messages(self) -> list[Any]:
        messages = []
        while len(self._unread) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._unread)
            end = _LENGTH.size + length
            if len(self._unread) < end:
                break
            messages.append(pickle.loads(self._unread[_LENGTH.size : end]))
            del self._unread[:end]
        return messages
