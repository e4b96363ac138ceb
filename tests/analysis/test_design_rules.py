from __future__ import annotations

from typing import Any

import pytest

from danlu.analysis.base import Finding, Level
from danlu.analysis.design import design
from danlu.domain import Choice, Domain, Float, Int
from danlu.study import Study

RATE = Float(1e-4, 1.0, log=True)
OPTIMIZERS = Choice({"adam": {"lr": RATE}, "sgd": {"lr": RATE}})


def findings(space: dict[str, Domain], **fields: Any) -> dict[str, Finding]:
    given: dict[str, Any] = {"goal": "Which is best?", "metric": "err", "trials": 200}
    study = Study(name="s", space=space, **{**given, **fields})
    return {finding.check: finding for finding in design(study)}


def test_a_goal_of_two_sentences_is_a_notice() -> None:
    found = findings({"lr": RATE}, goal="Which rate is best? And which width?")
    assert found["several-questions"].evidence == {"sentences": 2}


@pytest.mark.parametrize(
    "goal", ["Which rate is best?", "Is 0.1 better than 0.01, e.g. for 1.5 h?", "Speed"]
)
def test_a_goal_of_one_sentence_is_no_finding(goal: str) -> None:
    assert "several-questions" not in findings({"lr": RATE}, goal=goal)


def test_options_compared_in_the_goal_are_to_be_scientific() -> None:
    found = findings({"optimizer": OPTIMIZERS}, goal="Is Adam better than SGD?")
    assert found["unmarked-question"].evidence["change"] == {
        "scientific": ["optimizer"]
    }


def test_options_that_are_scientific_or_not_named_are_no_finding() -> None:
    space: dict[str, Domain] = {"optimizer": OPTIMIZERS}
    marked = findings(space, goal="Is Adam better than SGD?", scientific=["optimizer"])
    assert "unmarked-question" not in marked
    assert findings(space, goal="How good does Adam get, and all else?") == {}


@pytest.mark.parametrize("name", ["data_fraction", "train_subset_size", "dataShare"])
def test_an_amount_of_data_in_the_space_is_a_warning(name: str) -> None:
    found = findings({"lr": RATE, name: Float(0.1, 1)})
    assert found["data-amount"].level is Level.WARNING


def test_how_much_data_helps_may_be_the_question() -> None:
    space: dict[str, Domain] = {"lr": RATE, "data_fraction": Float(0.1, 1)}
    assert "data-amount" not in findings(space, scientific=["data_fraction"])


@pytest.mark.parametrize(
    ("name", "trials", "early"),
    [
        ("one_minus_beta1", 9, True),
        ("one_minus_beta1", 10, False),
        ("epsilon", 25, True),
        ("adam_eps", 26, False),
        ("one_minus_beta2", 49, True),
        ("one_minus_beta2", 50, False),
    ],
)
def test_what_is_searched_of_adam_depends_on_the_trials(
    name: str, trials: int, early: bool
) -> None:
    space: dict[str, Domain] = {"lr": RATE, name: Float(1e-9, 0.3, log=True)}
    assert ("adam-budget" in findings(space, trials=trials)) is early


def test_the_change_is_the_default_of_adam() -> None:
    space: dict[str, Domain] = {"lr": RATE, "epsilon": Float(1e-10, 1e-3, log=True)}
    found = findings(space, trials=20)["adam-budget"]
    assert found.evidence["change"] == {"space": {"epsilon": {"fixed": 1e-8}}}


def test_the_trials_of_adam_are_counted_by_arm() -> None:
    adam: dict[str, Domain] = {"lr": RATE, "epsilon": Float(1e-9, 1e-3, log=True)}
    space: dict[str, Domain] = {"opt": Choice({"adam": adam, "sgd": {"lr": RATE}})}
    assert "adam-budget" not in findings(space, trials=40)
    found = findings(space, trials=40, scientific=["opt"])["adam-budget"]
    assert "With 20 trials in each arm" in found.message


@pytest.mark.parametrize("name", ["momentum", "beta1", "adam_beta2"])
def test_a_momentum_over_a_decade_is_searched_by_its_complement(name: str) -> None:
    found = findings({"lr": RATE, name: Float(0.5, 0.99)})
    assert found["momentum-scale"].level is Level.NOTICE
    assert "momentum-scale" not in findings({"lr": RATE, name: Float(0.8, 0.95)})


@pytest.mark.parametrize("name", ["dropout", "label_smoothing", "momentum", "beta1"])
def test_a_share_of_one_is_a_warning_with_the_change(name: str) -> None:
    found = findings({"lr": RATE, name: Float(0.5, 1.0)})["impossible-range"]
    assert found.level is Level.WARNING
    assert found.evidence["change"] == {"space": {name: {"high": 0.95}}}
    assert "impossible-range" not in findings({"lr": RATE, name: Float(0.5, 0.9)})


@pytest.mark.parametrize(
    ("name", "domain", "unusual"),
    [
        ("lr", Float(1e-12, 1e-8, log=True), True),
        ("lr", Float(20, 500, log=True), True),
        ("lr", Float(1e-6, 1e-4, log=True), False),
        ("weight_decay", Float(100, 1000, log=True), True),
        ("weight_decay", Float(1e-8, 1e-2, log=True), False),
    ],
)
def test_a_range_wholly_outside_of_practice_is_a_warning(
    name: str, domain: Float, unusual: bool
) -> None:
    assert ("unusual-range" in findings({name: domain, "k": Int(1, 4)})) is unusual


@pytest.mark.parametrize("sampler", ["gp", "tpe", "cma_es"])
def test_a_comparison_by_a_sampler_that_learns_is_a_notice(sampler: str) -> None:
    space: dict[str, Domain] = {"optimizer": OPTIMIZERS}
    found = findings(space, scientific=["optimizer"], sampler=sampler)
    assert found["learning-comparison"].evidence["change"] == {"sampler": "auto"}


@pytest.mark.parametrize("sampler", ["auto", "quasi_random", "random"])
def test_a_comparison_by_points_that_favor_nobody_is_none(sampler: str) -> None:
    space: dict[str, Domain] = {"optimizer": OPTIMIZERS}
    assert findings(space, scientific=["optimizer"], sampler=sampler) == {}


def test_schedules_varied_before_a_constant_rate_are_a_notice() -> None:
    space: dict[str, Domain] = {"lr": RATE, "schedule": Choice(["cosine", "linear"])}
    assert "schedule-first" in findings(space)
    assert "schedule-first" not in findings(space, learn_from=["constant"])
    assert "schedule-first" not in findings(space, scientific=["schedule"])


def test_a_schedule_beside_a_constant_rate_is_no_finding() -> None:
    space: dict[str, Domain] = {"lr": RATE, "schedule": Choice(["constant", "cosine"])}
    assert "schedule-first" not in findings(space)
