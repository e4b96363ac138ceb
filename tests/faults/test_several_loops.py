"""Several loops on one study: some are killed or fall asleep, the others take over."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from tests.faults.loops import Place, wait_until_all_run


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "tuning.db")
    return str(request.getfixturevalue("postgres_url"))


def test_others_take_over_from_a_loop_that_is_killed(url: str, tmp_path: Path) -> None:
    _check_kills(Place(url, tmp_path / "trials", 24), kills=1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_fifteen_kills_among_three_loops_lose_nothing(url: str, tmp_path: Path) -> None:
    _check_kills(Place(url, tmp_path / "trials", 400), kills=15)


def test_a_loop_that_slept_over_its_lease_finds_its_trials_taken(
    url: str, tmp_path: Path
) -> None:
    place = Place(url, tmp_path / "trials", 12)
    first = place.start("first", "lease=1", "pause=0.1")
    first.wait_until_it_runs()

    first.process.send_signal(signal.SIGSTOP)
    place.start("second", "lease=1").finish()
    first.process.send_signal(signal.SIGCONT)

    first.finish()
    assert 2 == max(trial.attempt for trial in place.check())


def test_loops_that_all_slept_over_their_leases_keep_their_trials(
    url: str, tmp_path: Path
) -> None:
    place = Place(url, tmp_path / "trials", 4)
    loops = [place.start(f"loop{n}", "lease=4", "pause=1.5") for n in range(2)]
    wait_until_all_run(loops)

    for started in loops:
        started.process.send_signal(signal.SIGSTOP)
    time.sleep(5)
    for started in loops:
        started.process.send_signal(signal.SIGCONT)
        time.sleep(1)  # the first is back before the second

    for started in loops:
        started.finish()
    assert {1} == {trial.attempt for trial in place.check()}


def _check_kills(place: Place, kills: int) -> None:
    rng = random.Random(place.trials)
    loops = [place.start(f"loop{n}", "pause=0.05") for n in range(3)]
    wait_until_all_run(loops)
    for turn in range(kills):
        victim = loops.pop(rng.randrange(len(loops)))
        time.sleep(rng.uniform(0.0, 0.3))
        victim.process.kill()
        victim.process.wait()
        if turn < kills - 1:
            loops.append(place.start(f"loop{3 + turn}", "pause=0.05"))
            loops[-1].wait_until_it_runs()
    for survivor in loops:
        survivor.finish()
    place.check()
