"""A child is begun from its parent's checkpoint once, and from nothing half copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import danlu
from danlu.ask import Asker
from danlu.executors import Inline
from danlu.executors.clones import Clones
from danlu.project import Project
from danlu.schedulers import Pbt
from tests.schedulers.test_pbt import check_lineage, noisy, train

TWO = noisy(Pbt(population=2, interval=10))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with danlu.open(tmp_path / "tuning.db", tmp_path) as opened:
        yield opened


def after_first_copy(
    monkeypatch: pytest.MonkeyPatch, then: Callable[[int, int], None]
) -> None:
    """Has something happen when the first checkpoint has been copied."""
    take, done = Clones.take, []

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
