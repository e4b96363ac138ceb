from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from danlu.analysis.gain import (
    Posterior,
    paired_gain,
    seeds_needed,
    unpaired_gain,
    with_more_seeds,
)

BASELINE = np.array([1.5, 1.8, 1.5, 1.9, 1.6])
LOSSES = np.array([1.2, 1.1, 1.3, 1.4, 1.0])


def interval(known: Posterior) -> tuple[float, float]:
    return known.quantile(0.05), known.quantile(0.95)


def test_one_candidate_has_students_interval_of_the_pairs() -> None:
    gains = BASELINE - LOSSES
    reach = stats.t.ppf(0.95, 4) * stats.sem(gains)

    low, high = interval(paired_gain(LOSSES[None], BASELINE, 0))

    assert low == pytest.approx(gains.mean() - reach, rel=1e-6)
    assert high == pytest.approx(gains.mean() + reach, rel=1e-6)


def test_unpaired_runs_have_welchs_interval() -> None:
    expected = stats.ttest_ind(BASELINE[:4], LOSSES, equal_var=False)
    low, high = expected.confidence_interval(0.9)

    known = unpaired_gain([LOSSES], BASELINE[:4], 0)

    assert interval(known) == pytest.approx((low, high), rel=1e-6)
    one_sided = stats.ttest_ind(
        BASELINE[:4], LOSSES, equal_var=False, alternative="greater"
    )
    assert known.below(0.0) == pytest.approx(one_sided.pvalue, rel=1e-6)


def test_what_the_seed_does_to_both_does_not_count() -> None:
    seed = np.array([0.0, 5.0, -3.0, 8.0, 1.0])

    apart = interval(paired_gain(LOSSES[None], BASELINE, 0))
    together = interval(paired_gain((LOSSES + seed)[None], BASELINE + seed, 0))

    assert apart == pytest.approx(together, rel=1e-6)


def test_the_best_of_equals_is_drawn_to_their_average() -> None:
    rng = np.random.default_rng(3)
    losses = rng.normal(1.0, 0.1, (5, 6))
    best = int(losses.mean(axis=1).argmin())
    observed = 2.0 - losses[best].mean()

    known = paired_gain(losses, np.full(6, 2.0), best)

    average = 2.0 - losses.mean()
    assert average < known.quantile(0.5) < observed


def test_candidates_that_lie_far_apart_are_left_where_they_are() -> None:
    rng = np.random.default_rng(3)
    losses = np.array([[1.0], [20.0], [40.0]]) + rng.normal(0, 0.1, (3, 10))
    baseline = 50.0 + rng.normal(0, 0.1, 10)

    known = paired_gain(losses, baseline, 0)

    assert known.quantile(0.5) == pytest.approx(49.0, abs=0.1)


def test_runs_that_are_equal_to_the_last_digit_are_certain() -> None:
    known = paired_gain(np.full((2, 3), 0.5), np.full(3, 0.75), 0)

    assert known.above(0.0) == pytest.approx(1.0)
    assert interval(known) == pytest.approx((0.25, 0.25), abs=1e-6)


def test_more_seeds_of_one_candidate_narrow_its_interval() -> None:
    known = paired_gain(LOSSES[None], BASELINE, 0)
    gains = BASELINE - LOSSES

    more = with_more_seeds(known, gains[::-1].copy(), gains)

    low, high = interval(more)
    before = interval(known)
    assert high - low < before[1] - before[0]
    assert more.quantile(0.5) == pytest.approx(gains.mean(), abs=1e-6)


def test_the_seeds_that_are_said_to_be_needed_have_that_power() -> None:
    seeds = seeds_needed(gain=1.0, spread=1.5, certainty=0.97, most=50)
    assert seeds is not None
    found = [
        stats.nct.sf(stats.t.ppf(0.97, n - 1), n - 1, np.sqrt(n) / 1.5)
        for n in (seeds - 2, seeds)
    ]

    assert found[0] < 0.8 < found[1] + 0.02
    assert seeds_needed(gain=0.01, spread=1.5, certainty=0.97, most=50) is None
    assert seeds_needed(gain=-1.0, spread=1.5, certainty=0.97, most=50) is None
