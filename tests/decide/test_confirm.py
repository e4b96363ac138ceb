from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import danlu
from danlu import Kind, State, Study
from danlu.errors import StudyError, TrialError
from danlu.executors import Inline
from danlu.project import Project
from danlu.storage.base import Claim
from danlu.storage.sql import open_storage
from tests.studies import bowl


@pytest.fixture
def project() -> Iterator[Project]:
    with danlu.open(":memory:") as project:
        yield project


def train(trial: danlu.client.LiveTrial) -> None:
    for step in (1, 2, 3):
        x = float(trial.params["x"])  # type: ignore[arg-type]
        loss = x**2 + 1 / step + trial.seed % 100 / 1e4
        trial.report(step, loss=loss)


def searched(project: Project, **changes: object) -> Study:
    """A study of 6 trials that has been run."""
    study = project.plan(bowl(**{"trials": 6, "sampler": "random", **changes}))
    project.run(study, Inline(train))
    return study


def test_all_have_the_same_fresh_seeds(project: Project) -> None:
    study = searched(project, baseline={"x": 0.5})

    queued = project.confirm(study, top=2, seeds=3)

    by_params: dict[object, list[int]] = {}
    for trial in queued:
        by_params.setdefault(trial.params["x"], []).append(trial.seed)
    first, *others = by_params.values()
    search_seeds = {trial.seed for trial in project.history(study).trials[:7]}
    assert len(by_params) == 3
    assert all(own == first for own in others)
    assert len(set(first)) == 3
    assert not search_seeds & set(first)


def test_the_runs_are_never_stopped_early_and_have_the_full_length(
    project: Project,
) -> None:
    study = searched(project, scheduler="median", max_steps=3)

    queued = project.confirm(study, top=1, seeds=2)
    project.run(study, Inline(train))

    runs = [project.history(study).trials[own.number] for own in queued]
    assert {own.budget for own in queued} == {3}
    assert {own.state for own in runs} == {State.COMPLETED}
    assert {own.kind for own in runs} == {Kind.CONFIRM}


def test_asking_twice_makes_no_run_twice(project: Project) -> None:
    study = searched(project)
    project.confirm(study, top=2, seeds=2)
    project.confirm(study, top=2, seeds=2)
    project.run(study, Inline(train))

    assert project.confirm(study, top=2, seeds=2) == ()
    assert len(project.history(study).trials) == 6 + 4
    assert len(project.confirm(study, top=2, seeds=3)) == 2


def test_an_interruption_leaves_pairs(project: Project) -> None:
    study = searched(project, baseline={"x": 0.5})

    queued = project.confirm(study, top=2, seeds=2)

    assert [own.reason for own in queued[:3]] == [
        "the baseline of study 'bowl', seed 1 of 2",
        *(f"{own.reason}" for own in queued[1:3]),
    ]
    assert [own.seed for own in queued[:3]] == [queued[0].seed] * 3


def test_the_same_params_are_confirmed_once(project: Project) -> None:
    study = project.plan(bowl(trials=3))
    for x in (0.5, 0.5, 0.25):
        project.add(study, {"x": x})
    project.run(study, Inline(train))

    queued = project.confirm(study, top=3, seeds=1)

    assert [own.params for own in queued] == [{"x": 0.25}, {"x": 0.5}]


def test_a_candidate_that_is_the_baseline_is_run_once(project: Project) -> None:
    study = project.plan(bowl(trials=1, baseline={"x": 0.5}))
    project.add(study, {"x": 0.5})
    project.run(study, Inline(train))

    assert len(project.confirm(study, top=1, seeds=2)) == 2


def test_trials_may_be_named(project: Project) -> None:
    study = searched(project, baseline={"x": 0.5})
    params = project.history(study).trials[4].params

    queued = project.confirm(study, trials=[4], seeds=1)

    assert params in [own.params for own in queued]
    with pytest.raises(TrialError, match="no trial 99"):
        project.confirm(study, trials=[99])
    with pytest.raises(TrialError, match="is itself a baseline run"):
        project.confirm(study, trials=[0])


def test_there_must_be_a_result_and_numbers_from_1(project: Project) -> None:
    study = project.plan(bowl())

    with pytest.raises(StudyError, match="no result to confirm"):
        project.confirm(study)
    with pytest.raises(StudyError, match="numbers from 1"):
        project.confirm(study, seeds=0)
    with pytest.raises(StudyError, match="numbers from 1"):
        project.confirm(study, top=-1)


def test_a_number_that_a_dead_process_reserved_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "tuning.db"
    with danlu.open(path) as project:
        study = searched(project)
        storage = open_storage(str(path))
        dead = Claim("|".join((*_owner()[:4], "0", "")), None)
        storage.reserve(1, Kind.CONFIRM, dead)

        queued = project.confirm(study, top=1, seeds=2)

    assert [own.number for own in queued] == [6, 7]


def test_two_processes_confirm_together_without_doubling(tmp_path: Path) -> None:
    path = tmp_path / "tuning.db"
    with danlu.open(path) as project:
        study = searched(project)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        counts = pool.map(_confirm, [(path, study.name)] * 3)

    with danlu.open(path) as project:
        runs = [own for own in project.history("bowl").trials if own.kind == "confirm"]
    assert counts == [8, 8, 8]
    assert set(Counter((own.params["x"], own.seed) for own in runs).values()) == {1}


def _confirm(place: tuple[Path, str]) -> int:
    path, study = place
    with danlu.open(path) as project:
        return len(project.confirm(study, top=2, seeds=4))


def _owner() -> list[str]:
    from danlu.owner import this_owner

    return this_owner().split("|")
