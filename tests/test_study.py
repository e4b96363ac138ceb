from __future__ import annotations

from typing import Any

import pytest

from danlu.constraint import Constraint
from danlu.domain import Choice, Float, Int
from danlu.errors import SpaceError, StudyError
from danlu.metric import Metric
from danlu.samplers.base import Sampler
from danlu.space import SearchSpace
from danlu.study import Study

LR = Float(1e-4, 1e-1, log=True)
OPTIMIZER = Choice(
    {
        "adam": {"lr": LR, "amsgrad": Choice([True, False])},
        "sgd": {"lr": LR, "momentum": Float(0, 0.99)},
    }
)


def study(**changed: Any) -> Study:
    settings: dict[str, Any] = {
        "name": "digits",
        "goal": "Which optimizer is better?",
        "metric": "val_error",
        "space": {"optimizer": OPTIMIZER, "layers": Int(1, 3)},
        "trials": 48,
    }
    return Study(**{**settings, **changed})


def test_a_name_of_a_metric_is_one_to_make_small() -> None:
    assert Metric("val_error") == study().objective


def test_a_study_without_scientific_values_has_one_arm() -> None:
    assert ({},) == study().arms


def test_each_combination_of_scientific_values_is_an_arm() -> None:
    arms = study(scientific=["optimizer", "layers"]).arms

    expected = [(o, n) for o in ("adam", "sgd") for n in (1, 2, 3)]
    assert expected == [(arm["optimizer"], arm["layers"]) for arm in arms]


def test_a_scientific_value_splits_only_the_arms_that_have_it() -> None:
    path = "optimizer=adam/amsgrad"

    assert (
        {"optimizer": "adam", path: True},
        {"optimizer": "adam", path: False},
        {"optimizer": "sgd"},
    ) == study(scientific=[path, "optimizer"]).arms


def test_arms_that_would_get_too_few_trials_are_given_up() -> None:
    assert 6 == len(study(scientific=["optimizer", "layers"], trials=24).arms)
    assert ({},) == study(scientific=["optimizer", "layers"], trials=23).arms


def test_a_continuous_scientific_value_has_one_arm() -> None:
    assert ({},) == study(space={"x": Float(0, 1)}, scientific=["x"]).arms


def test_a_scientific_number_of_one_value_does_not_split() -> None:
    space = {"x": Float(2, 2), "n": Choice([1, 2])}

    arms = study(space=space, scientific=["x", "n"]).arms

    assert ({"x": 2.0, "n": 1}, {"x": 2.0, "n": 2}) == arms


def test_every_arm_finds_its_own_params_and_no_others() -> None:
    split = study(scientific=["optimizer", "layers"])

    for place, space in enumerate(split.arm_spaces):
        assert place == split.arm_of(space.decode([0.5] * len(space)))
    assert split.arm_of({"optimizer": "lion", "layers": 1}) is None


def test_hyperparameters_are_scientific_or_nuisance() -> None:
    split = study(scientific=["optimizer"])

    assert "scientific" == split.role("optimizer")
    assert "nuisance" == split.role("optimizer=adam/lr")


def test_fixed_values_are_part_of_the_space_and_of_the_baseline() -> None:
    fixed = study(
        fixed={"epochs": 9}, baseline={"optimizer": "sgd", "lr": 0.1, "layers": 1}
    )

    assert {"epochs": 9} == fixed.search_space.fixed
    assert fixed.baseline is not None
    assert 9 == fixed.baseline["epochs"]


def test_fixed_values_may_stand_in_the_space() -> None:
    space = SearchSpace({"x": Float(0, 1)}, fixed={"a": 1})

    assert {"a": 1, "b": 2} == study(space=space, fixed={"b": 2}).fixed


def test_equal_statements_are_equal_studies() -> None:
    assert study() == study()
    assert study() != study(trials=49)


@pytest.mark.parametrize(
    "name", ["digits", "'; DROP TABLE study; --", "数字 №1", "a/b"]
)
def test_any_printable_name_will_do(name: str) -> None:
    assert name == study(name=name).name


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": ""}, "needs a name, got ''"),
        ({"name": " "}, "needs a name, got ' '"),
        ({"name": 7}, "needs a name, got 7"),
        ({"name": "a\nb"}, "printable text"),
        ({"name": "a\x00b"}, "printable text"),
        ({"name": "\ud800"}, "printable text"),
        ({"name": "x" * 101}, "at most 100 characters, got 101"),
        ({"goal": " "}, "needs a goal: the one question"),
        ({"trials": 0}, "trials is a whole number from 1, got 0"),
        ({"trials": True}, "trials is a whole number from 1, got True"),
        ({"trials": 2.5}, "trials is a whole number from 1, got 2.5"),
        ({"max_steps": 0}, "max_steps is a whole number from 1, got 0"),
        ({"seed": -1}, "a seed is a whole number from 0, got -1"),
        ({"seed": 2**63}, "a seed is a whole number from 0"),
        ({"metric": 3}, "metric is a Metric or the name of one, got 3"),
        ({"space": [1]}, "space is a dict of name to domain"),
        ({"scientific": "optimizer"}, r"write \['optimizer'\]"),
        ({"scientific": ["optimiser"]}, "did you mean 'optimizer'?"),
    ],
)
def test_a_faulty_study_says_what_is_wrong(changed: Any, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        study(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"space": {}},
        {"fixed": {"layers": 2}},
        {"fixed": {"x": [1, 2]}},
        {"baseline": {"x": {}}},
    ],
)
def test_a_faulty_space_is_found_when_the_study_is_stated(changed: Any) -> None:
    with pytest.raises(SpaceError):
        study(**changed)


def test_a_sampler_is_a_name_or_an_object() -> None:
    class Nothing(Sampler):
        def ask(self, history: Any, rng: Any) -> None:
            return None

    assert "auto" == study().sampler
    assert isinstance(study(sampler=Nothing()).sampler, Nothing)


def test_constraints_may_be_texts() -> None:
    limits = study(constraints=["ms <= 20", Constraint("ms", 5, upper=False)]).limits

    assert (Constraint("ms", 20), Constraint("ms", 5, upper=False)) == limits


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"constraints": "ms <= 20"}, r"a list: write \['ms <= 20'\]"),
        ({"constraints": 3}, "constraints is a list, got 3"),
        ({"constraints": ["ms < 20"]}, "write it like 'latency_ms <= 20'"),
        ({"constraints": ["ms <= 20", "ms<=20.0"]}, "'ms <= 20.0' stands twice"),
        ({"guards": "ms <= 20"}, r"guards is a list: write \['ms <= 20'\]"),
        ({"guards": 3}, "guards is a list, got 3"),
        ({"guards": [3]}, "a guard is a metric, <= or >=, .* got 3"),
        ({"guards": ["ms < 20"]}, "write it like 'test_error <= baseline"),
        ({"guards": ["ms <= baseline * 2"]}, "a guard is a metric"),
        ({"guards": ["ms <= baseline", "ms<=baseline + 0"]}, "0' stands twice"),
        ({"learn_from": "first"}, r"a list of studies: write \['first'\]"),
        ({"learn_from": 3}, "learn_from is a list of studies, got 3"),
        ({"learn_from": ["digits"]}, "'digits' cannot learn from itself"),
        ({"learn_from": ["a", "a"]}, "names study 'a' twice"),
        ({"learn_from": [3]}, "a study needs a name, got 3"),
    ],
)
def test_limits_and_teachers_that_make_no_sense_are_refused(
    changed: dict[str, Any], says: str
) -> None:
    with pytest.raises(StudyError, match=says):
        study(**changed)
