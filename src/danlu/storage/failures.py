"""What a database's errors mean to the user."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from ..errors import StorageBusy, StorageError, StorageFormat, StorageFull

_FREE_SPACE = (
    "the disk is full; free some space and run the same command again: everything "
    "acknowledged is safe"
)
_BAD_DISK = (
    "the disk reports an error; look at its health and free space, then run the same "
    "command again"
)
# Part of the database's message, our error, and what to do.
_MEANINGS: tuple[tuple[str, type[StorageError], str], ...] = (
    (
        "disk is full",
        StorageFull,
        _FREE_SPACE,
    ),
    (
        "no space left",
        StorageFull,
        _FREE_SPACE,
    ),
    (
        "disk i/o error",
        StorageError,
        _BAD_DISK,
    ),
    (
        "input/output error",
        StorageError,
        _BAD_DISK,
    ),
    (
        "locked",
        StorageBusy,
        "other processes held it for over a minute; run the same command again",
    ),
    (
        "malformed",
        StorageFormat,
        "the file is damaged; restore a copy of it",
    ),
    (
        "not a database",
        StorageFormat,
        "the file is damaged or not a danlu database; restore a copy of it",
    ),
    (
        "readonly",
        StorageError,
        "it cannot be written; change its permissions or choose another folder",
    ),
    (
        "unable to open",
        StorageError,
        "it cannot be opened; look at the folder's permissions and free space",
    ),
    (
        "no such table",
        StorageFormat,
        "it has no danlu tables; choose another file",
    ),
)


def translation(place: str, error: DBAPIError) -> StorageError:
    """The database's error as ours, to be raised from it."""
    message = str(error.orig).lower()
    for part, kind, advice in _MEANINGS:
        if part in message:
            return kind(f"database {place}: {advice} ({error.orig})")
    if error.connection_invalidated or "connect" in message:
        return StorageBusy(
            f"database {place}: it cannot be reached; look at the address and the "
            f"server, then run the same command again ({error.orig})"
        )
    return StorageError(f"database {place}: {error.orig}")
