from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from danlu.samplers.gp.evidence import SAME, Evidence, merged, telling
from danlu.samplers.gp.fit import (
    Objective,
    log_prior,
    most_probable,
    posterior,
)
from danlu.samplers.gp.kernel import SHARE, Layout
from danlu.samplers.gp.process import Hyper
from danlu.space import Array

ONE_EACH = Layout(np.arange(3), np.zeros(3, bool))
BRANCHED = Layout(np.arange(3), np.array([False, True, False]))
both = pytest.mark.parametrize(
    "layout", [ONE_EACH, BRANCHED], ids=["plain", "branched"]
)


def evidence(count: int = 12, seed: int = 0, layout: Layout = ONE_EACH) -> Evidence:
    """Values of a smooth function at points of three axes, seen 1 to 3 times."""
    rng = np.random.default_rng(seed)
    points = rng.random((count, 3))
    values = np.sin(3 * points[:, 0]) + points[:, 1] ** 2
    return Evidence(points, values, rng.integers(1, 4, count).astype(float), layout)


def direct_kernel(
    left: Array, right: Array, hyper: Hyper, layout: Layout = ONE_EACH
) -> Array:
    """Matern 5/2, written out pair by pair (Rasmussen & Williams, 2006, eq. 4.17)."""
    table = np.empty((len(left), len(right)))
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            squares = ((a - b) / hyper.lengthscales) ** 2
            every, shared = direct_matern(squares), direct_matern(squares[[0, 2]])
            mixed = SHARE * every + (1 - SHARE) * shared
            table[i, j] = hyper.signal * (every if layout is ONE_EACH else mixed)
    return table


def direct_matern(squares: Array) -> float:
    s = math.sqrt(5 * sum(squares))
    return (1 + s + s**2 / 3) * math.exp(-s)


HYPER = Hyper(np.array([0.3, 0.7, 2.0]), 1.3, 0.05)


@both
def test_the_posterior_is_the_one_of_the_book(layout: Layout) -> None:
    seen, at = evidence(layout=layout), np.random.default_rng(1).random((5, 3))
    noisy = direct_kernel(seen.points, seen.points, HYPER, layout)
    noisy += np.diag(HYPER.noise / seen.counts)
    across = direct_kernel(at, seen.points, HYPER, layout)
    mean = across @ np.linalg.solve(noisy, seen.values)
    explained = np.diag(across @ np.linalg.solve(noisy, across.T))

    got_mean, got_std = posterior(seen, HYPER).predict(at)

    assert_allclose(got_mean, mean, rtol=1e-9)
    assert_allclose(got_std, np.sqrt(HYPER.signal - explained), rtol=1e-9)


@both
def test_the_likelihood_is_that_of_the_normal_distribution(layout: Layout) -> None:
    from scipy.stats import multivariate_normal

    seen = evidence(layout=layout)
    noisy = direct_kernel(seen.points, seen.points, HYPER, layout)
    noisy += np.diag(HYPER.noise / seen.counts)
    objective = Objective(seen, seen.apart())
    constant = len(seen.values) / 2 * math.log(2 * math.pi)

    got = objective.misfit(HYPER)[0] + constant

    assert_allclose(got, -multivariate_normal(cov=noisy).logpdf(seen.values))


@both
@pytest.mark.parametrize("seed", range(4))
def test_slopes_of_the_objective_are_its_differences(seed: int, layout: Layout) -> None:
    seen = evidence(seed=seed, layout=layout)
    objective = Objective(seen, seen.apart())
    logs = np.random.default_rng(seed).normal(-0.5, 0.7, 5)

    slopes = objective(logs)[1]

    for place, step in enumerate(1e-5 * np.eye(5)):
        rise = objective(logs + step)[0] - objective(logs - step)[0]
        assert_allclose(slopes[place], rise / 2e-5, rtol=1e-5, atol=1e-7)


@both
@pytest.mark.parametrize("seed", range(3))
def test_slopes_of_a_prediction_are_its_differences(seed: int, layout: Layout) -> None:
    process = posterior(evidence(seed=seed, layout=layout), HYPER)
    at = np.random.default_rng(seed).random((4, 3))

    mean, std, of_mean, of_std = process.predict_with_slopes(at)

    assert_allclose((mean, std), process.predict(at))
    for place, step in enumerate(1e-5 * np.eye(3)):
        above, below = process.predict(at + step), process.predict(at - step)
        assert_allclose(of_mean[:, place], (above[0] - below[0]) / 2e-5, atol=1e-6)
        assert_allclose(of_std[:, place], (above[1] - below[1]) / 2e-5, atol=1e-6)


def test_values_without_noise_are_met() -> None:
    seen = evidence(count=20)

    process = posterior(seen, most_probable(seen))

    assert_allclose(process.mean(seen.points), seen.values, atol=0.02)


def test_the_fit_is_more_probable_than_where_it_began() -> None:
    seen = evidence(count=20)
    objective = Objective(seen, seen.apart())
    found = most_probable(seen)
    logs = np.log([*found.lengthscales, found.signal, found.noise])

    starts = [objective(start)[0] for start in objective.starts()]

    assert objective(logs)[0] < min(starts) - 1


def test_an_axis_that_does_nothing_gets_the_longest_lengthscale() -> None:
    lengths = most_probable(evidence(count=30)).lengthscales

    assert 2 == int(np.argmax(lengths))


def test_the_prior_is_highest_where_the_search_begins() -> None:
    seen = evidence()
    begin = Objective(seen, seen.apart()).starts()[0]

    highest, slopes = log_prior(begin)

    assert_allclose(slopes, 0.0, atol=1e-12)
    for step in 0.3 * np.eye(len(begin)):
        assert log_prior(begin + step)[0] < highest
        assert log_prior(begin - step)[0] < highest


def test_equal_points_are_one_with_the_mean_of_their_values() -> None:
    points = np.array([[0.1, 0.2], [0.3, 0.4], [0.1, 0.2 + SAME / 10]])

    got = merged(points, np.array([1.0, 5.0, 3.0]), ONE_EACH)

    assert [[0.1, 0.2], [0.3, 0.4]] == got.points.tolist()
    assert [2.0, 5.0] == got.values.tolist()
    assert [2.0, 1.0] == got.counts.tolist()


def test_of_many_points_the_best_and_those_near_to_them_are_kept() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((1000, 3))
    values = ((points - 0.5) ** 2).sum(1)
    many = Evidence(points, values, np.ones(1000), ONE_EACH)

    rows = telling(many, 60)

    assert 60 == len(rows)
    assert set(np.argsort(values)[:20]) <= set(rows)
    assert values[rows].max() == values.max()


def test_few_points_are_all_kept() -> None:
    assert list(range(12)) == telling(evidence(), 12).tolist()
