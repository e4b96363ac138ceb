from __future__ import annotations

import pytest
import torch

from danlu.training.rate_range import RateRange
from danlu.training.steps import Steps
from danlu.training.study_plan import study_plan
from danlu.training.trial_runs import Stability, TrialRun
from tests.training.planted_bugs import healthy, language

torch.set_num_threads(1)
FOUND = RateRange("ok", "", 0.01, 0.1, 0.001, 0.04, ())
STABLE = Stability(0.01, unstable_rate=0.05, warmup=0.05, clip_norm=2.0)


@pytest.mark.parametrize(
    ("trials", "names"),
    [
        (9, {"lr"}),
        (10, {"lr", "one_minus_beta1"}),
        (26, {"lr", "one_minus_beta1", "eps"}),
        (100, {"lr", "one_minus_beta1", "eps", "one_minus_beta2"}),
    ],
)
def test_more_trials_search_more_of_adam(trials: int, names: set[str]) -> None:
    plan = study_plan(FOUND, STABLE, optimizer="AdamW", trials=trials, steps=200)

    assert names == set(plan.study["space"])  # type: ignore[call-overload]


def test_the_rate_is_searched_up_to_where_it_diverges() -> None:
    plan = study_plan(FOUND, STABLE, optimizer="SGD", trials=8, steps=200)

    assert {"lr": "1.0e-03..4.0e-02:log"} == plan.study["space"]


def test_every_number_has_its_reason() -> None:
    plan = study_plan(FOUND, STABLE, optimizer="AdamW", trials=30, steps=200)
    space = plan.study["space"]

    assert isinstance(space, dict)
    assert {f"space.{name}" for name in space} <= set(plan.reasons)
    assert set(plan.training) <= set(plan.reasons)
    assert 10 == plan.training["warmup_steps"]


def test_the_steps_are_the_length_of_a_training_with_their_reason() -> None:
    steps = Steps("ok", "A constant rate of 0.02 fits.", 120, 0.02, 0.5, 0.0, ())
    plan = study_plan(FOUND, STABLE, optimizer="AdamW", trials=8, steps=steps)

    assert 120 == plan.study["max_steps"]
    assert 6 == plan.training["warmup_steps"]
    assert "A constant rate of 0.02 fits." in plan.reasons["max_steps"]
    assert "max_steps: 120" in plan.text()


def test_without_steps_there_is_no_study() -> None:
    flat = Steps("flat", "No constant rate trains.", None, None, None, None, ())

    with pytest.raises(ValueError, match="No constant rate"):
        study_plan(FOUND, STABLE, optimizer="AdamW", trials=8, steps=flat)


def test_without_a_rate_there_is_no_study() -> None:
    flat = RateRange("flat", "It falls nowhere.", None, None, None, None, ())

    with pytest.raises(ValueError, match="falls nowhere"):
        study_plan(flat, STABLE, optimizer="AdamW", trials=8, steps=200)


def test_a_rate_far_too_large_is_unstable() -> None:
    found = healthy().stability(0.1, steps=60)

    assert found.unstable_rate is not None
    assert found.unstable_rate <= 1.0


def test_a_small_rate_is_stable_at_ten_times_and_needs_no_warmup() -> None:
    found = language().stability(1e-3, steps=60)

    assert (None, 0.0) == (found.unstable_rate, found.warmup)
    assert found.clip_norm is not None


def test_a_run_that_ends_in_nan_is_not_stable() -> None:
    assert not TrialRun((1.0, float("nan")), (1.0,), None).is_stable


def test_seeds_differ_a_little() -> None:
    found = healthy().noise(3e-3, steps=60, seeds=3)

    assert 0 < found.deviation < found.mean


def test_noise_needs_two_seeds() -> None:
    with pytest.raises(ValueError, match="2 seeds"):
        healthy().noise(3e-3, seeds=1)
