from __future__ import annotations

import math

import pytest

from danlu.domain import Choice, Float, Int
from danlu.space import SearchSpace
from danlu.transfer import moved
from danlu.value import Value

SGD = {"lr": Float(0, 1), "momentum": Float(0, 1)}
SPACE = SearchSpace({"opt": Choice({"adam": {}, "sgd": SGD}), "width": Int(0, 9)})


def point(space: SearchSpace, values: dict[str, Value], **fixed: Value) -> object:
    found = moved(space, values, fixed)
    return None if found is None else [None if math.isnan(u) else u for u in found]


def test_values_are_matched_by_path() -> None:
    values: dict[str, Value] = {"opt": "sgd", "opt=sgd/lr": 0.25, "width": 0}

    assert [0.75, 0.25, None, 0.05] == point(SPACE, values)


def test_a_name_elsewhere_is_another_hyperparameter() -> None:
    assert [0.75, None, None, None] == point(SPACE, {"opt": "sgd", "lr": 0.25})


def test_what_was_held_constant_counts_with_its_value() -> None:
    assert [0.25, None, None, 0.95] == point(SPACE, {"opt": "adam"}, width=9)
    assert [0.75, None, 0.5, 0.95] == point(SPACE, {}, opt="sgd", momentum=0.5, width=9)


def test_dimensions_of_an_unknown_option_are_unknown() -> None:
    assert [None, None, None, 0.05] == point(SPACE, {"width": 0, "lr": 0.5})


@pytest.mark.parametrize(
    ("domain", "value", "place"),
    [
        (Float(0, 10), 10.9, 1.0),
        (Float(0, 10), -0.9, 0.0),
        (Float(0, 10), 11.1, None),
        (Float(1e-3, 1e-1, log=True), 0.15, 1.0),
        (Float(1e-3, 1e-1, log=True), 0.17, None),
        (Float(1e-3, 1e-1, log=True), 0, None),
        (Float(0, 10), "a", None),
        (Float(0, 10), True, None),
        (Int(0, 9), 3.4, 0.35),
        (Int(0, 9), 10, None),
        (Int(0, 10), 11, 1 - 0.5 / 11),
        (Choice([1, 2]), 2, 0.75),
        (Choice([1, 2]), 3, None),
        (Float(2, 2), 2.0, 0.5),
        (Float(2, 2), 2.01, 0.5),
    ],
)
def test_a_number_just_outside_counts_at_the_bound(
    domain: Float | Int | Choice, value: Value, place: float | None
) -> None:
    found = moved(SearchSpace({"x": domain}), {"x": value})

    assert place == (None if found is None else pytest.approx(found[0]))


def test_trials_of_another_arm_are_left_out() -> None:
    arm = SPACE.pin({"opt": "sgd"})

    assert point(arm, {"opt": "adam", "width": 0}) is None
    assert [0.25, None, 0.05] == point(
        arm, {"opt": "sgd", "opt=sgd/lr": 0.25, "width": 0}
    )
    assert [None, None, 0.05] == point(arm, {"width": 0})


def test_an_option_that_is_constant_now_rules_the_other_ones_out() -> None:
    space = SearchSpace({"width": Int(0, 9)}, fixed={"model": "cnn", "depth": 3})

    assert [0.05] == point(space, {"width": 0, "model": "cnn"})
    assert point(space, {"width": 0, "model": "rnn"}) is None


def test_a_number_that_is_constant_now_may_have_been_any() -> None:
    space = SearchSpace({"width": Int(0, 9), "k": Float(2, 2)}, fixed={"depth": 3})

    assert [0.05, 0.5] == point(space, {"width": 0, "k": 7.0, "depth": 12})
