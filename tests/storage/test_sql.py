"""The SQL storage: its contract, races between processes, and bad files."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from danlu.errors import StorageError, StorageFormat, StudyError, TrialError
from danlu.storage import migrations
from danlu.storage.base import Claim, Reserved
from danlu.storage.sql import SqlStorage, open_storage
from danlu.storage.tables import HEAD, metadata
from danlu.testing import check_storage
from danlu.trial import Kind, Report, State, Trial

CLAIM = Claim("somebody", 60.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tuning.db"


def test_memory_holds_the_contract() -> None:
    check_storage(open_storage(":memory:"))


def test_a_file_holds_the_contract(path: Path) -> None:
    check_storage(open_storage(str(path)))


@pytest.mark.parametrize("name", ["a b", "100%", "q?x=1#y", "日本", "a'b\"c", "; DROP"])
def test_any_path_is_a_place_for_a_database(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / f"{name}.db"

    open_storage(str(path)).close()

    assert path.exists()


def test_names_and_statements_of_any_text_come_back(path: Path) -> None:
    name, statement = "x'); DROP TABLE trials;--", {"é": ["日本", '"', "\\", 2**70]}
    open_storage(str(path)).add_study(name, statement)

    record = open_storage(str(path)).studies()[0]

    assert (record.name, record.statement) == (name, statement)


def test_a_name_is_taken_once(path: Path) -> None:
    storage = open_storage(str(path))
    storage.add_study("s", {})

    with pytest.raises(StudyError, match="exists already"):
        storage.add_study("s", {})


def test_a_completed_trial_does_not_fail_later(path: Path) -> None:
    storage = open_storage(str(path))
    study, trial = _study_with_trial(storage)
    done = Trial(0, {"x": 1.0}, State.COMPLETED, index=0)
    storage.move(study, trial, done)

    with pytest.raises(TrialError, match="is completed and cannot become failed"):
        storage.move(study, done, Trial(0, {"x": 1.0}, State.FAILED, index=0))


def test_a_taken_trial_turns_its_earlier_holder_away(path: Path) -> None:
    storage = open_storage(str(path))
    study, trial = _study_with_trial(storage)
    (holding,) = storage.holdings(study)

    assert storage.take(study, holding, Claim("another", 60.0))
    assert not storage.take(study, holding, Claim("a third", 60.0))
    assert storage.report(study, 0, trial.attempt, [Report(1, {"x": 1})]) == "stopped"


def test_a_lease_lapses_unless_renewed(path: Path) -> None:
    storage = open_storage(str(path))
    study, _ = _study_with_trial(storage, Claim("me", -1.0))

    assert [holding.lapsed for holding in storage.holdings(study)] == [True]
    storage.renew("me", 60.0)
    assert [holding.lapsed for holding in storage.holdings(study)] == [False]


def test_many_batches_of_reports_are_one_row_once_the_trial_has_ended(
    path: Path,
) -> None:
    storage = open_storage(str(path))
    study, trial = _study_with_trial(storage)
    for step in range(50):
        storage.report(study, 0, trial.attempt, [Report(step, {"loss": step})])
    storage.move(study, trial, Trial(0, {"x": 1.0}, State.COMPLETED, index=0))

    ((_, stretch),) = storage.changes(study, 0).stretches

    assert stretch["loss"].steps.tolist() == list(range(50))


def test_who_knows_a_curve_does_not_read_it_again_when_the_trial_ends(
    path: Path,
) -> None:
    storage = open_storage(str(path))
    study, trial = _study_with_trial(storage)
    for step in (1, 2):
        storage.report(study, 0, trial.attempt, [Report(step, {"loss": step})])
    known = storage.changes(study, 0).version
    done = Trial(0, {"x": 1.0}, State.COMPLETED, index=0)
    storage.move(study, trial, done, reports=[Report(3, {"loss": 3})])

    ((_, stretch),) = storage.changes(study, known).stretches

    assert stretch["loss"].steps.tolist() == [3]
    assert _steps(storage, study) == [1, 2, 3]


def test_a_report_between_reading_and_joining_a_curve_is_kept(path: Path) -> None:
    storage, other = open_storage(str(path)), open_storage(str(path))
    study, trial = _study_with_trial(storage)
    for step in (1, 2):
        storage.report(study, 0, trial.attempt, [Report(step, {"loss": step})])
    late = [Report(2, {"loss": 20.0}), Report(3, {"loss": 3})]
    read = SqlStorage._joined

    class Overtaken(SqlStorage):
        def _joined(self, *asked: Any) -> dict[str, Any]:
            joined = read(self, *asked)
            other.report(study, 0, trial.attempt, late)
            return joined

    done = Trial(0, {"x": 1.0}, State.COMPLETED, index=0)
    Overtaken(storage._session).move(study, trial, done)

    ((_, curves),) = storage.changes(study, 0).stretches
    assert curves["loss"].steps.tolist() == [1, 2, 3]
    assert curves["loss"].values.tolist() == [1, 20, 3]


def test_a_move_that_is_refused_leaves_no_points(path: Path) -> None:
    storage = open_storage(str(path))
    study, trial = _study_with_trial(storage)
    for step in (1, 2):
        storage.report(study, 0, trial.attempt, [Report(step, {"loss": step})])
    before = storage.changes(study, 0).stretches
    earlier = replace(trial, attempt=trial.attempt + 1)
    done = replace(earlier, state=State.COMPLETED)

    assert not storage.move(study, earlier, done, reports=[Report(9, {"loss": 9})])
    assert storage.changes(study, 0).stretches == before


def test_a_number_that_is_not_given_out_is_no_news(path: Path) -> None:
    storage = open_storage(str(path))
    study, _ = _study_with_trial(storage)
    known = storage.changes(study, 0).version

    assert storage.reserve(study, Kind.SEARCH, CLAIM, limit=1) is None
    assert storage.changes(study, 0).version == known


def test_each_kind_of_trial_has_a_limit_of_its_own(path: Path) -> None:
    storage = open_storage(str(path))
    study, _ = _study_with_trial(storage)

    first = storage.reserve(study, Kind.BASELINE, CLAIM, limit=1)
    second = storage.reserve(study, Kind.BASELINE, CLAIM, limit=1)

    assert (first, second) == (Reserved(1, None), None)
    assert storage.reserve(study, Kind.SEARCH, CLAIM, limit=2) == Reserved(2, 1)


def test_a_study_that_is_not_there_is_named(path: Path) -> None:
    storage = open_storage(str(path))

    with pytest.raises(StorageError, match="no study number 7"):
        storage.reserve(7, Kind.SEARCH, CLAIM)
    with pytest.raises(StorageError, match="no study number 7"):
        storage.fill(7, Trial(0, {"x": 1.0}, index=0))


def test_the_migrations_make_the_tables_that_the_code_declares(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    migrations.upgrade(engine, str(path), None)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == HEAD
        assert migrations.scripts().get_current_head() == HEAD
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_an_older_database_is_brought_up_to_date_with_all_that_is_in_it(
    path: Path,
) -> None:
    study, trial = _study_with_trial(open_storage(str(path)))
    _make_old(path)

    storage = open_storage(str(path))
    storage.add_decision(study, {"verdict": "adopt"})

    assert [own.number for own in storage.changes(study, 0).trials] == [trial.number]
    assert [own.document for own in storage.decisions()] == [{"verdict": "adopt"}]


def test_many_processes_bring_an_older_database_up_to_date_once(path: Path) -> None:
    open_storage(str(path)).close()
    _make_old(path)

    with _processes(8) as pool:
        names = pool.map(_add_study, [(path, n) for n in range(8)])

    assert sorted(names) == sorted(r.name for r in open_storage(str(path)).studies())


def test_a_newer_schema_is_refused(path: Path) -> None:
    open_storage(str(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(StorageFormat, match="newer danlu"):
        open_storage(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"step,loss\n1,0.5\n" * 20, "not a danlu database"),
        (b"SQLite format 3\x00", "not a danlu database"),
    ],
)
def test_a_file_of_something_else_is_refused_and_left_alone(
    path: Path, content: bytes, message: str
) -> None:
    path.write_bytes(content)

    with pytest.raises(StorageFormat, match=message):
        open_storage(str(path))
    assert path.read_bytes() == content


def test_another_programs_database_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()

    with pytest.raises(StorageFormat, match="of another program"):
        open_storage(str(path))


def test_a_cut_off_file_is_refused(path: Path) -> None:
    open_storage(str(path)).close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(StorageFormat, match="cut off"):
        open_storage(str(path))


def test_a_folder_that_cannot_be_written_is_named(read_only_disk: Path) -> None:
    with pytest.raises(StorageError, match="cannot make the database"):
        open_storage(str(read_only_disk / "tuning.db"))


def test_a_file_in_the_place_of_a_folder_is_named(path: Path) -> None:
    path.write_text("")

    with pytest.raises(StorageError, match="cannot make the database"):
        open_storage(str(path / "tuning.db"))


def test_a_full_disk_is_named_and_nothing_is_lost(small_disk: Path) -> None:
    storage = open_storage(str(small_disk / "tuning.db"))
    study, _ = _study_with_trial(storage)
    saved: list[int] = []
    with pytest.raises(StorageError, match="disk is full") as full:
        _report_for_ever(storage, study, saved)
    storage.close()
    (small_disk / "ballast").unlink()

    again = open_storage(str(small_disk / "tuning.db"))

    assert "free some space" in str(full.value)
    ((_, curves),) = again.changes(study, 0).stretches
    assert curves["m0"].steps.tolist() == saved
    assert again.report(study, 0, 1, [Report(0, {"m": 0})]) is State.RUNNING


def test_a_database_is_whole_or_not_there_when_the_disk_is_full(
    small_disk: Path,
) -> None:
    path = small_disk / "tuning.db"
    ballast = small_disk / "more"
    room_bytes = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize
    ballast.write_bytes(os.urandom(room_bytes - 8192))

    with pytest.raises(StorageError, match="the disk is full; free some space"):
        open_storage(str(path))
    assert sorted(p.name for p in small_disk.iterdir()) == ["ballast", "more"]

    ballast.unlink()
    check_storage(open_storage(str(path)))


def test_many_processes_make_one_database(path: Path) -> None:
    with _processes(16) as pool:
        names = pool.map(_add_study, [(path, n) for n in range(16)])

    assert sorted(names) == sorted(r.name for r in open_storage(str(path)).studies())


def test_sixteen_processes_share_a_study_without_loss(path: Path) -> None:
    study = open_storage(str(path)).add_study("s", {}).id

    with _processes(16) as pool:
        told = pool.map(_ask_and_tell, [(path, study, 10)] * 16)

    storage = open_storage(str(path))
    known = storage.changes(study, 0)
    numbers = [number for own in told for number in own]
    assert sorted(numbers) == list(range(150))
    assert Counter(trial.state for trial in known.trials) == {State.COMPLETED: 150}
    assert sorted(trial.index or 0 for trial in known.trials) == list(range(150))
    assert len(known.stretches) == 150


def test_a_connection_is_opened_anew_in_a_forked_child(path: Path) -> None:
    storage = open_storage(str(path))
    study, _ = _study_with_trial(storage)
    child = os.fork()
    if child == 0:
        done = storage.reserve(study, Kind.SEARCH, CLAIM) is not None
        os._exit(0 if done else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert len(storage.holdings(study)) == 2


def _study_with_trial(storage: SqlStorage, claim: Claim = CLAIM) -> tuple[int, Trial]:
    study = storage.add_study("s", {}).id
    storage.reserve(study, Kind.SEARCH, claim)
    trial = Trial(0, {"x": 1.0}, index=0)
    storage.fill(study, trial)
    return study, trial


def _steps(storage: SqlStorage, study: int) -> list[int]:
    """The steps of all stretches of one trial."""
    stretches = storage.changes(study, 0).stretches
    return sorted(int(s) for _, own in stretches for s in own["loss"].steps)


def _report_for_ever(storage: SqlStorage, study: int, saved: list[int]) -> None:
    metrics = {f"m{n}": float(n) for n in range(200)}
    while True:
        storage.report(study, 0, 1, [Report(len(saved), metrics)])
        saved.append(len(saved))


def _processes(count: int) -> multiprocessing.pool.Pool:
    return multiprocessing.get_context("spawn").Pool(count)


def _add_study(place: tuple[Path, int]) -> str:
    path, number = place
    storage = open_storage(str(path))
    name = storage.add_study(f"s{number}", {}).name
    storage.close()
    return name


def _ask_and_tell(place: tuple[Path, int, int]) -> list[int]:
    """Ten trials, or fewer when 150 have been given out."""
    path, study, count = place
    storage = open_storage(str(path))
    told = []
    for _ in range(count):
        reserved = storage.reserve(study, Kind.SEARCH, CLAIM, limit=150)
        if reserved is None:
            break
        trial = Trial(reserved.number, {"x": 0.5}, index=reserved.index)
        storage.fill(study, trial)
        storage.report(study, trial.number, 1, [Report(1, {"loss": 1.0})])
        after = Trial(
            reserved.number, {"x": 0.5}, State.COMPLETED, index=reserved.index
        )
        if storage.move(study, trial, after):
            told.append(reserved.number)
    storage.close()
    return told


def _make_old(path: Path) -> None:
    """Makes the database one of the first schema."""
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE decisions")
        connection.execute("ALTER TABLE trials DROP COLUMN idle_s")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
