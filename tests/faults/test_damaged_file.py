"""A SQLite file that was cut or torn is named, and never taken for a new one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import danlu
from danlu import Float, State, Study
from danlu.client import LiveTrial
from danlu.errors import StorageError, StorageFormat
from danlu.executors import Inline
from danlu.storage.sqlite import CHECKED_BYTES, check_whole

PAGE_BYTES = 4096


def study(name: str = "whole") -> Study:
    space = {"x": Float(0, 1)}
    return Study(name, "What is left?", "loss", space, sampler="random", trials=60)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database of several pages, all of them in the file itself."""

    def train(trial: LiveTrial) -> None:
        for step in range(10):
            trial.report(step, loss=1 / 3 / (step + 1))

    path = tmp_path / "tuning.db"
    with danlu.open(path) as project:
        project.run(study(), Inline(train))
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.mark.parametrize("left", [0.999, 0.5, 0.1, 0.0])
def test_a_cut_tail_is_named(file: Path, left: float) -> None:
    whole = file.read_bytes()
    cut = whole[: int(left * len(whole))]
    file.write_bytes(cut)

    with pytest.raises(StorageFormat, match=r"cut off|not a danlu database"):
        danlu.open(file)

    assert cut == file.read_bytes()


@pytest.mark.parametrize("tear", ["zeros", "noise", "old"])
def test_a_torn_page_is_named_or_does_no_harm(file: Path, tear: str) -> None:
    whole = file.read_bytes()
    expected = _known(file)
    changed = []
    for start in range(0, len(whole), PAGE_BYTES):
        _write_anew(file, _torn(whole, start, tear))
        with suppress(StorageError):
            if _known(file) != expected:
                changed.append(start // PAGE_BYTES)
    assert [] == changed


def test_a_torn_page_is_never_written_over(file: Path) -> None:
    whole = file.read_bytes()
    for start in range(0, len(whole), PAGE_BYTES):
        _write_anew(file, _torn(whole, start, "noise"))
        with suppress(StorageError), danlu.open(file) as project:
            names = [own.name for own in project.studies()]
            assert ["whole"] == names


def test_a_large_file_is_read_through_when_that_is_asked_for(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE large (content BLOB)")
        database.execute("INSERT INTO large VALUES (zeroblob(?))", (CHECKED_BYTES,))
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    check_whole(file)
    _write_anew(file, _torn(file.read_bytes(), PAGE_BYTES, "noise"))

    with pytest.raises(StorageFormat, match="is damaged"):
        check_whole(file)


def _known(file: Path) -> object:
    with danlu.open(file) as project:
        trials = project.history(project.study("whole")).trials
    assert all(trial.state is State.COMPLETED for trial in trials)
    return [(trial.params, trial.reports) for trial in trials]


def _torn(whole: bytes, start: int, tear: str) -> bytes:
    """The file with the second half of one page as it was before its last write."""
    half = start + PAGE_BYTES // 2
    tears: dict[str, Callable[[], bytes]] = {
        "zeros": lambda: bytes(PAGE_BYTES // 2),
        "noise": lambda: bytes((7 * n + 13) % 251 for n in range(PAGE_BYTES // 2)),
        "old": lambda: whole[start : start + PAGE_BYTES // 2],
    }
    return whole[:half] + tears[tear]() + whole[half + PAGE_BYTES // 2 :]


def _write_anew(file: Path, content: bytes) -> None:
    for left in ("-wal", "-shm"):
        Path(f"{file}{left}").unlink(missing_ok=True)
    file.write_bytes(content)
