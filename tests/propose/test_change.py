from __future__ import annotations

import pytest

from danlu.domain import Belief, Choice, Float, Int
from danlu.errors import SpaceError, StudyError
from danlu.propose.change import changed, changed_space, differences
from danlu.space import SearchSpace
from tests.studies import bowl

RATE = Float(1e-3, 1.0, log=True)
OPTIMIZER = Choice({"adam": {"lr": RATE, "beta": Float(0.5, 0.9)}, "sgd": {"lr": RATE}})
SPACE = SearchSpace({"optimizer": OPTIMIZER, "width": Int(8, 64), "x": Float(0, 1)})


def test_a_bound_inside_a_branch_is_moved_and_all_else_stays() -> None:
    moved = changed_space(SPACE, {"optimizer=adam/lr": {"high": 10.0}})
    paths = {own.path: str(own.domain) for own in moved.dimensions}
    assert paths["optimizer=adam/lr"] == "0.001..10 log"
    assert paths["optimizer=sgd/lr"] == "0.001..1 log"
    assert list(paths) == [own.path for own in SPACE.dimensions]


def test_bounds_of_a_whole_number_become_whole() -> None:
    moved = changed_space(SPACE, {"width": {"low": 4.2, "high": 127.6}})
    assert moved.domains["width"] == Int(4, 128)


def test_what_is_fixed_leaves_the_space() -> None:
    fixed = changed_space(SPACE, {"width": {"fixed": 32}})
    assert "width" not in fixed.domains
    assert fixed.fixed == {"width": 32}


def test_what_is_fixed_inside_a_branch_stays_with_one_value() -> None:
    fixed = changed_space(SPACE, {"optimizer=adam/beta": {"fixed": 0.8}})
    assert fixed.domains["optimizer"].branches["adam"]["beta"] == Float(0.8, 0.8)  # type: ignore[union-attr]


def test_a_fixed_choice_keeps_what_its_option_brings_under_its_path() -> None:
    fixed = changed_space(SPACE, {"optimizer": {"fixed": "adam"}})
    paths = [own.path for own in fixed.dimensions]
    assert paths[:2] == ["optimizer", "optimizer=adam/lr"]
    assert "optimizer=sgd/lr" not in paths


@pytest.mark.parametrize(
    ("fields", "domain"),
    [
        ({"low": 0.0, "high": 0.5}, Float(0, 0.5)),
        ({"low": 1e-4, "high": 0.1, "log": True}, Float(1e-4, 0.1, log=True)),
        ({"low": 1, "high": 8}, Int(1, 8)),
        ({"options": ["off", "on"]}, Choice(["off", "on"])),
        ({"float": [0.0, 1.0]}, Float(0, 1)),
    ],
)
def test_a_hyperparameter_can_be_added(
    fields: dict[str, object], domain: Float | Int | Choice
) -> None:
    assert changed_space(SPACE, {"new": {"add": fields}}).domains["new"] == domain


def test_a_hyperparameter_can_be_added_to_an_option() -> None:
    added = {"optimizer=sgd/momentum": {"add": {"low": 0.5, "high": 0.99}}}
    paths = [own.path for own in changed_space(SPACE, added).dimensions]
    assert "optimizer=sgd/momentum" in paths
    assert "optimizer=adam/momentum" not in paths


def test_options_that_go_take_their_branches_along() -> None:
    fewer = changed_space(SPACE, {"optimizer": {"options": ["sgd"]}})
    assert fewer.domains["optimizer"] == Choice({"sgd": {"lr": RATE}})


def test_a_belief_outside_of_the_new_range_is_dropped() -> None:
    believed = SearchSpace({"x": Float(0, 1, belief=Belief(0.9))})
    assert changed_space(believed, {"x": {"high": 0.5}}).domains["x"].belief is None
    assert changed_space(believed, {"x": {"low": 0.5}}).domains["x"].belief


def test_an_unknown_path_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(SpaceError, match="did you mean 'width'"):
        changed_space(SPACE, {"widht": {"low": 1}})


def test_a_field_that_no_study_has_is_an_error() -> None:
    with pytest.raises(StudyError, match="did you mean 'trials'"):
        changed(bowl(), {"trails": 3})


def test_a_scientific_hyperparameter_that_is_fixed_is_scientific_no_more() -> None:
    space = {"model": Choice(["a", "b"]), "x": Float(0, 1)}
    study = bowl(space=space, scientific=["model"])
    made = changed(study, {"space": {"model": {"fixed": "b"}}})
    assert (made.scientific, made.fixed) == ((), {"model": "b"})


def test_differences_name_what_changed_and_how_it_was() -> None:
    study = bowl(space={"x": Float(0, 1), "k": Int(1, 4)})
    made = changed(study, {"trials": 20, "space": {"k": {"fixed": 2}}})
    assert differences(study, made) == (
        "k fixed at 2 (was 1..4 whole)",
        "trials 20 (was 10)",
    )
