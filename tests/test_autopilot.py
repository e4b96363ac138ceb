from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

import danlu
from danlu.autopilot import Run, Tuned, story, tune
from danlu.budget import Budget, Hours, Trainings, trained
from danlu.client import LiveTrial
from danlu.decide.decision import Ruling
from danlu.domain import Domain, Float, Int
from danlu.errors import StudyError, StudyHalted
from danlu.executors import Inline
from danlu.metric import Metric
from danlu.project import Project
from danlu.study import Study
from danlu.trial import Curve, Kind, State, Trial

EPOCHS = 9


def bowl(trial: LiveTrial) -> None:
    """The best rate is 0.1, the best decay 1e-3; the last step has the loss."""
    rate, decay = (math.log10(float(trial.params[n])) for n in ("lr", "decay"))  # type: ignore[arg-type]
    wiggle = 1e-4 * math.sin(trial.seed)
    end = 0.1 + 0.05 * (rate + 1) ** 2 + 0.02 * (decay + 3) ** 2 + wiggle
    for epoch in range(1, EPOCHS + 1):
        if not trial.report(epoch, val_error=end + 0.5 * 2.0**-epoch):
            return


def study(**fields: object) -> Study:
    space: dict[str, Domain] = {
        "lr": Float(1e-4, 1e-2, log=True),
        "decay": Float(1e-6, 1e-1, log=True),
    }
    given: dict[str, object] = {"trials": 1, "max_steps": EPOCHS, **fields}
    return Study("bowl", "Which rate?", "val_error", space, **given)  # type: ignore[arg-type]


def runner(project: Project, train: Callable[[LiveTrial], object] = bowl) -> Run:
    return lambda own: project.run(own, Inline(train))


def tuned(budget: float, **fields: object) -> Tuned:
    with danlu.open(":memory:") as project:
        return tune(project, study(**fields), runner(project), Budget(budget))


def test_a_boundary_is_moved_and_the_best_beyond_it_confirmed() -> None:
    found = tuned(50.0)
    first, second, third = found.rounds
    assert first.study.sampler == "quasi_random"
    assert first.study.scheduler == "full"
    assert [own.check for own in second.moved] == ["boundary"]
    assert found.decision is not None
    assert found.decision.ruling is Ruling.ADOPT
    assert found.decision.params is not None
    assert 0.03 < float(found.decision.params["lr"]) < 0.3  # type: ignore[arg-type]
    assert third.study.name == "bowl-3"
    assert len(list(story(found))) == 3


def test_what_is_spent_is_what_was_given() -> None:
    assert tuned(50.0).spent == pytest.approx(50.0, abs=1.0)
    assert tuned(12.0).spent == pytest.approx(12.0, abs=1.0)


def test_few_trainings_are_one_round() -> None:
    (only,) = tuned(12.0).rounds
    assert only.study.sampler == "auto"


def test_advice_about_the_design_is_of_the_whole_budget_and_given_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tuned(19.0)
    tuned(40.0)

    said = [own.message for own in caplog.records if " few for " in own.message]
    assert [own.split()[0] for own in said] == ["19"]


def test_the_same_call_again_trains_nothing() -> None:
    with danlu.open(":memory:") as project:
        run = runner(project)
        first = tune(project, study(), run, Budget(30.0))

        def refuse(trial: LiveTrial) -> None:
            raise AssertionError("trained again")

        second = tune(project, study(), runner(project, refuse), Budget(30.0))
    assert second.spent == first.spent
    assert second.decision == first.decision


def test_a_larger_budget_goes_on_with_the_rounds_that_are_there() -> None:
    with danlu.open(":memory:") as project:
        small = tune(project, study(), runner(project), Budget(12.0))
        large = tune(project, study(), runner(project), Budget(50.0))
    assert large.rounds[0].study.sampler == small.rounds[0].study.sampler
    assert large.spent > small.spent


@pytest.mark.parametrize(
    "other",
    [
        replace(study(), space={"lr": Float(1e-4, 1.0, log=True)}),
        replace(study(), metric="train_loss"),
        replace(study(), max_steps=EPOCHS + 1),
    ],
)
def test_another_question_is_not_answered_by_what_was_tuned(other: Study) -> None:
    with danlu.open(":memory:") as project:
        tune(project, study(), runner(project), Budget(12.0))
        with pytest.raises(StudyError, match="'bowl-1' exists with another"):
            tune(project, other, runner(project), Budget(12.0))


def test_a_later_study_of_another_metric_is_no_round() -> None:
    with danlu.open(":memory:") as project:
        tune(project, study(), runner(project), Budget(12.0))
        look = replace(study(), name="bowl-2", metric=Metric("test_error", at="last"))
        project.plan(look)
        with pytest.raises(StudyError, match="'bowl-2' exists with another metric"):
            tune(project, study(), runner(project), Budget(50.0))


