"""Forecasts of learning curves: how true their intervals are, and their limits."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator

from danlu.history import History
from danlu.metric import Metric
from danlu.schedulers.curves import Curves, curves
from danlu.schedulers.families import families, grid
from danlu.space import Array
from danlu.trial import Curve, Trial
from tests.schedulers.one_slot import SPACE

FULL = 50
STEPS = grid(FULL, 1)
T = np.arange(1.0, FULL + 1.0)


def power_law(rng: Generator) -> Array:
    decay = T ** -rng.uniform(0.3, 1.5)
    return np.asarray(rng.uniform(0.1, 0.5) + rng.uniform(0.2, 1.0) * decay)


def exponential(rng: Generator) -> Array:
    decay = np.exp(-T / FULL * rng.uniform(2.0, 20.0))
    return np.asarray(rng.uniform(0.1, 0.5) + rng.uniform(0.2, 1.0) * decay)


def either(rng: Generator) -> Array:
    return (power_law, exponential)[rng.integers(2)](rng)


def noisy(rng: Generator) -> Array:
    return np.asarray(power_law(rng) + 0.02 * rng.standard_normal(FULL))


def crossing(rng: Generator) -> Array:
    """Who is slow ends lowest."""
    speed = rng.uniform(0.0, 1.0)
    return np.asarray(0.1 + 0.4 * speed + (1.2 - speed) * T ** -(0.3 + 1.2 * speed))


def trained(losses: Array, counts: list[int], at: str, unit: float = 1.0) -> History:
    """Trials that were trained to that many steps of the grid."""
    trials = []
    for number, count in enumerate(counts):
        last = STEPS[count - 1]
        curve = Curve(np.arange(1, last + 1), unit * losses[number, :last])
        trials.append(Trial(number, {"x": 0.5}, curves={"loss": curve}))
    metric = Metric("loss", at="last" if at == "last" else "best")
    return History(SPACE, metric, trials, max_steps=FULL)


def thinned(ends: Array) -> list[int]:
    """How far each trial comes where a quarter is left behind at each step."""
    counts, alive = np.ones(len(ends), int), np.arange(len(ends))
    for place in range(1, len(STEPS)):
        ranked = alive[np.argsort(ends[alive, STEPS[place - 1] - 1])]
        alive = ranked[: max(1, math.ceil(0.75 * len(alive)))]
        counts[alive] = place + 1
    return counts.tolist()


def share_inside(
    family: Callable[[Generator], Array], at: str, *, trials: int, studies: int
) -> float:
    """How many of the curves that were cut short end inside their 90 % interval."""
    inside = []
    for study in range(studies):
        rng = np.random.default_rng(study)
        losses = np.array([family(rng) for _ in range(trials)])
        shown = np.minimum.accumulate(losses, axis=1) if at == "best" else losses
        counts = thinned(shown)
        seen = curves(trained(losses, counts, at), STEPS)
        assert seen is not None
        (cut,) = np.nonzero(seen.counts < len(STEPS))
        forecast = seen.forecast(cut)
        ends = seen.scale.scaled(shown[cut, -1])
        low, high = forecast.quantile(0.05), forecast.quantile(0.95)
        inside += ((low <= ends) & (ends <= high)).tolist()
    return float(np.mean(inside))


@pytest.mark.parametrize("at", ["best", "last"])
@pytest.mark.parametrize("family", [power_law, exponential, either, noisy])
def test_intervals_of_90_percent_hold_what_they_say(
    family: Callable[[Generator], Array], at: str
) -> None:
    share = share_inside(family, at, trials=60, studies=3)

    assert 0.85 <= share <= 0.98


def test_curves_that_cross_are_inside_their_intervals() -> None:
    assert share_inside(crossing, "last", trials=60, studies=3) >= 0.85


def seen_of(losses: Array, counts: list[int], unit: float = 1.0) -> Curves:
    found = curves(trained(losses, counts, "best", unit), STEPS)
    assert found is not None
    return found


@pytest.mark.parametrize("unit", [1e-9, 1e12])
def test_the_unit_of_the_loss_does_not_matter(unit: float) -> None:
    rng = np.random.default_rng(0)
    losses = np.array([power_law(rng) for _ in range(12)])
    counts = [3, 4, 5, 6, 7, 8] * 2
    places = np.arange(12)

    one = seen_of(losses, counts).forecast(places).below(0.0)
    other = seen_of(losses, counts, unit).forecast(places).below(0.0)

    assert np.allclose(one, other, atol=1e-6)


def test_a_curve_that_is_known_to_its_end_has_nothing_left_to_fall() -> None:
    rng = np.random.default_rng(0)
    losses = np.array([power_law(rng) for _ in range(6)])
    seen = seen_of(losses, [len(STEPS)] * 6)

    forecast = seen.forecast(np.arange(6))

    assert np.allclose(forecast.quantile(0.5), seen.last, atol=1e-6)
    assert np.allclose(forecast.improvement(-1.0), 0.0)


def test_a_trial_left_at_a_huge_loss_does_not_blur_the_others() -> None:
    rng = np.random.default_rng(0)
    losses = np.array([power_law(rng) for _ in range(12)])
    losses[0] *= 1e250
    seen = seen_of(losses, [6] * 12)

    low = seen.forecast(np.arange(12)).below(1.0)

    assert low[0] < 0.01
    assert low[1:].max() > 0.5


def test_equal_losses_say_nothing() -> None:
    assert curves(trained(np.ones((4, FULL)), [5] * 4, "best"), STEPS) is None
    assert curves(History(SPACE, Metric("loss"), []), STEPS) is None


def test_curves_that_begin_late_are_read_from_there() -> None:
    every_tenth = {step: 1.0 + 1.0 / step for step in range(10, 41, 10)}
    trials = [
        Trial(number, {"x": 0.5}, curves={"loss": Curve.of(own)})
        for number in range(6)
        for own in [{step: number + loss for step, loss in every_tenth.items()}]
    ]
    seen = curves(History(SPACE, Metric("loss"), trials, max_steps=FULL), STEPS)

    assert seen is not None
    assert seen.steps[0] >= 10
    assert np.allclose(seen.scale.losses(seen.last), np.arange(6) + 1 + 1 / 30)


def test_forecasts_are_those_of_the_normal_distribution_worked_out_in_full() -> None:
    # one family alone, conditioned on the first falls by the textbook formula
    own, known = families(STEPS), 4
    count = len(STEPS) - 1
    inverses = own.whitening.reshape(count, len(own), count).transpose(1, 2, 0)
    factor = np.linalg.inv(inverses[17])
    mean, covariance = factor @ own.centers[17], factor @ factor.T
    falls = np.linspace(0.3, 0.01, known)

    gain = covariance[known:, :known] @ np.linalg.inv(covariance[:known, :known])
    rest = mean[known:] + gain @ (falls - mean[:known])
    spread = covariance[known:, known:] - gain @ covariance[:known, known:]

    z = inverses[17, :known, :known] @ falls - own.centers[17, :known]
    found = own.rest_means[17, known] + own.rest_factors[17, known, :known] @ z
    assert found == pytest.approx(rest.sum())
    assert own.rest_sds[17, known] == pytest.approx(math.sqrt(spread.sum()))


@pytest.mark.parametrize("full", [1, 2, 9, 52, 100, 10**6])
def test_a_grid_rises_to_the_full_length(full: int) -> None:
    steps = grid(full, 1)

    assert sorted(set(steps)) == list(steps)
    assert (steps[0], steps[-1]) == (1, full)
    assert len(steps) <= 15
