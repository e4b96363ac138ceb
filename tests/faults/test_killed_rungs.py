"""A study at rungs with a sampler that learns is killed at random moments."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import danlu
from danlu.checkpoints import Checkpoints
from danlu.trial import State
from tests.faults.killed_rungs import STEPS, loss_at

SCRIPT = Path(__file__).with_name("killed_rungs.py")
RUNGS = {"asha": {1, 3, STEPS}, "freeze_thaw": {1, 2, 3, 4, 6, STEPS}}
PATIENCE_S = 120.0  # only to detect what hangs


@dataclass(frozen=True)
class Rungs:
    """A study at rungs, and how it is run."""

    folder: Path
    sampler: str
    slots: int
    trials: int
    scheduler: str = "asha"

    def start(self) -> subprocess.Popen[bytes]:
        self.folder.mkdir(exist_ok=True)
        words = [str(self.folder), self.sampler, str(self.slots), str(self.trials)]
        words.append(self.scheduler)
        return subprocess.Popen([sys.executable, str(SCRIPT), *words])

    def kill_after(self, seconds: float) -> None:
        """Runs it, and kills it that long after its first trial has started."""
        process = self.start()
        mark, began_s = self.folder / f"started.{process.pid}", time.monotonic()
        while not mark.exists() and process.poll() is None:
            assert time.monotonic() < began_s + PATIENCE_S, "no trial was started"
            time.sleep(0.01)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def finish(self) -> danlu.History:
        """The history at the end, if all that was trained is what it says."""
        assert self.start().wait(600) == 0
        with danlu.open(self.folder / "tuning.db", self.folder) as project:
            history = project.history("rungs")
            assert project.holdings("rungs") == []
            for trial in history.trials:
                folder = project.trial_folder("rungs", trial.number)
                _check_trial(trial, folder / "checkpoint")
        return history


def _check_trial(trial: danlu.Trial, checkpoint: Path) -> None:
    """Its steps are there once, from its own params, and its checkpoint agrees."""
    x, y = trial.params["x"], trial.params["y"]
    assert isinstance(x, float)
    assert isinstance(y, float)
    curve = trial.curves["loss"]
    steps = list(range(1, trial.step + 1))
    assert curve.steps.tolist() == steps
    assert curve.values.tolist() == [loss_at(x, y, step) for step in steps]
    saved = Checkpoints(checkpoint).latest()
    assert saved is not None
    assert json.loads(saved.path.read_text()) == [[trial.number, x, y]] * len(steps)


def _check_survival(own: Rungs, *, kills: int, within_s: float) -> danlu.History:
    rng = random.Random(kills + own.slots)
    for _ in range(kills):
        own.kill_after(rng.uniform(0.0, within_s))
    history = own.finish()
    numbers = [trial.number for trial in history.trials]
    assert numbers == list(range(own.trials))
    assert {trial.state for trial in history.trials} == {
        State.COMPLETED,
        State.STOPPED,
    }
    reached = {trial.step for trial in history.trials}
    assert STEPS in reached
    assert reached <= RUNGS[own.scheduler]
    return history


def _check_nothing_changed(
    folder: Path, sampler: str, *, kills: int, scheduler: str = "asha"
) -> None:
    """One at a time, kills change neither the params nor who is promoted."""
    trials = 8 * kills
    killed = Rungs(folder / "killed", sampler, 1, trials, scheduler)
    history = _check_survival(killed, kills=kills, within_s=1.0)
    calm = Rungs(folder / "calm", sampler, 1, trials, scheduler).finish()

    assert [t.params for t in calm.trials] == [t.params for t in history.trials]
    assert [t.step for t in calm.trials] == [t.step for t in history.trials]


def test_tpe_suggests_the_same_at_rungs_after_three_kills(tmp_path: Path) -> None:
    _check_nothing_changed(tmp_path, "tpe", kills=3)


def test_the_same_trials_are_thawed_after_three_kills(tmp_path: Path) -> None:
    _check_nothing_changed(tmp_path, "random", kills=3, scheduler="freeze_thaw")


def test_two_slots_of_gp_at_rungs_survive_three_kills(tmp_path: Path) -> None:
    _check_survival(Rungs(tmp_path / "gp", "gp", 2, 24), kills=3, within_s=1.0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_the_same_is_suggested_at_rungs_after_ten_kills(
    tmp_path: Path, sampler: str
) -> None:
    _check_nothing_changed(tmp_path, sampler, kills=10)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_four_slots_at_rungs_survive_fifteen_kills(
    tmp_path: Path, sampler: str
) -> None:
    own = Rungs(tmp_path / sampler, sampler, 4, 90)
    _check_survival(own, kills=15, within_s=2.0)
