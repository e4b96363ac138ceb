"""The normal distribution of CMA-ES and its update (Hansen, 2016, figure 6).

Equation numbers are those of Hansen, "The CMA Evolution Strategy: A Tutorial"
(arXiv 1604.00772, version of 2023). The letters are the tutorial's: `n` dimensions,
`mu` selected points, `c_*` learning rates, `d_sigma` damping, `p_*` evolution paths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...space import Array

_ALPHA_COV = 2.0  # table 1: the numerator of both rates of the covariance
_LEAST_VARIANCE = 1e-30  # of an axis, relative to the largest: rounding makes it < 0


@dataclass(frozen=True, eq=False)
class Rates:
    """What table 1 derives from the dimensions and the population: weights and rates.

    `weights` (population,) are by rank, best first; those of the worse half are
    negative ("active" CMA-ES).
    """

    weights: Array
    mu_eff: float
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    expected_length: float


@lru_cache(maxsize=64)
def rates(n: int, population: int) -> Rates:
    """The default settings of table 1 for `n` dimensions and a population."""
    ranks = np.arange(1, population + 1)
    raw = math.log((population + 1) / 2) - np.log(ranks)  # eq. 49
    mu = population // 2
    mu_eff = raw[:mu].sum() ** 2 / (raw[:mu] ** 2).sum()  # eq. 8
    mu_eff_minus = raw[mu:].sum() ** 2 / (raw[mu:] ** 2).sum()
    c_1 = _ALPHA_COV / ((n + 1.3) ** 2 + mu_eff)  # eq. 57
    gain = 1 / 4 + mu_eff + 1 / mu_eff - 2
    c_mu = min(
        1 - c_1, _ALPHA_COV * gain / ((n + 2) ** 2 + _ALPHA_COV * mu_eff / 2)
    )  # eq. 58
    negative = min(
        1 + c_1 / c_mu,  # eq. 50
        1 + 2 * mu_eff_minus / (mu_eff + 2),  # eq. 51
        max(0.0, 1 - c_1 - c_mu) / (n * c_mu),  # eq. 52
    )
    positive_sum = raw[raw > 0].sum()
    negative_sum = -raw[raw < 0].sum()
    weights = np.where(
        raw >= 0, raw / positive_sum, negative * raw / negative_sum
    )  # eq. 53
    c_sigma = (mu_eff + 2) / (n + mu_eff + 5)  # eq. 55
    excess = max(0.0, math.sqrt((mu_eff - 1) / (n + 1)) - 1)
    return Rates(
        weights=weights,
        mu_eff=mu_eff,
        c_sigma=c_sigma,
        d_sigma=1 + 2 * excess + c_sigma,  # eq. 55
        c_c=(4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n),  # eq. 56
        c_1=c_1,
        c_mu=c_mu,
        expected_length=math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2)),
    )


def default_population(n: int) -> int:
    """The points of one generation in `n` dimensions."""
    return 4 + math.floor(3 * math.log(n))  # eq. 48


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Points are drawn at `mean + sigma * stretch * N(0, covariance)`.

    `stretch` (n,) is 1 but for whole numbers that need a wider step (see margin.py).
    `axes` (n, n) and `lengths` (n,) are the eigenvectors of the covariance and the
    square roots of its eigenvalues.
    """

    mean: Array
    sigma: float
    stretch: Array
    covariance: Array
    axes: Array
    lengths: Array
    p_sigma: Array
    p_c: Array
    generation: int = 0

    @property
    def widths(self) -> Array:
        """The standard deviation in each dimension (n,)."""
        return self.sigma * self.stretch * np.sqrt(np.diag(self.covariance))

    def points(self, z: Array) -> Array:
        """Points (k, n) from standard normal ones (k, n)."""
        y = (z * self.lengths) @ self.axes.T  # eq. 39
        return self.mean + self.sigma * self.stretch * y  # eq. 40

    def steps(self, X: Array) -> Array:
        """The steps y (k, n) that lead from the mean to the points (k, n)."""
        return (X - self.mean) / (self.sigma * self.stretch)

    def whitened(self, Y: Array) -> Array:
        """Steps (k, n) times the inverse square root of the covariance."""
        return (Y @ self.axes / self.lengths) @ self.axes.T


