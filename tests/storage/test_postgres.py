"""PostgreSQL: the same contract, many processes, and a server that goes away."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from danlu.errors import StorageError
from danlu.storage.base import Claim
from danlu.storage.sql import SqlStorage, open_storage
from danlu.testing import check_storage
from danlu.trial import Kind, Report, State, Trial
from tests.postgres import Server

CLAIM = Claim("somebody", 60.0)


@pytest.fixture
def storage(postgres_url: str) -> Iterator[SqlStorage]:
    with closing(open_storage(postgres_url)) as opened:
        yield opened


def test_a_server_holds_the_contract(storage: SqlStorage) -> None:
    check_storage(storage)


def test_a_second_opening_finds_the_tables(postgres_url: str) -> None:
    for name in ("a", "b"):
        with closing(open_storage(postgres_url)) as storage:
            storage.add_study(name, {})
            found = [record.name for record in storage.studies()]

    assert found == ["a", "b"]


def test_an_older_database_is_brought_up_to_date(postgres_url: str) -> None:
    storage = open_storage(postgres_url)
    study = storage.add_study("s", {}).id
    with storage._session.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE decisions")
        connection.exec_driver_sql("ALTER TABLE trials DROP COLUMN idle_s")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    storage.close()

    again = open_storage(postgres_url)
    again.add_decision(study, {"verdict": "adopt"})

    assert [own.study for own in again.decisions()] == [study]
    again.close()


def test_a_lease_ends_by_the_servers_clock(
    storage: SqlStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = storage.add_study("s", {}).id
    storage.reserve(study, Kind.SEARCH, CLAIM)
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 1e6)  # our clock jumps

    assert [holding.lapsed for holding in storage.holdings(study)] == [False]
    storage.renew("somebody", -1.0)
    assert [holding.lapsed for holding in storage.holdings(study)] == [True]


def test_eight_processes_share_a_study_without_loss(postgres_url: str) -> None:
    with closing(open_storage(postgres_url)) as storage:
        study = storage.add_study("s", {}).id

        with multiprocessing.get_context("spawn").Pool(8) as pool:
            told = pool.map(_ask_and_tell, [(postgres_url, study)] * 8)

        known = storage.changes(study, 0)
    assert sorted(n for own in told for n in own) == list(range(60))
    assert Counter(trial.state for trial in known.trials) == {State.COMPLETED: 60}


def test_a_report_that_waited_while_its_trial_ended_is_turned_away(
    storage: SqlStorage, postgres_url: str
) -> None:
    study = storage.add_study("s", {}).id
    storage.reserve(study, Kind.SEARCH, CLAIM)
    storage.fill(study, Trial(0, {"x": 1}, index=0))
    answers: list[State] = []
    with (
        closing(open_storage(postgres_url)) as late,
        psycopg.connect(postgres_url) as us,
    ):
        us.execute("UPDATE studies SET version = version + 1")
        reporting = threading.Thread(
            target=lambda: answers.append(
                late.report(study, 0, 1, [Report(1, {"l": 1})])
            )
        )
        reporting.start()
        _wait_for_a_lock(postgres_url)
        us.execute("UPDATE trials SET state = 'completed'")
        us.commit()
        reporting.join()

    assert answers == [State.STOPPED]
    assert storage.changes(study, 0).stretches == ()


def test_a_server_that_is_killed_and_started_again_loses_nothing(
    postgres_server: Server, storage: SqlStorage
) -> None:
    study = storage.add_study("s", {}).id
    storage.reserve(study, Kind.SEARCH, CLAIM)
    storage.fill(study, Trial(0, {"x": 1}, index=0))
    done = threading.Event()
    outage = threading.Thread(target=_outages, args=(postgres_server, done, 2))
    outage.start()
    steps = 0
    while not done.is_set():
        storage.report(study, 0, 1, [Report(steps, {"loss": steps})])
        steps += 1
        if steps % 10 == 0:
            reserved = storage.reserve(study, Kind.SEARCH, CLAIM)
            assert reserved is not None
            number = reserved.number
            storage.fill(study, Trial(number, {"x": number}, index=number))
    outage.join()

    known = storage.changes(study, 0)

    curves = [stretch["loss"] for number, stretch in known.stretches if number == 0]
    seen = sorted({int(step) for curve in curves for step in curve.steps})
    assert seen == list(range(steps))
    assert [trial.number for trial in known.trials] == list(range(1 + steps // 10))


def test_a_server_that_stays_away_is_named(postgres_url: str) -> None:
    nowhere = postgres_url.replace("127.0.0.1:", "127.0.0.1:1")

    with pytest.raises(StorageError, match=r"127\.0\.0\.1"):
        open_storage(nowhere + "?connect_timeout=1", patience_s=0.5)


def test_a_database_that_does_not_exist_is_named(postgres_url: str) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        open_storage(postgres_url + "_not", patience_s=0.0)


def _outages(server: Server, done: threading.Event, count: int) -> None:
    try:
        for _ in range(count):
            time.sleep(0.7)
            server.kill()
            time.sleep(0.3)
            server.start()
        time.sleep(0.7)
    finally:
        done.set()


def _wait_for_a_lock(url: str) -> None:
    """Comes back when somebody waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(waiting).fetchone() == (0,):
            time.sleep(0.01)


def _ask_and_tell(place: tuple[str, int]) -> list[int]:
    url, study = place
    told = []
    with closing(open_storage(url)) as storage:
        while reserved := storage.reserve(study, Kind.SEARCH, CLAIM, limit=60):
            number = reserved.number
            trial = Trial(number, {"x": 0.5}, index=reserved.index)
            storage.fill(study, trial)
            storage.report(study, number, 1, [Report(1, {"loss": 1.0})])
            after = Trial(number, {"x": 0.5}, State.COMPLETED, index=reserved.index)
            if storage.move(study, trial, after):
                told.append(number)
    return told