def test_an_interrupted_tuning_goes_on_to_the_same_end() -> None:
    class Interrupted(Exception):
        pass

    with danlu.open(":memory:") as project:
        calls: list[str] = []

        def interrupted(own: Study) -> danlu.History:
            calls.append(own.name)
            if own.name == "bowl-2":
                raise Interrupted
            return project.run(own, Inline(bowl))

        with pytest.raises(Interrupted):
            tune(project, study(), interrupted, Budget(30.0))
        found = tune(project, study(), runner(project), Budget(30.0))
    assert found.decision is not None
    assert found.decision.params == tuned_params(30.0)
    assert calls[-1] == "bowl-2"


def tuned_params(budget: float) -> object:
    decision = tuned(budget).decision
    assert decision is not None
    return decision.params


def test_the_baseline_is_confirmed_beside_the_best() -> None:
    found = tuned(50.0, baseline={"lr": 1e-3, "decay": 1e-5})
    assert found.decision is not None
    assert found.decision.baseline is not None
    assert found.decision.gain is not None
    assert found.decision.gain.low > 0.1
    kinds = [trial.kind for trial in found.rounds[-1].history.trials]
    assert kinds.count(Kind.CONFIRM) >= 6  # both, on three seeds each


def test_the_baseline_is_confirmed_where_tuning_ends_early_too() -> None:
    def noisy(trial: LiveTrial) -> None:
        distance = float(trial.params["k"]) - 3  # type: ignore[arg-type]
        trial.report(1, val_error=0.1 * distance**2 + 0.9 * math.sin(trial.seed))

    own = Study("k", "Which k?", "val_error", {"k": Int(1, 4)}, 1, baseline={"k": 1})
    with danlu.open(":memory:") as project:
        found = tune(project, own, runner(project, noisy), Budget(30.0))
    assert len(found.rounds) == 2
    assert found.decision is not None
    assert found.decision.baseline is not None


def test_what_was_adopted_before_is_confirmed_within_the_budget() -> None:
    with danlu.open(":memory:") as project:
        before = replace(study(), name="before")
        tune(project, before, runner(project), Budget(12.0))
        found = tune(project, study(), runner(project), Budget(12.0))
        assert found.decision is not None
        assert found.decision.baseline is not None
    assert found.spent == pytest.approx(12.0, abs=1.0)


def test_a_winner_that_breaks_a_guard_of_the_study_is_not_adopted() -> None:
    found = tuned(20.0, guards=["val_error <= 0"])
    assert found.decision is not None
    assert found.decision.ruling is Ruling.REJECT
    assert [own.kept for own in found.decision.guards] == [False]


def test_where_nothing_can_be_trained_nothing_is_decided() -> None:
    def diverges(trial: LiveTrial) -> None:
        trial.report(1, val_error=math.nan)

    with danlu.open(":memory:") as project:
        found = tune(project, study(), runner(project, diverges), Budget(30.0))
    assert found.decision is None
    assert len(found.rounds) == 1


def test_a_comparison_is_tuned_as_a_search() -> None:
    space: dict[str, Domain] = {
        "lr": Float(1e-3, 1.0, log=True),
        "decay": Float(1e-6, 1e-1, log=True),
    }
    own = Study("b", "Which rate?", "val_error", space, 1, ["lr"], max_steps=EPOCHS)
    with danlu.open(":memory:") as project:
        found = tune(project, own, runner(project), Budget(12.0))
    assert found.rounds[0].study.scientific == ()


def test_a_program_that_was_mended_is_tuned_by_the_same_call() -> None:
    def broken(trial: LiveTrial) -> None:
        raise RuntimeError("no such file")

    with danlu.open(":memory:") as project:
        with pytest.raises(StudyHalted):
            tune(project, study(), runner(project, broken), Budget(12.0))
        found = tune(project, study(), runner(project), Budget(12.0))
    assert found.decision is not None
    assert found.spent == pytest.approx(12.0, abs=1.5)


class QuickAtFirst:
    """Hours in which the first two trainings of a study take next to nothing."""

    name = "hours"

    def spent(self, history: danlu.History) -> float:
        return sum(1e-3 if trial.number < 2 else 1.0 for trial in trained(history))

    def before(self, preflight: object) -> float:
        return 0.0


def test_hours_are_not_planned_by_the_first_trials_alone() -> None:
    with danlu.open(":memory:") as project:
        found = tune(project, study(), runner(project), Budget(30.0, QuickAtFirst()))
    assert found.spent < 40.0


def test_hours_are_shared_by_slots() -> None:
    curve = Curve.of({9: 0.1})
    trial = Trial(
        0, {}, State.COMPLETED, curves={"e": curve}, started_s=0.0, ended_s=7200.0
    )
    space = danlu.SearchSpace({"x": Float(0, 1)})
    history = danlu.History(space, danlu.Metric("e"), [trial])
    assert Hours(slots=2).spent(history) == 1.0
    assert Trainings().spent(history) == 1.0


@pytest.mark.parametrize("amount", [0.0, -1.0, math.nan, math.inf])
def test_a_budget_is_a_number_above_zero(amount: float) -> None:
    with pytest.raises(StudyError, match="above 0"):
        Budget(amount)