def start(mean: Array, sigma: float, covariance: Array) -> Gaussian:
    """A normal distribution at `mean` with the covariance `sigma**2 * covariance`."""
    n = len(mean)
    variances = np.diag(covariance)
    axes, lengths = np.eye(n), np.sqrt(variances)
    if (covariance != np.diag(variances)).any():
        covariance, axes, lengths = _decomposed(covariance)
    return Gaussian(
        mean=mean,
        sigma=sigma,
        stretch=np.ones(n),
        covariance=covariance,
        axes=axes,
        lengths=lengths,
        p_sigma=np.zeros(n),
        p_c=np.zeros(n),
    )


def updated(before: Gaussian, Y: Array, own: Rates) -> Gaussian:
    """The distribution after a generation of steps Y (population, n), best first."""
    n = len(before.mean)
    mu = len(own.weights) // 2
    step = own.weights[:mu] @ Y[:mu]  # eq. 41
    mean = before.mean + before.sigma * before.stretch * step  # eq. 42, c_m = 1
    push = math.sqrt(own.c_sigma * (2 - own.c_sigma) * own.mu_eff)
    p_sigma = (1 - own.c_sigma) * before.p_sigma + push * before.whitened(
        step
    )  # eq. 43
    length = float(np.linalg.norm(p_sigma)) / own.expected_length
    growth = own.c_sigma / own.d_sigma * (length - 1)  # eq. 44
    generation = before.generation + 1
    faded = math.sqrt(1 - (1 - own.c_sigma) ** (2 * generation))
    h_sigma = float(length < (1.4 + 2 / (n + 1)) * faded)  # below eq. 45
    pull = math.sqrt(own.c_c * (2 - own.c_c) * own.mu_eff)
    p_c = (1 - own.c_c) * before.p_c + h_sigma * pull * step  # eq. 45
    covariance, axes, lengths = _decomposed(_adapted(before, Y, own, p_c, h_sigma))
    return Gaussian(
        mean=mean,
        sigma=before.sigma * math.exp(min(1.0, growth)),
        stretch=before.stretch,
        covariance=covariance,
        axes=axes,
        lengths=lengths,
        p_sigma=p_sigma,
        p_c=p_c,
        generation=generation,
    )


def _adapted(
    before: Gaussian, Y: Array, own: Rates, p_c: Array, h_sigma: float
) -> Array:
    """The covariance (n, n) after a generation."""
    n = len(before.mean)
    squares = (before.whitened(Y) ** 2).sum(axis=1)
    shrunk = n / np.maximum(squares, 1e-8)  # the tutorial's code guards it so, too
    weights = own.weights * np.where(own.weights >= 0, 1.0, shrunk)  # eq. 46
    delta = (1 - h_sigma) * own.c_c * (2 - own.c_c)  # below eq. 47
    kept = 1 + own.c_1 * delta - own.c_1 - own.c_mu * own.weights.sum()
    rank_one = np.outer(p_c, p_c)
    rank_mu = (Y.T * weights) @ Y
    covariance: Array = (
        kept * before.covariance + own.c_1 * rank_one + own.c_mu * rank_mu
    )  # eq. 47
    return covariance


def _decomposed(covariance: Array) -> tuple[Array, Array, Array]:
    """A covariance made symmetric, its eigenvectors, the roots of its eigenvalues."""
    covariance = (covariance + covariance.T) / 2
    values, axes = np.linalg.eigh(covariance)
    least = _LEAST_VARIANCE * values.max(initial=1e-300)
    if values.min(initial=1.0) < least:
        values = np.maximum(values, least)
        covariance = (axes * values) @ axes.T
    return covariance, axes, np.sqrt(values)
