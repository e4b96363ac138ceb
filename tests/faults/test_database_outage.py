"""The database server is killed or stopped while three loops work on a study."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, update
from sqlalchemy.exc import DBAPIError

import danlu
from danlu.storage import postgres
from danlu.storage.driver import PostgresDriver
from danlu.storage.session import Session
from danlu.storage.tables import studies
from tests.faults.loops import Place, wait_until_all_run
from tests.faults.shared_study import study
from tests.postgres import Server


def test_every_loop_goes_on_after_the_server_was_killed(
    postgres_server: Server, postgres_url: str, tmp_path: Path
) -> None:
    place = Place(postgres_url, tmp_path / "trials", 36)
    loops = [place.start(f"loop{n}", "pause=0.05") for n in range(3)]
    wait_until_all_run(loops)

    postgres_server.kill()
    time.sleep(0.5)
    postgres_server.start()

    said = [started.finish() for started in loops]
    assert {1} == {trial.attempt for trial in place.check()}
    assert all("is away" in one for one in said)


def test_a_process_that_falls_asleep_in_a_transaction_does_not_hold_up_the_others(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ASLEEP_S", 0.5)
    with danlu.open(postgres_url) as project:
        project.plan(study(2))
        asleep = postgres.open_server(postgres_url).connect()
        asleep.execute(update(studies).values(version=studies.c.version + 1))

        trial = project.ask("shared")

        assert trial is not None
        with pytest.raises(DBAPIError):
            asleep.commit()
        asleep.close()
        asleep.engine.dispose()


def test_a_write_that_fell_asleep_is_done_once(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ASLEEP_S", 0.5)
    with danlu.open(postgres_url) as project:
        project.plan(study(2))

    def connect() -> Engine:
        return postgres.open_server(postgres_url)

    session = Session(connect, PostgresDriver, "", patience_s=30)
    tries = []

    def work(connection: Connection, again: bool) -> int:
        tries.append(again)
        version = studies.c.version
        changed = update(studies).values(version=version + 1).returning(version)
        found = connection.execute(changed).scalar_one()
        time.sleep(0.0 if again else 1.5)
        return int(found)

    assert 1 == session.write(work)
    assert [False, True] == tries
    session.close()


@pytest.mark.parametrize(
    ("trials", "lease"),
    [
        pytest.param(60, "lease=60", id="shorter than a lease", marks=pytest.mark.slow),
        pytest.param(36, "lease=4", id="longer than a lease"),
    ],
)
def test_a_server_that_stays_away_for_five_seconds_costs_no_trial(
    postgres_server: Server, postgres_url: str, tmp_path: Path, trials: int, lease: str
) -> None:
    place = Place(postgres_url, tmp_path / "trials", trials)
    loops = [place.start(f"loop{n}", lease, "pause=0.05") for n in range(3)]
    wait_until_all_run(loops)

    postgres_server.stop()
    time.sleep(5)
    postgres_server.start()

    for started in loops:
        started.finish()
    assert {1} == {trial.attempt for trial in place.check()}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_crashes_of_the_server_lose_nothing(
    postgres_server: Server, postgres_url: str, tmp_path: Path
) -> None:
    place = Place(postgres_url, tmp_path / "trials", 300)
    loops = [place.start(f"loop{n}", "pause=0.1") for n in range(3)]
    wait_until_all_run(loops)

    for _ in range(10):
        time.sleep(1)
        postgres_server.kill()
        postgres_server.start()

    for started in loops:
        started.finish()
    assert {1} == {trial.attempt for trial in place.check()}
