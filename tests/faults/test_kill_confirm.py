"""`danlu confirm` is killed at random moments, and the same command given again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import danlu
from danlu import Kind, Ruling, State

STUDY = """\
study: bowl
goal: Where is the bottom?
function: train.py:train
metric: loss
space: {x: -2.0..2.0}
baseline: {x: -1.5}
trials: 4
"""
TRAIN = """\
import time
def train(trial):
    for step in (1, 2, 3):
        time.sleep(0.05)
        luck = trial.seed % 100 / 1e4
        trial.report(step, loss=(trial.params["x"] - 1) ** 2 + 1 / step + luck)
"""
CODE = "import sys; from danlu.cli import main; main(sys.argv[1:])"


@pytest.mark.timeout(300)
def test_confirming_survives_three_kills_and_every_run_is_there_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "train.py").write_text(TRAIN)
    assert _start(tmp_path, "run", "-q").wait() == 0
    rng = random.Random(7)
    for _ in range(3):
        process = _start(tmp_path, "confirm", "-q", "--top", "2", "--seeds", "4")
        time.sleep(rng.uniform(0.8, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert _start(tmp_path, "confirm", "-q", "--top", "2", "--seeds", "4").wait() == 0

    with danlu.open(tmp_path / ".danlu" / "danlu.db") as project:
        trials = project.history("bowl").trials
        decision = project.decide("bowl")
    runs = [trial for trial in trials if trial.kind is Kind.CONFIRM]
    assert {trial.state for trial in trials} == {State.COMPLETED}
    pairs = Counter((trial.params["x"], trial.seed) for trial in runs)
    assert set(pairs.values()) == {1}
    assert sorted(Counter(x for x, _ in pairs).values()) == [4, 4, 4]
    assert decision.ruling in (Ruling.ADOPT, Ruling.MORE)


def _start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CODE, *words], cwd=folder)
