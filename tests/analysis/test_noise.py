from __future__ import annotations

import numpy as np
import pytest

from danlu.analysis.base import Level
from danlu.analysis.luck import best_among, best_of
from danlu.analysis.noise import noise
from danlu.analysis.repeats import trial_noise
from danlu.history import History
from danlu.study import Study
from danlu.trial import Curve, Kind, State, Trial
from tests.analysis.drawn import bowl, drawn, unit

DRAWS = 40


def confirmed(
    seed: int, *, seeds: int, noise: float, weight: float
) -> tuple[Study, History]:
    """Forty trials of a bowl, and the best one again on other seeds."""
    study, history = drawn(
        unit(2),
        bowl({"a": 0.4, "b": 0.6}, a=weight, b=weight),
        count=40,
        seed=seed,
        noise=noise,
    )
    best = history.ranked()[0]
    mean = bowl({"a": 0.4, "b": 0.6}, a=weight, b=weight)(best.params)
    assert mean is not None
    rng = np.random.default_rng(seed + 1000)
    more = [
        Trial(
            100 + k,
            best.params,
            State.COMPLETED,
            Kind.CONFIRM,
            seed=100 + k,
            curves={"loss": Curve.of({1: mean + noise * rng.normal()})},
        )
        for k in range(seeds)
    ]
    return study, History(history.space, history.metric, [*history.trials, *more])


def test_the_noise_is_pooled_over_sets_of_params() -> None:
    def run(number: int, x: float, loss: float) -> Trial:
        curves = {"loss": Curve.of({1: loss})}
        return Trial(number, {"x": x}, State.COMPLETED, seed=number, curves=curves)

    study = Study("s", "Which x?", "loss", unit(1), trials=4)
    losses = [(0.1, 1.0), (0.1, 3.0), (0.2, 2.0), (0.2, 6.0), (0.3, 4.0)]
    trials = [run(number, *own) for number, own in enumerate(losses)]
    trials = [
        Trial(t.number, {"a": t.params["x"]}, t.state, seed=t.seed, curves=t.curves)
        for t in trials
    ]

    found = trial_noise(History(study.search_space, study.objective, trials))

    assert found is not None
    assert (1, 1, (0, 1)) == (found.df, found.sets, found.trials)
    assert found.sd == pytest.approx(2**0.5)


def test_the_interval_holds_the_noise_nine_times_in_ten() -> None:
    held = 0
    for seed in range(200):
        _, history = confirmed(seed, seeds=4, noise=0.1, weight=1.0)
        found = trial_noise(history)
        assert found is not None
        low, high = found.interval
        held += low <= 0.1 <= high

    assert 165 <= held <= 195


def test_params_that_change_less_than_the_seed_are_told() -> None:
    warned = sum(
        noise(*confirmed(seed, seeds=10, noise=0.1, weight=0.0))[0].level
        is Level.WARNING
        for seed in range(DRAWS)
    )

    assert warned >= 0.85 * DRAWS


def test_params_that_change_more_than_the_seed_alarm_rarely() -> None:
    warned = sum(
        noise(*confirmed(seed, seeds=5, noise=0.08, weight=1.0))[0].level
        is Level.WARNING
        for seed in range(DRAWS)
    )

    assert warned <= 0.05 * DRAWS


def test_without_repeats_the_missing_seeds_are_told() -> None:
    (finding,) = noise(*drawn(unit(1), bowl({"a": 0.5}), count=10, seed=0))

    assert (Level.UNKNOWN, 5) == (finding.level, finding.evidence["missing"])


def test_the_same_run_twice_is_no_repeat() -> None:
    _, history = drawn(unit(1), bowl({"a": 0.5}), count=1, seed=0)
    twice = History(history.space, history.metric, [history.trials[0]] * 2)

    assert None is trial_noise(twice)


def test_the_best_of_all_drawn_without_replacement_is_the_best() -> None:
    losses = np.array([3.0, 1.0, 2.0])

    assert (1.0, 0.0) == (best_among(losses, 3).mean, best_among(losses, 3).sd)


def test_the_best_of_two_has_the_weights_of_all_pairs() -> None:
    weights = best_of([1.0, 2.0, 3.0], 2).weights

    assert [5 / 9, 3 / 9, 1 / 9] == pytest.approx(weights.tolist())


def test_the_search_trial_that_was_chosen_is_left_out() -> None:
    _, history = confirmed(0, seeds=3, noise=0.1, weight=1.0)

    found = trial_noise(history)

    assert found is not None
    assert (2, (100, 101, 102)) == (found.df, found.trials)
