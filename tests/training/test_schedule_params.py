from __future__ import annotations

from typing import Any

import pytest

from danlu.training import audit, build_tracks
from danlu.training.schedules import Constant, Linear, one_cycle


@pytest.mark.parametrize(
    "name", ["constant", "linear", "cosine", "warmup_stable_decay", "one_cycle"]
)
@pytest.mark.parametrize("warmup", [0.0, 0.05])
def test_every_schedule_lasts_for_the_run(name: str, warmup: float) -> None:
    params = {"lr": 0.1, "schedule": name, "warmup_fraction": warmup}
    rates = build_tracks(params, steps=400).lr

    assert 400 == rates.steps
    assert ["ok"] == [finding.level for finding in audit(rates, 400)]
    assert 0.1 == pytest.approx(max(rates(step) for step in range(400)), rel=0.02)


def test_a_constant_rate_is_where_tuning_starts() -> None:
    assert Constant(0.1, steps=50) == build_tracks({"lr": 0.1}, steps=50).lr


def test_a_stable_decay_falls_at_the_end_alone() -> None:
    params = {"lr": 0.1, "schedule": "warmup_stable_decay", "decay_fraction": 0.1}

    assert Linear(0.1, 100, hold=90) == build_tracks(params, steps=100).lr


def test_a_one_cycle_takes_its_warm_up_as_its_way_up() -> None:
    params = {"lr": 0.1, "schedule": "one_cycle", "warmup_fraction": 0.2}

    assert one_cycle(0.1, 100, rise=0.2) == build_tracks(params, steps=100).lr


@pytest.mark.parametrize("warmup", [20, 20.0])
def test_a_warm_up_can_be_given_in_steps(warmup: float) -> None:
    params = {"lr": 0.1, "schedule": "cosine"}

    assert build_tracks({**params, "warmup_fraction": 0.2}, steps=100) == build_tracks(
        {**params, "warmup_steps": warmup}, steps=100
    )


def test_params_of_others_are_left_alone() -> None:
    params = {"lr": 0.1, "weight_decay": 0.1, "one_minus_beta1": 0.1, "epochs": 5}

    assert Constant(0.1, steps=50) == build_tracks(params, steps=50).lr


def test_a_run_of_no_steps_has_no_schedule() -> None:
    with pytest.raises(ValueError, match="steps >= 1, got steps=0"):
        build_tracks({"lr": 0.1}, steps=0)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "needs params with `lr`"),
        ({"lr": 0.1, "schedule": "sine"}, "knows no schedule 'sine'"),
        ({"lr": 0.1, "warmup_fraction": 1.0}, "warmup_fraction=1.0"),
        ({"lr": 0.1, "shedule": "cosine"}, "did you mean 'schedule'"),
        ({"lr": 0.1, "scheduler": "cosine"}, "did you mean 'schedule'"),
        ({"lr": 0.1, "warmup": 5}, "did you mean 'warmup_steps'"),
        ({"learning_rate": 0.1}, "did you mean 'lr'"),
        ({"lr": 0.1, "warmup_steps": -1}, "whole number from 0"),
        ({"lr": 0.1, "warmup_steps": 2.5}, "whole number from 0"),
        ({"lr": 0.1, "warmup_steps": 100}, "of 100 steps leaves nothing of the 100"),
        ({"lr": 0.1, "warmup_fraction": 0.999}, "of 100 steps leaves nothing"),
        ({"lr": 0.1, "warmup_steps": 5, "warmup_fraction": 0.1}, "has both"),
        (
            {"lr": 0.1, "schedule": "one_cycle", "warmup_steps": 5},
            "has a way up of its own",
        ),
        (
            {
                "lr": 0.1,
                "schedule": "warmup_stable_decay",
                "warmup_fraction": 0.95,
                "decay_fraction": 0.5,
            },
            "warm-up and decay must fit",
        ),
    ],
)
def test_impossible_params_are_refused(params: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build_tracks(params, steps=100)
