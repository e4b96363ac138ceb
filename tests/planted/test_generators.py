from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng

from danlu.trial import State
from tests.planted.claims import CHECKS
from tests.planted.course import Course, Faults, curves
from tests.planted.library import SITUATIONS, drawn
from tests.planted.space_situations import shifted, unstable
from tests.planted.surface import Cliff
from tests.planted.worlds import momentum, rate_alone

QUICK = [name for name, situation in SITUATIONS.items() if not situation.slow]


def test_there_are_sixty_planted_situations_and_as_many_healthy_ones() -> None:
    healthy = sum(situation.healthy for situation in SITUATIONS.values())

    assert healthy >= 60
    assert len(SITUATIONS) - healthy >= 60


@pytest.mark.parametrize("name", QUICK)
def test_claims_are_about_checks_and_hyperparameters_that_exist(name: str) -> None:
    found = drawn(SITUATIONS[name], 0)
    space = found.study.search_space
    known = {""} | {dimension.path for dimension in space.dimensions}
    for dimension in space.dimensions:
        options = getattr(dimension.domain, "options", ())
        known |= {str(option) for option in options} | set("1234")
    named = {part for claim in found.claims for part in claim.about.split("*")}
    named = {part.split(" ")[0] for part in named}  # dropout 0 to 0.15

    assert {claim.check for claim in found.claims} <= set(CHECKS)
    assert named <= known


def test_every_check_has_situations_in_which_it_speaks_and_is_silent() -> None:
    claims = {
        (claim.check, claim.speaks)
        for name in QUICK
        for claim in drawn(SITUATIONS[name], 0).claims
    }

    assert {(check, speaks) for check in CHECKS for speaks in (True, False)} == claims


def test_a_draw_is_the_same_each_time() -> None:
    first = drawn(SITUATIONS["lr-high"], 7)
    again = drawn(SITUATIONS["lr-high"], 7)

    assert first.study == again.study
    assert list(first.history.trials) == list(again.history.trials)


def test_two_draws_have_different_truths() -> None:
    first, second = (drawn(SITUATIONS["momentum-plain"], k) for k in (0, 1))

    assert first.history.best != second.history.best


def test_the_best_of_a_healthy_world_is_inside_and_of_a_shifted_one_at_the_edge() -> (
    None
):
    rates = np.geomspace(1e-5, 1e-1, 201)
    healthy = rate_alone(default_rng(0))
    moved = shifted(rate_alone, "lr", 1.15)(default_rng(0))
    inner, outer = (
        int(np.argmin([world.truth({"lr": rate}) for rate in rates]))
        for world in (healthy, moved)
    )

    assert 40 < inner < 160
    assert outer == 200


def test_about_as_many_trials_diverge_as_the_cliff_says() -> None:
    _, history = momentum(
        default_rng(0), cliff=Cliff({"lr": 1.0}, 0.7), trials=200
    ).drawn(default_rng(0))
    count = sum(trial.state is State.INFEASIBLE for trial in history.trials)

    assert abs(count / 200 - 0.3) < 0.05


def test_the_error_falls_right_up_to_the_cliff_in_an_unstable_world() -> None:
    world = unstable(default_rng(0))
    params = {"one_minus_momentum": 0.1, "weight_decay": 1e-4, "dropout": 0.3}
    low, high = (world.truth({"lr": rate, **params}) for rate in (1e-3, 0.06))

    assert high < low
    assert np.isnan(world.truth({"lr": 0.1, **params}))


def test_seeds_of_the_same_params_vary_by_the_planted_noise() -> None:
    course = Course(step_sd=1e-6, settled=0.5)
    _, history = momentum(
        default_rng(1), seed_sd=0.01, confirm=(1, 200), course=course
    ).drawn(default_rng(1))
    last = [trial.curves["val_error"].last for trial in history.trials[-200:]]

    assert np.isclose(np.percentile(last, 84) - np.median(last), 0.01, rtol=0.25)


def test_overfitting_raises_the_error_while_the_training_loss_falls() -> None:
    course = Course(step_sd=1e-6, settled=0.4)
    found = curves(course, Faults(overfit=0.04), (0.9, 0.1), default_rng(0))
    error, loss = found["val_error"], found["train_loss"]

    assert np.isclose(0.14, error[-1], atol=1e-4)
    assert error.min() < 0.102
    assert loss[-1] < 0.5 * loss[len(loss) // 2]


def test_a_settled_training_stands_still_and_a_power_law_does_not() -> None:
    still, falling = (
        curves(course, Faults(), (0.9, 0.1), default_rng(0))["val_error"]
        for course in (
            Course(step_sd=1e-6, settled=0.5),
            Course(step_sd=1e-6, power=0.5),
        )
    )

    assert still[20] - still[-1] < 0.001
    assert falling[30] - falling[-1] > 0.015


def test_errors_are_counts_of_examples() -> None:
    course = Course(examples=100)
    error = curves(course, Faults(), (0.9, 0.1), default_rng(0))["val_error"]

    assert np.allclose(error * 100, np.round(error * 100))
