from __future__ import annotations

import math
from decimal import Decimal, getcontext

import numpy as np
import pytest
from numpy.testing import assert_allclose

from danlu.samplers.gp.acquisition import (
    below_slopes,
    improvement_slopes,
    log_below,
    log_expected_improvement,
    log_h,
)


def exact_log_h(z: float) -> float:
    """log(phi(z) + z Phi(z)) by the series of Phi, with 250 digits."""
    getcontext().prec = 250
    x = Decimal(z)
    pi = Decimal(
        "3.14159265358979323846264338327950288419716939937510582097494459230781640628620"
        "8998628034825342117067982148086513282306647093844609550582231725359408128481117"
    )
    density = (-x * x / 2).exp() / (2 * pi).sqrt()
    term, total, k = x, x, 0
    while abs(term) > Decimal(10) ** -240:  # Phi = 1/2 + phi (x + x^3/3 + x^5/15 ...)
        k += 1
        term *= x * x / (2 * k + 1)
        total += term
    below = Decimal("0.5") + density * total
    return float((density + x * below).ln())


@pytest.mark.parametrize("z", [-12.0, -5.0, -2.0, -1.0001, -0.9999, 0.0, 1.0, 6.0])
def test_log_h_is_exact(z: float) -> None:
    got = log_h(np.array([z]))[0]

    assert_allclose(got, exact_log_h(z), rtol=1e-11, atol=1e-14)


def test_the_far_tail_follows_its_limit() -> None:
    z = -np.logspace(2, 12, 60)
    limit = -(z**2) / 2 - math.log(2 * math.pi) / 2 - 2 * np.log(-z)

    assert_allclose(log_h(z), limit, rtol=1e-7)


def test_it_rises_everywhere() -> None:
    z = np.concatenate((-np.logspace(14, -3, 4000), np.linspace(0, 30, 200)))

    assert (np.diff(log_h(z)) > 0).all()


def test_it_is_the_mean_of_the_improvement() -> None:
    values = np.random.default_rng(0).normal(0.7, 0.5, 2_000_000)
    mean = np.maximum(0.3 - values, 0).mean()

    got = log_expected_improvement(np.array([0.7]), np.array([0.5]), 0.3)

    assert_allclose(np.exp(got), mean, rtol=0.01)


@pytest.mark.parametrize("mean", [-2.0, 0.0, 1.0, 30.0])
def test_slopes_are_differences(mean: float) -> None:
    at, std, step = np.array([mean]), np.array([0.4]), 1e-6

    by_mean, by_std = improvement_slopes(at, std, 0.1)
    below_by_mean, below_by_std = below_slopes(at, std)

    def rise(of: object) -> list[float]:
        pairs = [(step, 0.0), (0.0, step)]
        return [
            float((of(at + a, std + b) - of(at - a, std - b))[0] / (2 * step))  # type: ignore[operator]
            for a, b in pairs
        ]

    improvement = rise(lambda m, s: log_expected_improvement(m, s, 0.1))
    assert_allclose([by_mean[0], by_std[0]], improvement, rtol=1e-5, atol=1e-8)
    assert_allclose(
        [below_by_mean[0], below_by_std[0]], rise(log_below), rtol=1e-5, atol=1e-8
    )


def test_a_constraint_that_may_go_either_way_is_kept_half_of_the_time() -> None:
    assert_allclose(np.exp(log_below(np.zeros(1), np.ones(1))), 0.5)
