"""A child is begun from its parent's checkpoint once, and from nothing half copied."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import danlu
from danlu import Choice, Float, State
from danlu.analysis import schedule_of
from danlu.ask import Asker
from danlu.checkpoints import Checkpoints
from danlu.client import LiveTrial
from danlu.executors import Inline, Local
from danlu.executors.clones import Clones
from danlu.project import Project
from danlu.schedulers import Pbt
from danlu.schedulers.population import standing
from danlu.trial import Curve, Trial
from tests.schedulers.one_slot import known
from tests.schedulers.test_pbt import STEPS, check_lineage, expected_loss, noisy, train

TWO = noisy(Pbt(population=2, interval=10))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with danlu.open(tmp_path / "tuning.db", tmp_path) as opened:
        yield opened


def after_first_copy(
    monkeypatch: pytest.MonkeyPatch, then: Callable[[int, int], None]
) -> None:
    """Has something happen when the first checkpoint has been copied."""
    take = Clones.take
    done: list[int] = []

    def taken(clones: Clones, parent: int, child: int) -> bool:
        found = take(clones, parent, child)
        if not done:
            done.append(child)
            then(parent, child)
        return found

    monkeypatch.setattr(Clones, "take", taken)


def test_a_copy_of_a_parent_that_went_on_meanwhile_is_thrown_away(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with danlu.open(tmp_path / "tuning.db", tmp_path) as other:

        def go_on(parent: int, child: int) -> None:
            other.end("noisy", parent, "by another process")

        after_first_copy(monkeypatch, go_on)
        history = project.run(TWO, Inline(train))

    ended = next(t for t in history.trials if t.reason == "by another process")
    assert all(trial.parent != ended.number for trial in history.trials)
    check_lineage(project, history)


def test_a_crash_after_a_copy_leaves_nothing_to_the_next_trial(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = project.trial_folder("noisy", 2) / "checkpoint" / "half"

    def crash(parent: int, child: int) -> None:
        half.write_text("copied")
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        after_first_copy(killed, crash)
        killed.setattr(Asker, "_release", lambda asker, number: None)
        with pytest.raises(KeyboardInterrupt):
            project.run(TWO, Inline(train))
    assert half.exists()

    history = project.run(TWO, Inline(train))

    assert not half.exists()
    assert history.trials[2].parent is not None
    check_lineage(project, history)


def test_a_parent_goes_on_without_disturbing_its_child(project: Project) -> None:
    history = project.run(TWO, Inline(train))

    by_number = {trial.number: trial for trial in history.trials}
    children = [trial for trial in history.trials if trial.parent is not None]
    assert any(by_number[own.parent or 0].step > own.first_step for own in children)
    check_lineage(project, history)


def test_checkpoints_kept_elsewhere_are_copied_there(
    project: Project, tmp_path: Path
) -> None:
    executor = Local(train_elsewhere, checkpoints=tmp_path / "root")

    history = project.run(TWO, executor)

    for trial in history.trials:
        place = tmp_path / "root" / "noisy" / str(trial.number)
        saved = Checkpoints(place).latest()
        assert saved is not None
        trained = [number for number, _ in json.loads(saved.path.read_text())]
        assert trained == [
            stretch.trial
            for stretch in schedule_of(history, trial.number)
            for _ in range(stretch.from_step, stretch.to_step)
        ]


def test_who_is_replaced_ends_at_once_and_nobody_of_another_arm(
    project: Project,
) -> None:
    study = replace(
        TWO,
        space={"lr": Float(1e-3, 1.0, log=True), "kind": Choice(["a", "b"])},
        scientific=["kind"],
    )
    seen: set[State] = set()

    def look(progress: danlu.Progress) -> None:
        alive: dict[object, Trial] = {}
        for trial in progress.history.trials:
            own = trial.scheduler_note["member"], trial.params["kind"]
            if own in alive:
                seen.add(alive[own].state)
            alive[own] = trial

    history = project.run(study, Inline(train), watch=look)

    assert seen == {State.STOPPED}
    full = [trial.params["kind"] for trial in history.trials if trial.step == STEPS]
    assert Counter(full) == {"a": 2, "b": 2}


def test_a_generation_counts_for_who_was_replaced_after_it() -> None:
    replaced = Trial(
        0,
        {"x": 0.5},
        State.STOPPED,
        budget=3,
        scheduler_note={"member": 0, "step": 0},
        curves={"loss": Curve.of({3: 0.7})},
    )
    dead = replace(replaced, number=1, state=State.FAILED)

    (first, _), (second, _) = standing(
        known(replaced, replace(dead, scheduler_note={"member": 1, "step": 0})), 3
    )

    assert (first, second) == (0.7, math.inf)


def test_who_was_replaced_is_told(project: Project) -> None:
    history = project.run(TWO, Inline(train))

    reasons = {t.reason for t in history.trials if t.state is State.STOPPED}
    assert reasons
    assert all(reason.startswith("replaced after step") for reason in reasons)


def train_elsewhere(trial: LiveTrial) -> None:
    """As `train`, with a checkpoint wherever checkpoints are to be kept."""
    saved = trial.checkpoints.latest()
    steps = [] if saved is None else json.loads(saved.path.read_text())
    while len(steps) < (trial.budget or STEPS):
        steps.append([trial.number, trial.params["lr"]])
        text = json.dumps(steps)
        trial.checkpoints.save(len(steps), partial(Path.write_text, data=text))
        if not trial.report(len(steps), loss=expected_loss([lr for _, lr in steps])):
            return
