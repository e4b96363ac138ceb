"""A population is killed at random moments: every lineage stays what was trained."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

import danlu
from danlu.analysis import schedule_of
from danlu.checkpoints import Checkpoints
from danlu.project import Project
from danlu.trial import State

SCRIPT = Path(__file__).with_name("killed_population.py")
PATIENCE_S = 120.0  # only to detect what hangs


@dataclass(frozen=True)
class Population:
    """A study of a population, and how it is run."""

    folder: Path
    slots: int
    members: int
    steps: int
    scheduler: str = "pbt"

    def start(self) -> subprocess.Popen[bytes]:
        self.folder.mkdir(exist_ok=True)
        sizes = [str(own) for own in (self.slots, self.members, self.steps)]
        words = [str(SCRIPT), str(self.folder), *sizes, self.scheduler]
        return subprocess.Popen([sys.executable, *words])

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
        assert self.start().wait(600) == 0
        with danlu.open(self.folder / "tuning.db", self.folder) as project:
            history = project.history("population")
            assert project.holdings("population") == []
            self._check_checkpoints(project, history)
        return history

    def _check_checkpoints(self, project: Project, history: danlu.History) -> None:
        """What every checkpoint went through is what its lineage says."""
        for trial in history.trials:
            folder = project.trial_folder("population", trial.number)
            saved = Checkpoints(folder / "checkpoint").latest()
            assert saved is not None
            trained = [tuple(own) for own in json.loads(saved.path.read_text())]
            expected = [
                (stretch.trial, stretch.params["lr"])
                for stretch in schedule_of(history, trial.number)
                for _ in range(stretch.from_step, stretch.to_step)
            ]
            assert expected == trained


@pytest.mark.parametrize("slots", [1, 2])
def test_a_population_survives_three_kills(tmp_path: Path, slots: int) -> None:
    sizes = {"slots": slots, "members": 3, "steps": 12}
    _check_survival(tmp_path, kills=3, within_s=1.0, **sizes)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("slots", [1, 2, 4])
def test_a_population_of_eight_survives_fifteen_kills(
    tmp_path: Path, slots: int
) -> None:
    sizes = {"slots": slots, "members": 8, "steps": 30}
    _check_survival(tmp_path, kills=15, within_s=3.0, **sizes)


def _check_survival(folder: Path, *, kills: int, within_s: float, **sizes: int) -> None:
    rng = random.Random(kills + sizes["slots"])
    own = sizes["slots"], sizes["members"], sizes["steps"]
    killed = Population(folder / "killed", *own)
    for _ in range(kills):
        killed.kill_after(rng.uniform(0.0, within_s))
    history = killed.finish()

    calm = Population(folder / "calm", *own).finish()
    assert [t.params for t in calm.trials] == [t.params for t in history.trials]
    assert [t.parent for t in calm.trials] == [t.parent for t in history.trials]
    ends = Counter(trial.state for trial in history.trials)
    children = len(history.trials) - sizes["members"]
    assert ends == {State.COMPLETED: sizes["members"], State.STOPPED: children}
    assert children > 0
    for trial in history.trials:
        steps = [report.step for report in trial.reports]
        assert steps[-1] == trial.step
        assert steps[0] > trial.first_step


@pytest.mark.parametrize("slots", [1, 3])
def test_a_population_without_generations_survives_three_kills(
    tmp_path: Path, slots: int
) -> None:
    population = Population(tmp_path / "killed", slots, 3, 12, "async_pbt")
    rng = random.Random(slots)
    for _ in range(3):
        population.kill_after(rng.uniform(0.0, 1.0))

    history = population.finish()

    ends = Counter(trial.state for trial in history.trials)
    assert ends[State.COMPLETED] == 3
    assert len(history.trials) == 3 + ends[State.STOPPED]
    begun = Counter(tuple(own.scheduler_note.values()) for own in history.trials)
    assert set(begun.values()) == {1}


def test_two_loops_share_a_population(tmp_path: Path) -> None:
    population = Population(tmp_path / "shared", slots=2, members=4, steps=12)
    other = population.start()

    history = population.finish()

    assert other.wait(PATIENCE_S) == 0
    assert Counter(trial.step for trial in history.trials)[12] == 4
