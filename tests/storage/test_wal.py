"""What was acknowledged has been waited for on disk, however the file is written."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import danlu
from danlu.errors import StorageError, StorageFull
from danlu.storage import wal
from danlu.storage.base import Claim
from danlu.storage.sql import SqlStorage, open_storage
from danlu.trial import Kind, Report, State, Trial

CLAIM = Claim("somebody", 60.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tuning.db"


def _versions(path: Path) -> list[int]:
    with sqlite3.connect(path) as connection:
        return [row[0] for row in connection.execute("SELECT version FROM studies")]


WRITES: dict[str, Callable[[SqlStorage], object]] = {
    "reserve": lambda storage: storage.reserve(1, Kind.SEARCH, CLAIM),
    "fill": lambda storage: storage.fill(1, Trial(0, {"x": 1.0}, index=0)),
    "report": lambda storage: storage.report(1, 0, 1, [Report(1, {"loss": 1})]),
    "take": lambda storage: storage.take(1, storage.holdings(1)[0], CLAIM),
    "move": lambda storage: storage.move(
        1,
        Trial(0, {"x": 1.0}, index=0),
        Trial(0, {"x": 1.0}, State.COMPLETED, index=0),
    ),
    "amend": lambda storage: storage.amend(1, {"trials": 2}),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_each_write_is_on_disk_when_it_returns(
    write: Callable[[SqlStorage], object], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(str(path))
    storage.add_study("s", {})
    storage.reserve(1, Kind.SEARCH, CLAIM)
    storage.fill(1, Trial(0, {"x": 1.0}, index=0))
    synced: list[tuple[str, list[int]]] = []

    def sync(file: int) -> None:
        synced.append((os.readlink(f"/proc/self/fd/{file}"), _versions(path)))

    monkeypatch.setattr(wal, "_wait_for_disk", sync)
    write(storage)

    assert synced[-1] == (f"{path}-wal", _versions(path))


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (errno.ENOSPC, StorageFull, "the disk is full"),
        (errno.EIO, StorageError, "the disk reports an error"),
    ],
    ids=["full", "broken"],
)
def test_a_disk_that_does_not_take_a_write_is_named(
    number: int,
    kind: type[StorageError],
    says: str,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = open_storage(str(path))

    def fail(file: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(wal, "_wait_for_disk", fail)

    with pytest.raises(kind, match=says):
        storage.add_study("s", {})


def test_a_copy_in_another_mode_is_written_too(path: Path) -> None:
    with danlu.open(path) as project:
        project.plan(danlu.Study("s", "Which?", "loss", {"x": danlu.Float(0, 1)}, 9))
    copy = path.with_name("copy.db")
    with sqlite3.connect(path) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))

    with danlu.open(copy) as project:
        trial = project.ask("s")
        assert trial is not None
        project.report("s", trial, step=1, loss=0.5)
        project.tell("s", trial)

    with danlu.open(copy) as project:
        assert project.history("s").best == project.history("s").trials[0]
    assert not copy.with_name("copy.db-wal").exists()
