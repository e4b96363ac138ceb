"""Much at once: many trials that end together, and a trial that reports very fast."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

import danlu
from danlu import Float, State, Study
from danlu.client import LiveTrial

CROWD = 200
RATE = 2000  # reports a second


def study(trials: int) -> Study:
    space = {"x": Float(0, 1)}
    return Study("crowd", "Do all arrive?", "loss", space, trials, sampler="random")


def test_two_hundred_trials_that_end_in_the_same_second_all_end(tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def train(trial: LiveTrial) -> None:
        trial.report(1, loss=0.5)
        while not gate.exists():
            time.sleep(0.1)

    def open_gate(progress: danlu.Progress) -> None:
        if len(progress.running) == CROWD:
            gate.touch()

    with danlu.open(tmp_path / "tuning.db") as project:
        project.run(study(CROWD), train, slots=CROWD, watch=open_gate)
        known = project.history("crowd").trials
        held = project.holdings("crowd")

    assert [] == held
    assert Counter({State.COMPLETED: CROWD}) == Counter(t.state for t in known)
    assert {1} == {trial.attempt for trial in known}
    assert {(1,)} == {tuple(trial.curves["loss"].steps) for trial in known}


@pytest.mark.parametrize(
    "seconds", [2, pytest.param(30, marks=pytest.mark.slow)], ids=str
)
def test_two_thousand_reports_a_second_arrive_in_order_and_once(
    tmp_path: Path, seconds: int
) -> None:
    count = RATE * seconds

    def train(trial: LiveTrial) -> None:
        began_s = time.monotonic()
        for step in range(count):
            trial.report(step, loss=1 / (step + 1))
            ahead_s = step / RATE - (time.monotonic() - began_s)
            if ahead_s > 0.01:
                time.sleep(ahead_s)

    with danlu.open(tmp_path / "tuning.db") as project:
        project.run(study(1), train)
        (trial,) = project.history("crowd").trials

    assert list(range(count)) == list(trial.curves["loss"].steps)
    assert [1 / (step + 1) for step in range(count)] == list(
        trial.curves["loss"].values
    )
