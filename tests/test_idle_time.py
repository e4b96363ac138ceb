"""What a trial is said to have taken is the time that it was trained for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import danlu
from danlu import State, Trial
from danlu.analysis.summary import summarize
from danlu.client import LiveTrial
from danlu.executors import Inline
from danlu.owner import retire, this_owner
from danlu.project import Project
from danlu.schedulers import Asha
from tests.studies import bowl

STUDY = bowl(scheduler=Asha(), max_steps=9, trials=3)
HOUR_S = 3600.0


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1e9

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    own = Clock()
    monkeypatch.setattr(time, "time", own)
    return own


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with danlu.open(tmp_path / "tuning.db") as opened:
        yield opened


def trained(project: Project, clock: Clock, step_s: float) -> Trial:
    """The next trial, trained to its budget at `step_s` a step."""
    trial = project.ask(STUDY)
    assert trial is not None
    for step in range(trial.step + 1, (trial.budget or 0) + 1):
        clock.now_s += step_s
        if not project.report(STUDY, trial, step, loss=float(trial.number)):
            break
    return project.tell(STUDY, trial)


def test_a_promoted_trial_took_the_time_of_its_stretches(
    project: Project, clock: Clock
) -> None:
    for _ in range(3):
        trained(project, clock, step_s=1.0)
        clock.now_s += HOUR_S

    promoted = trained(project, clock, step_s=1.0)

    assert (promoted.number, promoted.step, promoted.attempt) == (0, 3, 2)
    assert promoted.seconds == pytest.approx(3.0)
    assert project.history(STUDY).trials[0] == promoted


def test_who_waited_for_a_promotion_until_the_end_took_no_longer(
    project: Project, clock: Clock
) -> None:
    for _ in range(3):
        trained(project, clock, step_s=1.0)
    while trained(project, clock, step_s=1.0).state is State.PAUSED:
        clock.now_s += HOUR_S
    clock.now_s += HOUR_S
    assert project.ask(STUDY) is None

    history = project.history(STUDY)

    assert [trial.state for trial in history.trials[1:]] == [State.STOPPED] * 2
    assert [trial.seconds for trial in history.trials] == pytest.approx([9, 1, 1])
    assert summarize(STUDY, history).training_s == pytest.approx(11.0)


def test_a_trial_run_again_takes_the_time_of_both_runs(
    project: Project, clock: Clock
) -> None:
    for _ in range(2):
        trained(project, clock, step_s=1.0)
    project.end(STUDY, 1, "by hand")
    clock.now_s += HOUR_S
    project.requeue(STUDY, 1)
    clock.now_s += HOUR_S

    again = project.ask(STUDY)
    assert again is not None
    clock.now_s += 5.0
    ended = project.end(STUDY, again.number, "by hand")

    assert ended.number == 1
    assert ended.seconds == pytest.approx(6.0)


def test_the_time_after_a_kill_is_not_trained(project: Project, clock: Clock) -> None:
    owner = this_owner("killed")
    trial = project.ask(STUDY, owner)
    assert trial is not None
    folder = project.trial_folder(STUDY, trial.number)
    folder.mkdir(parents=True)
    sign = folder / "output"
    sign.touch()
    os.utime(sign, (clock.now_s + 60.0, clock.now_s + 60.0))
    clock.now_s += HOUR_S
    retire(owner)

    history = project.run(STUDY, Inline(train))

    assert history.trials[0].seconds == pytest.approx(60.0)


def train(trial: LiveTrial) -> None:
    for step in range(1, (trial.budget or 0) + 1):
        trial.report(step, loss=float(trial.number))
