"""The logarithm of expected improvement, exact where the improvement is tiny.

Ament, Daulton, Eriksson, Balandat & Bakshy (2023), "Unexpected improvements to expected
improvement for Bayesian optimization". Far from the best point expected improvement is
0 in floating point, and so are its slopes; its logarithm still tells up from down.
"""

from __future__ import annotations

import math

import numpy as np

from ...space import Array

_HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)
_FAR = -(np.finfo(np.float64).eps ** -0.25)  # the limit's error is below rounding's


def log_h(z: Array) -> Array:
    """log(phi(z) + z Phi(z)), eq. 9 of Ament et al. (2023)."""
    from scipy.special import ndtr

    near = z > -1.0
    inside = np.where(near, z, 0.0)
    direct = np.exp(-0.5 * inside**2 - _HALF_LOG_2_PI) + inside * ndtr(inside)
    tail = -0.5 * z**2 - _HALF_LOG_2_PI + np.log(_tail(np.where(near, -1.0, z))[1])
    result: Array = np.where(near, np.log(direct), tail)
    return result


def _tail(z: Array) -> tuple[Array, Array]:
    """Phi(z) / phi(z) and h(z) / phi(z) for z <= -1, where both do not underflow."""
    from scipy.special import erfcx

    ratio = math.sqrt(0.5 * math.pi) * erfcx(-z / math.sqrt(2.0))
    far = z < _FAR
    return ratio, np.where(far, 1.0 / z**2, 1.0 + np.where(far, 0.0, z * ratio))


def log_expected_improvement(mean: Array, std: Array, best: float) -> Array:
    """log E[max(best - f, 0)] for f normal with that mean and std."""
    result: Array = log_h((best - mean) / std) + np.log(std)
    return result


def improvement_slopes(mean: Array, std: Array, best: float) -> tuple[Array, Array]:
    """Derivatives of `log_expected_improvement` by the mean and by the std."""
    from scipy.special import ndtr

    z = (best - mean) / std
    near = z > -1.0
    inside = np.where(near, z, 0.0)
    density, below = np.exp(-0.5 * inside**2 - _HALF_LOG_2_PI), ndtr(inside)
    direct = density + inside * below
    ratio, tail = _tail(np.where(near, -1.0, z))
    by_mean = np.where(near, below / direct, ratio / tail)
    by_std = np.where(near, density / direct, 1.0 / tail)
    return -by_mean / std, by_std / std


def log_below(mean: Array, std: Array) -> Array:
    """log P(f <= 0): how probable it is that a constraint is kept."""
    from scipy.special import log_ndtr

    result: Array = log_ndtr(-mean / std)
    return result


def below_slopes(mean: Array, std: Array) -> tuple[Array, Array]:
    """Derivatives of `log_below` by the mean and by the std."""
    z = -mean / std
    ratio = np.exp(-0.5 * z**2 - _HALF_LOG_2_PI - log_below(mean, std))
    return -ratio / std, -ratio * z / std
