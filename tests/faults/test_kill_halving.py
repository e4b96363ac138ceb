"""kill -9 while trials are paused at rungs and promoted."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import danlu
from danlu import State
from danlu.executors import Recording, Simulated
from danlu.trial import Trial
from tests.faults.halving_study import STUDY

SCRIPT = Path(__file__).with_name("halving_study.py")
KILLS = (4, 11, 16)  # once so many of the 21 steps have been reported
PATIENCE_S = 60.0


def undisturbed() -> list[tuple[int, State]]:
    def find(trial: Trial) -> Recording:
        x = float(trial.params["x"] or 0)
        return Recording.of(
            "loss", {step: (x - 0.3) ** 2 + 1 / step for step in range(1, 10)}
        )

    with danlu.open(":memory:") as project:
        history = project.run(STUDY, Simulated(find, slots=2))
    return [(trial.step, trial.state) for trial in history.trials]


def reported(folder: Path) -> int:
    """How many reports all trials have written."""
    files = folder.rglob("reports.jsonl")
    return sum(len(file.read_text().splitlines()) for file in files)


def test_the_same_trials_are_promoted_after_three_kills(tmp_path: Path) -> None:
    for steps in KILLS:
        process = subprocess.Popen([sys.executable, SCRIPT, tmp_path])
        deadline_s = time.monotonic() + PATIENCE_S
        while reported(tmp_path) < steps and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert process.poll() is None
        process.kill()
        process.wait()
    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True, timeout=120)

    with danlu.open(tmp_path / "tuning.db") as project:
        history = project.history("halving")

    assert undisturbed() == [(trial.step, trial.state) for trial in history.trials]
    curves = [trial.curves["loss"].steps.tolist() for trial in history.trials]
    assert all(own == list(range(1, own[-1] + 1)) for own in curves)
