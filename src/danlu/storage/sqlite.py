"""SQLite files: how they are made, opened and recognized.

A file is made under another name and put in place when it is complete, so that a crash
never leaves half of one. What waits for the disk is in `wal.py`.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from ..errors import StorageError, StorageFormat, StorageFull
from .tables import HEAD, metadata

APPLICATION_ID = 0x64616E6C  # "danl", in the header of every file of ours
BUSY_S = 60.0  # how long to wait for other writers; each holds the lock for < 1 ms
CHECKED_BYTES = 16 * 2**20  # up to this size opening reads all, in about 0.2 s
_DAMAGE = ("database disk image is malformed", "malformed", "file is not a database")
_MAGIC = b"SQLite format 3\x00"


def open_memory() -> Engine:
    """An empty database that lives as long as the engine."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    _set_up(engine)
    metadata.create_all(engine)
    return engine


def open_file(path: Path) -> Engine:
    """The database in the file `path`, made if there is none.

    Raises:
        StorageFormat: the file is not a danlu database, or damaged.
        StorageError: the folder or the file cannot be written.
    """
    if not os.path.exists(path):
        _make(path)
    _check_header(path)
    if path.stat().st_size <= CHECKED_BYTES:
        _check_pages(path)
    engine = _engine(path)
    _set_up(engine)
    return engine


def check_whole(path: Path) -> None:
    """Reads all of the file `path`, however large it is.

    Raises:
        StorageFormat: the file is not a danlu database, or damaged.
        StorageError: the file cannot be read.
    """
    _check_header(path)
    _check_pages(path)


def _engine(path: Path) -> Engine:
    # A creator, since a path may hold characters that mean something in a URL.
    return create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False),
        poolclass=StaticPool,
    )


def _set_up(engine: Engine) -> None:
    """Settings of each connection; transactions take the write lock at their start."""

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        safe = "NORMAL" if mode == "wal" else "FULL"  # see `wal.py`
        connection.execute(f"PRAGMA synchronous={safe}")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def _make(path: Path) -> None:
    """A new, complete database at `path`, unless another process was first."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        _write(draft)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            draft.replace(path)
        draft.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        for left in (draft, Path(f"{draft}-wal"), Path(f"{draft}-shm")):
            with suppress(OSError):
                left.unlink()
        raise _not_made(path, error) from error


def _not_made(path: Path, error: OSError | sqlite3.Error) -> StorageError:
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if full or "disk is full" in str(error):
        return StorageFull(
            f"cannot make the database {path}: the disk is full; free some space and "
            "run the same command again"
        )
    return StorageError(
        f"cannot make the database {path}: {error}; choose a folder that can be written"
    )


def _write(path: Path) -> None:
    """Writes an empty database: made in memory first, so that it is whole or not."""
    engine = open_memory()
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.execute(f"PRAGMA application_id={APPLICATION_ID}")
        raw.execute(
            "CREATE TABLE alembic_version "
            "(version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
        )
        raw.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
        content = raw.serialize()
    engine.dispose()
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft = sqlite3.connect(path)
    try:
        draft.execute("PRAGMA journal_mode=WAL")  # kept in the file from now on
    finally:
        draft.close()


def _check_header(path: Path) -> None:
    """Raises unless the first bytes are those of a whole database of ours."""
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise StorageError(f"cannot read the database {path}: {error}") from error
    if size_bytes == 0:
        raise StorageFormat(
            f"{path} is empty: it was cut off, or is not a danlu database; "
            "restore a copy, or remove it to begin anew"
        )
    if not header.startswith(_MAGIC) or len(header) < 100:
        raise StorageFormat(f"{path} is not a danlu database: choose another file")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise StorageFormat(
            f"{path} is a database of another program: choose another file"
        )
    page_bytes = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    log = path.with_name(path.name + "-wal")
    if size_bytes < pages * page_bytes and not (log.exists() and log.stat().st_size):
        raise StorageFormat(
            f"{path} is cut off: {size_bytes} of {pages * page_bytes} bytes are there; "
            "restore a copy"
        )


def _check_pages(path: Path) -> None:
    """Raises if a page is torn: SQLite alone would read other values from it."""
    connection = sqlite3.connect(path, timeout=BUSY_S)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except UnicodeDecodeError:  # SQLite quotes the damaged bytes
        found = "its schema is not readable"
    except sqlite3.DatabaseError as error:
        if not str(error).startswith(_DAMAGE):
            return  # locked or not accessible: whoever reads next says so
        found = str(error)
    finally:
        connection.close()
    if found != "ok":
        detail = found.splitlines()[-1]
        raise StorageFormat(f"{path} is damaged ({detail}): restore a copy of it")
