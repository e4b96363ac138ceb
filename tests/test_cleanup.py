from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import danlu
from danlu.cleanup import DiskUse, Keep, clean, disk_use, removable
from danlu.trial import State

STUDY = danlu.Study("s", "Who may go?", "loss", {"x": danlu.Float(0, 1)}, trials=9)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[danlu.Project]:
    """Four completed trials, the second the best, one that failed and one that runs."""
    with danlu.open(":memory:", folder=tmp_path) as project:
        project.plan(STUDY)
        for loss in (0.4, 0.1, 0.3, 0.2):
            trial = begun(project)
            project.report(STUDY, trial, 1, loss=loss)
            project.tell(STUDY, trial)
        project.tell(STUDY, begun(project), State.FAILED, "a bad moment")
        begun(project)
        yield project


def begun(project: danlu.Project) -> danlu.Trial:
    trial = project.ask(STUDY)
    assert trial is not None
    folder = project.trial_folder(STUDY, trial.number)
    (folder / "checkpoint" / "inner").mkdir(parents=True)
    (folder / "checkpoint" / "inner" / "model").write_bytes(b"0" * 10_000)
    (folder / "output.log").write_text("said")
    return trial


def with_checkpoints(project: danlu.Project) -> list[int]:
    return [
        number
        for number in range(6)
        if (project.trial_folder(STUDY, number) / "checkpoint").exists()
    ]


def test_the_best_trials_and_those_that_run_keep_theirs(
    project: danlu.Project,
) -> None:
    removed = clean(project, STUDY, best=2)

    assert [0, 2, 4] == [own.number for own in removed]
    assert [1, 3, 5] == with_checkpoints(project)


def test_none_keeps_only_those_of_open_trials(project: danlu.Project) -> None:
    clean(project, STUDY, keep=Keep.NONE)

    assert [5] == with_checkpoints(project)


def test_all_keeps_everything(project: danlu.Project) -> None:
    assert [] == clean(project, STUDY, keep=Keep.ALL)
    assert [0, 1, 2, 3, 4, 5] == with_checkpoints(project)


def test_looking_removes_nothing(project: danlu.Project) -> None:
    found = removable(project, STUDY)

    assert [0, 4] == [own.number for own in found]
    assert all(own.size_bytes >= 10_000 for own in found)
    assert [0, 1, 2, 3, 4, 5] == with_checkpoints(project)


def test_what_a_trial_said_stays(project: danlu.Project) -> None:
    clean(project, STUDY, keep=Keep.NONE)

    output = project.trial_folder(STUDY, 0) / "output.log"
    assert "said" == output.read_text()


def test_cleaning_again_removes_nothing_more(project: danlu.Project) -> None:
    clean(project, STUDY)

    assert [] == clean(project, STUDY)


def test_counting_the_disk_ends_when_its_time_is_over(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text("x" * 100)

    assert not disk_use(tmp_path, within_s=0.0).complete
    assert disk_use(tmp_path).complete


def test_an_empty_folder_takes_nothing(tmp_path: Path) -> None:
    assert DiskUse(0, complete=True) == disk_use(tmp_path)
