from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from danlu.analysis.base import Level
from danlu.analysis.coverage import coverage, unevenness
from danlu.history import History
from danlu.space import SearchSpace
from danlu.trial import Curve, State, Trial
from tests.analysis.drawn import bowl, drawn, unit

DRAWS = 20


def warned(count: int, trials: int, **changes: object) -> int:
    own = []
    for seed in range(DRAWS):
        places = np.random.default_rng(seed).uniform(0.2, 0.8, count).tolist()
        optimum = dict(zip(unit(count), places, strict=True))
        surface = bowl(optimum)
        own.append(drawn(unit(count), surface, count=trials, seed=seed, noise=0.02))
    return sum(coverage(*study)[0].level is Level.WARNING for study in own)


@pytest.mark.parametrize("count", [4, 6, 8])
def test_two_trials_per_dimension_are_found_too_few(count: int) -> None:
    assert warned(count, 2 * count) >= 0.9 * DRAWS


@pytest.mark.parametrize("count", [2, 4, 6])
def test_ten_trials_per_dimension_alarm_rarely(count: int) -> None:
    assert warned(count, 10 * count) <= 0.05 * DRAWS


def test_twice_as_many_trials_are_proposed() -> None:
    (finding,) = coverage(
        *drawn(unit(8), bowl(dict.fromkeys(unit(8), 0.4)), count=10, seed=0)
    )

    assert {"trials": 20} == finding.evidence["change"]


def test_a_gain_below_the_noise_is_not_worth_more_trials() -> None:
    study, history = drawn(unit(8), bowl(dict.fromkeys(unit(8), 0.4)), count=10, seed=0)
    again = [
        Trial(
            100 + k,
            history.ranked()[0].params,
            State.COMPLETED,
            seed=100 + k,
            curves={"loss": Curve.of({1: 5.0 * k})},
        )
        for k in range(3)
    ]
    more = History(history.space, history.metric, [*history.trials, *again])

    assert Level.OK == coverage(study, more)[0].level


def test_of_an_adaptive_sampler_the_second_half_counts() -> None:
    study, _ = drawn(
        unit(1), bowl({"a": 0.5}), count=1, seed=0, sampler="tpe", trials=20
    )

    def run(last: float) -> Level:
        losses = [*np.linspace(2, 1, 10), *np.linspace(1, last, 10)]
        trials = [
            Trial(
                k, {"a": k / 20}, State.COMPLETED, curves={"loss": Curve.of({1: own})}
            )
            for k, own in enumerate(losses)
        ]
        return coverage(study, History(study.search_space, study.objective, trials))[
            0
        ].level

    assert (Level.WARNING, Level.OK) == (run(0.0), run(1.0))


def test_the_unevenness_is_the_centered_discrepancy() -> None:
    points = np.random.default_rng(0).random((60, 3))
    dimensions = SearchSpace(unit(3)).dimensions

    expected = ((5 / 4) ** 3 - (13 / 12) ** 3) / 60
    found = unevenness(dimensions, points)

    assert found == pytest.approx(qmc.discrepancy(points) / expected)


def test_gaps_are_told() -> None:
    study, history = drawn(unit(2), bowl({"a": 0.2, "b": 0.2}), count=200, seed=0)
    places = [tuple(map(float, own.params.values())) for own in history.trials]  # type: ignore[arg-type]
    corner = [
        own for own, at in zip(history.trials, places, strict=True) if max(at) < 0.4
    ]

    own = coverage(study, History(history.space, history.metric, corner))

    assert "gaps" in own[1].message
