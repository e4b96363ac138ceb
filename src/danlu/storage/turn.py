"""Who writes to a SQLite file next: processes wait in line, in the kernel.

SQLite itself looks again and again whether the file is free, with pauses of up to 0.1
s, so that with many writers the file is idle most of the time and some never get it.
The lock is one of POSIX on a file of its own. It is released with the death of its
process, and is not shared with a forked child. It only keeps order: SQLite's own locks
guard the file, also where this one does not work.
"""

from __future__ import annotations

import fcntl
import os
from _thread import LockType, allocate_lock, start_new_thread
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE_S = 30.0  # a process that is stopped in its turn holds up all others


class Turn:
    """A line of processes for the database `path`: a lock on a file beside it."""

    def __init__(self, path: Path, patience_s: float = PATIENCE_S) -> None:
        self._path = Path(f"{path}-turn")
        self._patience_s = patience_s
        self._file: int | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Held while the body runs; without it, when `patience_s` are over."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    def close(self) -> None:
        """Leaves the line."""
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
        self._file = None

    def _take(self) -> None:
        try:
            file = self._opened()
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._wait(file)
        except OSError:  # no room for the file, no right, no locks: SQLite's must do
            self.close()

    def _wait(self, file: int) -> None:
        """Waits in a thread: the call itself cannot be told when to give up.

        A bare one, since there are many: `threading.Thread` takes twice the CPU.
        """
        has_come = allocate_lock()
        has_come.acquire()
        try:
            start_new_thread(_lock, (file, has_come))
            is_taken = has_come.acquire(timeout=self._patience_s)
        except BaseException:
            self.close()  # also takes back what the thread may get later
            raise
        if not is_taken:
            self.close()

    def _give_back(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _opened(self) -> int:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        return self._file


def _lock(file: int, has_come: LockType) -> None:
    with suppress(OSError):
        fcntl.lockf(file, fcntl.LOCK_EX)
    has_come.release()
