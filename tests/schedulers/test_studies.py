"""Whole studies whose trials are paused at rungs and go on from there."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import danlu
from danlu import Choice, Float, State
from danlu.client import LiveTrial
from danlu.executors import Inline
from danlu.project import Project
from danlu.samplers import Grid
from danlu.schedulers import (
    Asha,
    AshaStop,
    AsyncHyperband,
    Hyperband,
    SuccessiveHalving,
)
from tests.studies import bowl

PAUSING = pytest.mark.parametrize(
    "scheduler",
    [Asha(), SuccessiveHalving(), Hyperband(), AsyncHyperband()],
    ids=lambda own: type(own).__name__,
)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with danlu.open(tmp_path / "tuning.db") as opened:
        yield opened


def train(trial: LiveTrial) -> None:
    """Goes on from its checkpoint to the budget, and heeds being stopped."""
    saved = trial.folder / "at"
    first = int(saved.read_text()) if saved.exists() else 0
    for step in range(first + 1, (trial.budget or 9) + 1):
        saved.write_text(str(step))
        x = trial.params["x"]
        assert isinstance(x, float)
        if not trial.report(step, loss=x**2 + 1 / step):
            return


def reached(history: danlu.History) -> list[int]:
    return sorted(trial.step for trial in history.trials)


@PAUSING
def test_nine_trials_are_thinned_out_to_one(
    project: Project, scheduler: danlu.Scheduler
) -> None:
    study = bowl(scheduler=scheduler, trials=9, max_steps=9)

    history = project.run(study, Inline(train))

    lower, full = Counter(reached(history)), 9
    assert lower[full] >= 1
    assert lower[1] >= 4
    best = min(history.trials, key=lambda trial: trial.params["x"] or 0)
    assert best.step == full
    assert best.state is State.COMPLETED


@PAUSING
def test_at_the_end_nobody_is_left_paused(
    project: Project, scheduler: danlu.Scheduler
) -> None:
    study = bowl(scheduler=scheduler, trials=11, max_steps=9)

    history = project.run(study, Inline(train))

    assert {State.COMPLETED, State.STOPPED} == {t.state for t in history.trials}
    waited = [trial for trial in history.trials if trial.step == 1]
    assert {"not promoted beyond step 1"} == {trial.reason for trial in waited}


def test_a_program_that_ends_by_itself_at_its_budget_goes_on_later(
    project: Project,
) -> None:
    def every_second(trial: LiveTrial) -> None:
        for step in range(2, (trial.budget or 8) + 1, 2):
            trial.report(step, loss=trial.number + 1 / step)

    study = bowl(scheduler=Asha(min_steps=3), trials=9, max_steps=27)

    history = project.run(study, Inline(every_second))

    assert 26 in reached(history)


@PAUSING
def test_when_a_grid_is_exhausted_its_trials_are_still_promoted(
    project: Project, scheduler: danlu.Scheduler
) -> None:
    grid = Grid(levels={"x": 7})
    study = bowl(scheduler=scheduler, sampler=grid, trials=100, max_steps=9)

    history = project.run(study, Inline(train))

    assert len(history.trials) == 7
    assert reached(history)[-1] == 9


@PAUSING
def test_no_arm_is_cut_back_because_another_is_better(
    project: Project, scheduler: danlu.Scheduler
) -> None:
    def biased(trial: LiveTrial) -> None:
        offset = 100 if trial.params["kind"] == "slow" else 0
        for step in range(1, (trial.budget or 9) + 1):
            if not trial.report(step, loss=offset + trial.number):
                return

    space = {"x": Float(0, 1), "kind": Choice(["fast", "slow"])}
    study = bowl(
        space=space, scientific=["kind"], scheduler=scheduler, trials=18, max_steps=9
    )

    history = project.run(study, Inline(biased))

    steps = {
        kind: sorted(t.step for t in history.trials if t.params["kind"] == kind)
        for kind in ("fast", "slow")
    }
    assert steps["fast"] == steps["slow"]
    assert steps["slow"][-1] == 9


def test_by_hand_a_trial_told_at_its_budget_is_asked_for_again(
    project: Project,
) -> None:
    study = project.plan(bowl(scheduler=Asha(), trials=3, max_steps=3))
    asked = []
    while (trial := project.ask(study)) is not None:
        asked.append((trial.number, trial.budget))
        goes_on = project.report(study, trial, trial.budget or 3, loss=trial.number)
        assert not goes_on
        project.tell(study, trial)

    assert [(0, 1), (1, 1), (2, 1), (0, 3)] == asked
    states = [trial.state.value for trial in project.history(study).trials]
    assert ["completed", "stopped", "stopped"] == states


def test_stopping_needs_no_checkpoint(project: Project) -> None:
    study = bowl(scheduler=AshaStop(), trials=9, max_steps=9)

    history = project.run(study, Inline(train))

    assert all(trial.attempt == 1 for trial in history.trials)
    assert Counter(reached(history))[1] > 0


@PAUSING
def test_with_more_trials_some_that_were_not_promoted_go_on(
    project: Project, scheduler: danlu.Scheduler
) -> None:
    def earlier_is_better(trial: LiveTrial) -> None:
        saved = trial.folder / "at"
        first = int(saved.read_text()) if saved.exists() else 0
        for step in range(first + 1, (trial.budget or 9) + 1):
            saved.write_text(str(step))
            if not trial.report(step, loss=trial.number):
                return

    few = bowl(scheduler=scheduler, trials=3, max_steps=9)
    project.run(few, Inline(earlier_is_better))
    before = project.history(few).trials

    after = project.run(replace(few, trials=6), Inline(earlier_is_better)).trials

    grown = [
        then for then, now in zip(before, after, strict=False) if now.step > then.step
    ]
    assert grown
    assert {trial.state for trial in grown} == {State.STOPPED}
    assert {State.COMPLETED, State.STOPPED} == {trial.state for trial in after}


def test_a_trial_that_was_stopped_by_hand_stays_so_with_more_trials(
    project: Project,
) -> None:
    study = bowl(scheduler=Asha(), trials=3, max_steps=9)
    project.plan(study)
    for number in range(3):
        asked = project.ask(study)
        assert asked is not None
        project.end(study, number)

    project.plan(replace(study, trials=6))

    states = {trial.state for trial in project.history(study).trials}
    assert states == {State.STOPPED}


def interrupted_at(number: int, budget: int) -> Callable[[LiveTrial], None]:
    """The training, ended by Ctrl-C when this trial is to run so far."""

    def cut(trial: LiveTrial) -> None:
        if (trial.number, trial.budget) == (number, budget) and trial.attempt <= 2:
            raise KeyboardInterrupt
        train(trial)

    return cut


@PAUSING
@pytest.mark.parametrize(("number", "budget"), [(0, 1), (3, 1), (0, 3)])
def test_a_study_that_was_cut_off_goes_on_as_if_it_had_not(
    tmp_path: Path,
    scheduler: danlu.Scheduler,
    number: int,
    budget: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("danlu.loop.KILL_S", 0.0)
    study = bowl(scheduler=scheduler, trials=9, max_steps=9)
    with danlu.open(tmp_path / "whole.db") as project:
        expected = project.run(study, Inline(train))

    with contextlib.suppress(KeyboardInterrupt), danlu.open(tmp_path / "cut.db") as cut:
        cut.run(study, Inline(interrupted_at(number, budget)))
    with danlu.open(tmp_path / "cut.db") as project:
        found = project.run(study, Inline(train))

    assert [t.params for t in expected.trials] == [t.params for t in found.trials]
    assert [t.step for t in expected.trials] == [t.step for t in found.trials]
