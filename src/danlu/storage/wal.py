"""SQLite's write-ahead log, and when what was written to it is on disk.

SQLite can wait for the disk within each commit, while all other writers wait for it.
Here it does not (`synchronous=NORMAL`): who has written waits afterwards, out of the
line, and one wait of the disk serves all whose commits came before it. A commit whose
wait was cut off by a power failure is gone or there as a whole, and was acknowledged to
nobody.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_wait_for_disk = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter


class Wal:
    """The log beside the database file `path`, open in one process."""

    def __init__(self, path: Path) -> None:
        self._path = Path(f"{path}-wal")
        self._file: int | None = None

    def wait(self) -> None:
        """Returns when all commits so far are on disk.

        Raises:
            OSError: the disk reports an error.
        """
        if self._file is None:
            try:
                self._file = os.open(self._path, os.O_RDONLY)
            except FileNotFoundError:
                return  # a file in another mode, in which SQLite waits itself
        _wait_for_disk(self._file)

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
        self._file = None
