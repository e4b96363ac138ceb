"""The main process is killed at random moments, and the same command given again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

import danlu
from danlu.trial import State

SCRIPT = Path(__file__).with_name("killed_study.py")


@pytest.mark.parametrize("slots", [1, 2])
def test_a_study_survives_two_kills(tmp_path: Path, slots: int) -> None:
    _check_survival(tmp_path, trials=8, slots=slots, kills=2, within_s=3.0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("slots", [1, 2])
def test_a_study_of_sixty_trials_survives_ten_kills(tmp_path: Path, slots: int) -> None:
    _check_survival(tmp_path, trials=60, slots=slots, kills=10, within_s=6.0)


def _check_survival(
    folder: Path, *, trials: int, slots: int, kills: int, within_s: float
) -> None:
    rng = random.Random(trials + slots)
    (folder / "killed").mkdir()
    for _ in range(kills):
        process = _start(folder / "killed", trials, slots)
        restart_s = _first_trial_s(folder / "killed", process)
        time.sleep(rng.uniform(0.0, within_s))
        process.send_signal(signal.SIGKILL)
        process.wait()
        print(f"killed; its first trial started after {restart_s:.2f} s")
    assert _start(folder / "killed", trials, slots).wait(600) == 0

    with danlu.open(folder / "killed" / "tuning.db", folder / "killed") as project:
        survived = project.history("killed").trials
        assert project.holdings("killed") == []
    assert Counter(trial.state for trial in survived) == {State.COMPLETED: trials}
    assert [trial.number for trial in survived] == list(range(trials))
    kept = {(trial.number, step) for trial in survived for step in _steps(trial)}
    assert _ledger(folder / "killed") <= kept
    assert _leftovers(folder) == []
    if slots == 1:
        undisturbed = _undisturbed(folder / "calm", trials)
        assert [trial.params for trial in survived] == undisturbed


def _start(folder: Path, trials: int, slots: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, str(SCRIPT), str(folder), str(trials), str(slots)]
    return subprocess.Popen(words)


def _first_trial_s(folder: Path, process: subprocess.Popen[bytes]) -> float:
    """Seconds until the process has started a trial, or has ended."""
    began_s = time.monotonic()
    mark = folder / f"started.{process.pid}"
    while not mark.exists() and process.poll() is None:
        assert time.monotonic() < began_s + 120, "no trial was started"
        time.sleep(0.01)
    return time.monotonic() - began_s


def _steps(trial: danlu.Trial) -> list[int]:
    return [report.step for report in trial.reports]


def _ledger(folder: Path) -> set[tuple[int, int]]:
    lines = (folder / "ledger.txt").read_text().splitlines()
    return {(int(n), int(step)) for n, step in (line.split() for line in lines)}


def _leftovers(folder: Path) -> list[psutil.Process]:
    """Processes that still work on this study, a moment after it has ended."""
    deadline_s = time.monotonic() + 60
    while left := [p for p in psutil.process_iter() if str(folder) in _words(p)]:
        if time.monotonic() > deadline_s:
            break
        time.sleep(0.1)
    return left


def _words(process: psutil.Process) -> str:
    try:
        return " ".join([*process.cmdline(), *process.environ().values()])
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return ""


def _undisturbed(folder: Path, trials: int) -> list[object]:
    folder.mkdir()
    assert _start(folder, trials, 2).wait(600) == 0
    with danlu.open(folder / "tuning.db", folder) as project:
        return [trial.params for trial in project.history("killed").trials]
