from __future__ import annotations

import danlu
from danlu.carry import fitting
from danlu.client import LiveTrial
from danlu.domain import Choice, Domain, Float
from danlu.executors import Inline
from danlu.project import Project
from danlu.space import Params
from danlu.study import Study
from danlu.trial import Curve, Kind, State, Trial


def bowl(name: str, low: float, high: float, **fields: object) -> Study:
    given: dict[str, object] = {"trials": 8, "sampler": "quasi_random", **fields}
    space: dict[str, Domain] = {"x": Float(low, high)}
    return Study(name, "Where is the bottom?", "loss", space, **given)  # type: ignore[arg-type]


def x_of(params: Params) -> float:
    return float(params["x"])  # type: ignore[arg-type]


def searched(project: Project, study: Study) -> Study:
    project.run(study, Inline(lambda trial: (x_of(trial.params) - 0.7) ** 2))
    return study


def test_trials_inside_the_new_space_count_and_are_not_trained_again() -> None:
    asked: list[int] = []
    with danlu.open(":memory:") as project:
        first = searched(project, bowl("first", 0, 1))
        second = project.plan(bowl("second", 0.5, 2, trials=10))
        carried = project.carry(second, first)
        inside = [t for t in project.history(first).trials if x_of(t.params) >= 0.5]
        assert carried == len(inside) == 4

        def train(trial: LiveTrial) -> float:
            asked.append(trial.number)
            return 1.0

        history = project.run(second, Inline(train))
    assert len(asked) == 10 - carried
    assert [t.params for t in history.trials[:carried]] == [t.params for t in inside]
    best = history.best
    assert best is not None
    assert best.reason.startswith("carried over from trial")
    assert best.seconds is None


def test_carrying_twice_adds_nothing() -> None:
    with danlu.open(":memory:") as project:
        first = searched(project, bowl("first", 0, 1))
        second = project.plan(bowl("second", 0, 2, trials=20))
        assert project.carry(second, first) == 8
        assert project.carry(second, first) == 0
        assert len(project.history(second).trials) == 8


def test_no_more_are_carried_than_the_study_has_trials() -> None:
    with danlu.open(":memory:") as project:
        first = searched(project, bowl("first", 0, 1))
        second = project.plan(bowl("second", 0, 2, trials=3))
        assert project.carry(second, first) == 3


def test_other_fixed_values_are_another_question() -> None:
    with danlu.open(":memory:") as project:
        first = searched(project, bowl("first", 0, 1, fixed={"depth": 2}))
        history = project.history(first)
    assert len(fitting(bowl("second", 0, 1, fixed={"depth": 2}), history)) == 8
    assert not fitting(bowl("second", 0, 1, fixed={"depth": 3}), history)
    assert not fitting(bowl("second", 0, 1), history)


def test_failed_confirming_and_cloned_trials_stay_where_they_are() -> None:
    study = bowl("second", 0, 1)
    curves = {"loss": Curve.of({1: 0.5})}
    trials = [
        Trial(0, {"x": 0.1}, State.COMPLETED, curves=curves),
        Trial(1, {"x": 0.2}, State.FAILED),
        Trial(2, {"x": 0.3}, State.COMPLETED, Kind.CONFIRM, curves=curves),
        Trial(3, {"x": 0.4}, State.COMPLETED, parent=0, first_step=1, curves=curves),
        Trial(4, {"x": 0.5}, State.INFEASIBLE),
        Trial(5, {"x": 0.6}, State.RUNNING),
    ]
    history = danlu.History(study.search_space, study.objective, trials)
    assert [trial.number for trial in fitting(study, history)] == [0, 4]


def test_a_study_with_arms_takes_over_none() -> None:
    space: dict[str, Domain] = {"x": Float(0, 1), "kind": Choice(["a", "b"])}
    study = Study("arms", "Which kind?", "loss", space, 8, scientific=["kind"])
    with danlu.open(":memory:") as project:
        first = searched(project, Study("first", "Where?", "loss", space, 8))
        assert project.carry(project.plan(study), first) == 0
