from __future__ import annotations

from dataclasses import replace

import pytest

import danlu
from danlu.autopilot import tune
from danlu.budget import Budget, Hours, Trainings
from danlu.client import LiveTrial
from danlu.domain import Choice, Domain, Float
from danlu.errors import StudyError
from danlu.executors import Inline
from danlu.history import History
from danlu.measured import Measured, around
from danlu.study import Study

FOUND = Measured((1e-3, 4e-2), "A rate of 0.01 is usable.", (), 300, 3.0, 36.0)


def study(domain: Domain | None = None, name: str = "lr") -> Study:
    space = {name: domain or Float(1e-6, 1.0, log=True)}
    return Study("bowl", "Which rate?", "loss", space, trials=1, max_steps=4)


def train(trial: LiveTrial) -> None:
    for step in range(1, 5):
        trial.report(step, loss=abs(float(trial.params["lr"]) - 0.01))  # type: ignore[arg-type]


def test_the_rate_is_searched_where_it_was_measured() -> None:
    moved = around(study(), FOUND)

    assert Float(1e-3, 4e-2, log=True) == moved.search_space.domains["lr"]
    assert "instead of 1e-06..1 log" in moved.note


def test_other_hyperparameters_stay() -> None:
    both = Study(
        "two",
        "Which?",
        "loss",
        {"lr": Float(1e-6, 1.0), "decay": Float(0.0, 1.0)},
        trials=1,
        fixed={"epochs": 3},
    )
    space = around(both, FOUND).search_space

    assert Float(0.0, 1.0) == space.domains["decay"]
    assert {"epochs": 3} == space.fixed


@pytest.mark.parametrize(
    ("stated", "measured"),
    [
        (study(), replace(FOUND, rates=None, message="No end.")),
        (study(Choice([0.1, 0.2])), FOUND),
        (study(name="rate"), FOUND),
    ],
)
def test_what_cannot_be_moved_stays_and_the_note_says_so(
    stated: Study, measured: Measured
) -> None:
    found = around(stated, measured)

    assert stated.search_space == found.search_space
    assert "stays as it is" in found.note


def test_a_fault_is_not_tuned() -> None:
    with pytest.raises(StudyError, match="no gradient"):
        around(study(), replace(FOUND, faults=("Layer 3 gets no gradient.",)))


def test_the_preflight_is_part_of_the_budget() -> None:
    with danlu.open(":memory:") as project:

        def run(own: Study) -> History:
            return project.run(own, Inline(train))

        found = tune(project, study(), run, Budget(15), preflight=FOUND)
        again = tune(project, study(), run, Budget(15), preflight=FOUND)

    assert found.before == 3.0
    assert sum(own.spent for own in found.rounds) == pytest.approx(12, abs=0.5)
    assert found.spent == again.spent
    assert found.rounds[0].study.note.startswith("Pre-flight: lr 0.001..0.04")


def test_a_budget_that_the_preflight_took_is_refused() -> None:
    with danlu.open(":memory:") as project, pytest.raises(StudyError, match="nothing"):
        tune(project, study(), project.history, Budget(2), preflight=FOUND)


def test_its_cost_is_in_the_unit_of_the_budget() -> None:
    assert Trainings().before(FOUND) == 3.0
    assert Hours(slots=4).before(FOUND) == pytest.approx(0.01)


def test_a_cost_that_nobody_can_count_is_refused() -> None:
    with pytest.raises(StudyError, match="updates=N"):
        Trainings().before(replace(FOUND, trainings=None))
