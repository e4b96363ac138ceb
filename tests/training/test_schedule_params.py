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


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "needs params with `lr`"),
        ({"lr": 0.1, "schedule": "sine"}, "knows no schedule 'sine'"),
        ({"lr": 0.1, "warmup_fraction": 1.0}, "warmup_fraction=1.0"),
    ],
)
def test_impossible_params_are_refused(params: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build_tracks(params, steps=100)
