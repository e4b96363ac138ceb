"""Checkpoints at a place of their own: who goes on from there, and who must not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import danlu
from danlu.checkpoints import Checkpoints
from danlu.cleanup import Keep, checkpoint_places, clean, place_use, removable
from danlu.errors import ExecutorError
from danlu.executors import Event, Exited, Launch, Local, Slurm
from danlu.executors.checkpoint_place import has_checkpoint, noted_place, placed
from danlu.trial import Curve, Trial

HANG_S = 60.0
STUDY = danlu.Study("s/t", "Who goes on?", "loss", {"x": danlu.Float(0, 1)}, trials=3)


@pytest.fixture(params=["folder", "file://", "memory://"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for all studies; one in memory is seen by this process alone."""
    if request.param == "memory://":
        pytest.importorskip("fsspec")
        return f"memory://{uuid4().hex}"
    prefix = "" if request.param == "folder" else "file://"
    return f"{prefix}{tmp_path / 'bucket'}"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[danlu.Project]:
    with danlu.open(":memory:", folder=tmp_path / "trials") as project:
        yield project


def launch(folder: Path, *, x: float = 0.5, step: int = 0, attempt: int = 1) -> Launch:
    curves = {"loss": Curve.of({step: 0.5})} if step else {}
    trial = Trial(3, {"x": x}, attempt=attempt, curves=curves)
    return Launch("s/t", trial, "loss", folder / "3")


def save(place: str | None, step: int = 1) -> None:
    assert place is not None
    Checkpoints(place).save(step, lambda path: path.write_text("weights"))


def finish(executor: Local, number: int) -> Exited:
    events: list[Event] = []
    deadline = time.monotonic() + HANG_S
    while not events or not isinstance(events[-1], Exited):
        assert time.monotonic() < deadline, f"nothing came but {events}"
        executor.poll(events.append, 1.0)
    return events[-1]


def counts(trial: Any) -> None:
    """Two steps at each start, from the checkpoint on."""
    saved = trial.checkpoints.latest()
    first = 1 if saved is None else saved.step + 1
    for step in (first, first + 1):
        trial.checkpoints.save(step, lambda path: path.write_text("weights"))
        trial.report(step, loss=1 / step)


# A trial's place


def test_a_trial_has_a_place_of_its_own(root: str, tmp_path: Path) -> None:
    assert f"{root}/s%2Ft/3" == placed(launch(tmp_path), root).checkpoints


def test_a_trial_stays_where_it_began(root: str, tmp_path: Path) -> None:
    began = placed(launch(tmp_path), root)

    assert began == placed(launch(tmp_path), "memory://elsewhere")
    assert began == placed(launch(tmp_path), None)


def test_a_trial_that_began_in_its_folder_stays_there(
    root: str, tmp_path: Path
) -> None:
    began = launch(tmp_path)
    save(str(began.folder / "checkpoint"))

    assert placed(began, root).checkpoints is None


def test_what_another_study_saved_there_is_not_gone_on_from(
    root: str, tmp_path: Path
) -> None:
    save(f"{root}/s%2Ft/3")

    with pytest.raises(ExecutorError, match="another study of the name 's/t'"):
        placed(launch(tmp_path), root)


def test_another_study_of_the_name_does_not_share_the_place(
    root: str, tmp_path: Path
) -> None:
    placed(launch(tmp_path / "one", x=0.1), root)

    with pytest.raises(ExecutorError, match="taken by another study"):
        placed(launch(tmp_path / "other", x=0.2), root)


def test_a_trial_that_another_machine_began_goes_on_here(
    root: str, tmp_path: Path
) -> None:
    began = placed(launch(tmp_path / "one"), root)
    assert not has_checkpoint(began)
    save(began.checkpoints)

    assert has_checkpoint(placed(launch(tmp_path / "other", attempt=2), root))


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")

    with pytest.raises(ExecutorError, match="cannot be kept at nowhere://x/s%2Ft/3: "):
        placed(launch(tmp_path), "nowhere://x")


@pytest.mark.parametrize("root", ["", "s3://", 3])
def test_what_is_no_place_is_refused(root: Any) -> None:
    with pytest.raises(ExecutorError, match="names no place"):
        Local(["true"], checkpoints=root)


