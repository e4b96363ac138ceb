"""The next trial: what is left behind is taken over, and nobody loses a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from numpy.random import Generator

import danlu
from danlu import Kind, State, Study
from danlu.ask import Asker, trial_seed
from danlu.executors import Inline
from danlu.memory import Memory
from danlu.owner import retire, this_owner
from danlu.project import Project
from danlu.storage.base import Claim
from danlu.storage.sql import SqlStorage, open_storage
from danlu.trial import Trial
from tests.studies import bowl as bowl_study


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tuning.db"


def study(**changes: Any) -> Study:
    return bowl_study(**{"trials": 4, "max_steps": None, **changes})


def alone(**changes: object) -> list[Trial]:
    """The trials of an undisturbed run."""
    with danlu.open(":memory:") as project:
        return list(project.run(study(**changes), Inline(lambda trial: 1.0)).trials)


def storage_of(path: Path, planned: Study) -> SqlStorage:
    with danlu.open(path) as project:
        project.plan(planned)
    return open_storage(str(path))


def run(path: Path, planned: Study) -> list[Trial]:
    with danlu.open(path) as project:
        trials = project.run(planned, Inline(lambda trial: 1.0)).trials
        assert project.holdings(planned) == []
    return list(trials)


@pytest.mark.parametrize("kind", [Kind.SEARCH, Kind.BASELINE, Kind.CONFIRM])
def test_a_number_whose_process_died_before_its_params_is_filled(
    path: Path, kind: Kind
) -> None:
    planned = study(baseline={"x": 0.5})
    storage = storage_of(path, planned)
    storage.reserve(1, kind, Claim("danlu|0|1|0|x", -1.0))

    trials = run(path, planned)

    expected = sorted(str(trial.params["x"]) for trial in alone(baseline={"x": 0.5}))
    assert sorted(str(trial.params["x"]) for trial in trials) == expected
    assert {trial.state for trial in trials} == {State.COMPLETED}
    assert len([t for t in trials if t.kind is Kind.BASELINE]) == 1


def test_a_trial_whose_lease_is_over_is_run_again_on_the_same_params(
    path: Path,
) -> None:
    planned = study()
    storage = storage_of(path, planned)
    gone = Asker(Memory(planned, storage, 1), storage, Claim("elsewhere", -1.0)).ask()
    assert gone is not None

    trials = run(path, planned)

    assert [t.params for t in trials] == [t.params for t in alone()]
    assert [t.attempt for t in trials] == [3, 1, 1, 1]  # taken over, then started


def test_a_trial_that_another_process_holds_is_left_alone(path: Path) -> None:
    planned = study()
    storage = storage_of(path, planned)
    claim = Claim("elsewhere", None)
    held = Asker(Memory(planned, storage, 1), storage, claim).ask()
    assert held is not None

    with danlu.open(path) as project:
        trials = project.run(planned, Inline(lambda trial: 1.0)).trials
        assert [own.owner for own in project.holdings(planned)] == ["elsewhere"]
    assert [t.state.value for t in trials] == ["running", *["completed"] * 3]


def test_a_holder_that_broke_off_in_this_process_is_taken_over(path: Path) -> None:
    planned = study()
    storage = storage_of(path, planned)
    claim = Claim(this_owner("broken off"), 60.0)
    Asker(Memory(planned, storage, 1), storage, claim).ask()
    retire(claim.owner)

    assert {t.state for t in run(path, planned)} == {State.COMPLETED}


def test_each_trial_has_a_seed_of_its_own_the_same_for_everybody() -> None:
    seeds = [trial_seed(study(), kind, n) for kind in Kind for n in range(100)]

    assert len(set(seeds)) == 300
    assert seeds == [trial_seed(study(), kind, n) for kind in Kind for n in range(100)]
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert trial_seed(study(seed=1), Kind.SEARCH, 0) != seeds[0]


def test_nothing_is_asked_for_beyond_the_studys_trials(path: Path) -> None:
    with danlu.open(path) as project:
        given = [trial.number for trial in iter(lambda: _next(project), None)]

    assert given == [0, 1, 2, 3]


def _next(project: Project) -> Trial | None:
    return project.ask(study())


@dataclass(frozen=True)
class Counting(danlu.Sampler):
    """As many tenths as there are trials; `meanwhile` is called while it thinks."""

    meanwhile: Callable[[], object] = lambda: None

    def ask(self, history: danlu.History, rng: Generator) -> danlu.Suggestion:
        asked = danlu.Suggestion({"x": len(history.trials) / 10})
        if not history.trials:
            self.meanwhile()
        return asked


def test_params_that_another_process_took_meanwhile_are_asked_for_again(
    path: Path,
) -> None:
    storage = storage_of(path, study())
    first, second = (
        Asker(Memory(study(), storage, 1), storage, Claim(name, 60.0))
        for name in ("danlu|0|1|0|a", "danlu|0|2|0|b")
    )
    first.sampler = Counting(meanwhile=second.ask)
    second.sampler = Counting()

    asked = first.ask()

    assert asked is not None
    assert asked.params == {"x": 0.1}
    known = Memory(study(), storage, 1)
    known.refresh()
    assert [t.params["x"] for t in known.history().trials] == [0.1, 0.0]
