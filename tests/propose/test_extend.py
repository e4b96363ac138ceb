from __future__ import annotations

from typing import Any

import pytest

from danlu.domain import Choice, Domain, Float, Int
from danlu.errors import StudyError
from danlu.history import History
from danlu.propose.extend import Extension, extend
from danlu.propose.longer import Rule
from tests.histories import searched

RATE = Float(1e-4, 1.0, log=True)


def extended(space: dict[str, Domain], factor: float = 10, **fields: Any) -> Extension:
    study, history = searched(
        {"lr": RATE, **space}, lambda p: abs(p["lr"] - 0.01), steps=100, **fields
    )
    return extend(study, history, round(100 * factor))


def rules(made: Extension) -> dict[str, Rule]:
    return {own.path: own.rule for own in made.rows}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("warmup_steps", Rule.FIXED),
        ("init_scale", Rule.FIXED),
        ("layers", Rule.FIXED),
        ("hidden_size", Rule.FIXED),
        ("one_minus_beta1", Rule.NARROWED),
        ("momentum", Rule.NARROWED),
        ("weight_decay", Rule.NARROWED),
        ("dropout", Rule.NARROWED),
        ("lr_init", Rule.NARROWED),
        ("decay_steps", Rule.SEARCHED),
        ("final_lr", Rule.SEARCHED),
        ("min_lr_factor", Rule.SEARCHED),
        ("temperature", Rule.NARROWED),
    ],
)
def test_each_hyperparameter_carries_over_as_far_as_it_does(
    name: str, rule: Rule
) -> None:
    assert rules(extended({name: Float(0.1, 0.9)}))[name] is rule


def test_what_carries_over_is_fixed_at_its_best_value() -> None:
    study, history = searched({"lr": RATE, "layers": Int(1, 9)}, lambda p: p["layers"])
    made = extend(study, history, 100)
    assert history.best is not None
    assert made.study.fixed == {"layers": history.best.params["layers"]}
    assert list(made.study.search_space.domains) == ["lr"]


def test_the_rate_is_searched_around_its_best_value() -> None:
    domain = extended({}).study.search_space.domains["lr"]
    assert isinstance(domain, Float)
    assert domain.low < 0.01 < domain.high
    assert domain.high / domain.low == pytest.approx(100, rel=0.2)


def test_a_schedule_is_searched_again() -> None:
    made = extended({"schedule": Choice(["cosine", "linear"])})
    assert made.study.search_space.domains["schedule"] == Choice(["cosine", "linear"])


def test_a_choice_is_fixed_with_what_its_option_brings() -> None:
    optimizer = Choice({"adam": {"beta": Float(0, 1)}, "sgd": {"beta": Float(0, 1)}})
    study, history = searched(
        {"lr": RATE, "optimizer": optimizer},
        lambda p: p["lr"] + 9 * (p["optimizer"] == "sgd"),
    )
    made = extend(study, history, 100)
    paths = [own.path for own in made.study.search_space.dimensions]
    assert paths == ["lr", "optimizer", "optimizer=adam/beta"]


def test_lengths_are_stretched_and_phases_keep_theirs() -> None:
    fixed = {"epochs": 100, "warmup_steps": 20, "decay_fraction": 0.4, "k": 100}
    made = extended({}, factor=4, fixed=fixed)
    assert made.study.fixed == {**fixed, "epochs": 400, "decay_fraction": 0.1}
    assert rules(made)["epochs"] is Rule.STRETCHED


def test_a_warm_up_that_is_a_share_keeps_its_steps() -> None:
    study, history = searched(
        {"lr": RATE, "warmup_fraction": Float(0.02, 0.1)}, lambda p: p["lr"]
    )
    made = extend(study, history, 40)
    assert history.best is not None
    share = history.best.params["warmup_fraction"]
    assert made.study.fixed == {"warmup_fraction": share / 4}  # type: ignore[operator]


def test_round_two_takes_no_more_steps_than_round_one() -> None:
    made = extended({}, factor=8, count=40)
    assert made.study.trials == 5
    assert made.seconds == 5 * 8 * 100.0


def test_there_are_at_least_three_trials() -> None:
    assert extended({}, factor=1000).study.trials == 3


def test_the_best_params_are_trained_longer_as_the_baseline() -> None:
    made = extended({"layers": Int(1, 4)})
    assert made.study.baseline is not None
    assert made.study.baseline in made.study.search_space
    assert made.study.learn_from == ("s",)


def test_where_all_carries_over_one_hyperparameter_stays() -> None:
    study, history = searched(
        {"layers": Int(1, 9), "width": Int(8, 64)}, lambda p: p["layers"]
    )
    made = extend(study, history, 100)
    assert len(made.study.search_space.domains) == 1
    assert made.study.baseline is not None


@pytest.mark.parametrize("steps", [1, 10])
def test_round_two_trains_longer(steps: int) -> None:
    study, history = searched({"lr": RATE}, lambda p: p["lr"])
    with pytest.raises(StudyError, match="trains longer"):
        extend(study, history, steps)


def test_round_one_needs_a_result_and_a_length() -> None:
    study, history = searched({"lr": RATE}, lambda p: p["lr"], max_steps=None)
    with pytest.raises(StudyError, match="max_steps"):
        extend(study, history, 100)
    with pytest.raises(StudyError, match="no result"):
        extend(study, History(history.space, history.metric), 100)