# Executors


def test_a_function_goes_on_from_there(tmp_path: Path) -> None:
    executor = Local(counts, checkpoints=f"file://{tmp_path}/bucket")
    try:
        for attempt in (1, 2):
            executor.start(launch(tmp_path, attempt=attempt))
            finish(executor, 3)
    finally:
        executor.close()

    assert [4] == Checkpoints(tmp_path / "bucket" / "s%2Ft" / "3").steps()
    assert [] == list((tmp_path / "3" / "checkpoint").iterdir())


def test_a_command_is_told_the_place(tmp_path: Path) -> None:
    words = ["sh", "-c", 'echo "$DANLU_CHECKPOINTS {checkpoints} $DANLU_CHECKPOINT"']
    executor = Local(words, checkpoints=f"file://{tmp_path}/bucket")
    try:
        executor.start(launch(tmp_path))
        said = finish(executor, 3).tail
    finally:
        executor.close()

    place = f"file://{tmp_path}/bucket/s%2Ft/3"
    assert [place, place, f"{tmp_path}/3/checkpoint"] == said.split()


def test_a_command_that_saved_there_goes_on_counting_its_steps(tmp_path: Path) -> None:
    executor = Local(["echo", "loss=0.25"], checkpoints=f"file://{tmp_path}/bucket")
    began = placed(launch(tmp_path), f"file://{tmp_path}/bucket")
    save(began.checkpoints)
    events: list[Event] = []
    try:
        executor.start(launch(tmp_path, step=7))
        while not events:
            executor.poll(events.append, 1.0)
    finally:
        executor.close()

    assert 8 == events[0].reports[0].step  # type: ignore[union-attr]


# submitit leaves the processes that it started to themselves.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_slurm_job_goes_on_from_there(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    executor = Slurm(counts, cluster="local", checkpoints=f"file://{tmp_path}/bucket")
    with danlu.open(":memory:", folder=tmp_path / "trials") as project:
        history = project.run(replace(STUDY, trials=1), executor)

    assert [2] == history.trials[0].curves["loss"].steps[-1:].tolist()
    assert [2] == Checkpoints(tmp_path / "bucket" / "s%2Ft" / "0").steps()


# The disk


@pytest.fixture
def study_with_places(root: str, project: danlu.Project) -> danlu.Study:
    """Three completed trials, the last the best, with checkpoints elsewhere."""
    project.plan(STUDY)
    for loss in (0.3, 0.2, 0.1):
        trial = project.ask(STUDY)
        assert trial is not None
        folder = project.trial_folder(STUDY, trial.number)
        own = Launch(STUDY.name, trial, "loss", folder)
        save(placed(own, root).checkpoints)
        project.report(STUDY, trial, 1, loss=loss)
        project.tell(STUDY, trial)
    return STUDY


def test_checkpoints_elsewhere_are_removed(
    root: str, project: danlu.Project, study_with_places: danlu.Study
) -> None:
    removed = clean(project, study_with_places, best=1)

    assert [f"{root}/s%2Ft/{n}" for n in (0, 1)] == [own.place for own in removed]
    steps = [Checkpoints(f"{root}/s%2Ft/{n}").steps() for n in range(3)]
    assert [[], [], [1]] == steps
    assert [] == removable(project, study_with_places, best=1)


def test_a_removed_trial_keeps_its_place(
    project: danlu.Project, study_with_places: danlu.Study
) -> None:
    clean(project, study_with_places, keep=Keep.NONE)

    assert noted_place(project.trial_folder(study_with_places, 0)) is not None


def test_what_checkpoints_take_elsewhere_is_counted(
    root: str, project: danlu.Project, study_with_places: danlu.Study
) -> None:
    folder = project.trial_folder(study_with_places, 0).parent

    assert [f"{root}/s%2Ft"] == checkpoint_places(folder)
    used = place_use(f"{root}/s%2Ft")
    assert used.complete
    assert used.size_bytes > 3 * len("weights")


def test_a_place_that_does_not_answer_is_counted_as_unknown() -> None:
    assert not place_use("nowhere://x").complete
