"""Hyperparameters of the Gaussian process: the most probable ones, by their slopes.

The marginal likelihood is eq. 5.8 of Rasmussen & Williams (2006) with the derivatives
of eq. 5.9. The priors are those of Optuna 5 (its `optuna._gp.prior`): a lengthscale
hardly leaves 1/4 to 4 sides of the cube unless the losses ask for it, the signal is
Gamma(2, 1), the noise Gamma(1.1, 30).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...space import Array
from .evidence import Evidence
from .kernel import correlation, matern_with_slope, summed
from .process import Hyper, Process, Trend, trend_mean

LENGTH_WEIGHT = 0.1  # of l^2 + 1 / l^2 in the negative log prior of a lengthscale l
SIGNAL_SHAPE, SIGNAL_RATE = 2.0, 1.0  # values are standardized
NOISE_SHAPE, NOISE_RATE = 1.1, 30.0  # of the noise's variance
ROUGHER = 0.25  # lengthscale of the second start, where the prior begins to resist
LENGTHS = (5e-3, 1e3)
SIGNALS = (1e-2, 1e2)
NOISES = (1e-6, 10.0)
MOST_TURNS = 40  # of L-BFGS; more change the fit by less than its noise


def posterior(
    evidence: Evidence, hyper: Hyper, level: float = 0.0, *, trend: Trend = ()
) -> Process:
    """The process after the evidence; before it, the mean was `level` and `trend`."""
    from scipy.linalg import cho_factor, cho_solve

    scales = hyper.lengthscales[evidence.layout.owners]
    scaled, compared = evidence.points / scales, evidence.layout.compared
    covariance = hyper.signal * correlation(scaled, scaled, compared)
    covariance[np.diag_indices_from(covariance)] = (
        hyper.signal + hyper.noise / evidence.counts
    )
    factor = cho_factor(covariance, lower=True)
    inverse = cho_solve(factor, np.eye(len(covariance)))
    expected = level + trend_mean(trend, evidence.points)
    weights = inverse @ (evidence.values - expected)
    return Process(
        evidence.points, scales, compared, hyper.signal, weights, inverse, level, trend
    )


def most_probable(evidence: Evidence) -> Hyper:
    """The hyperparameters of the highest posterior density, from two starts."""
    from scipy.optimize import minimize

    objective = Objective(evidence, evidence.apart())
    best, least = objective.starts()[0], math.inf
    if not len(evidence.values):
        return hyper_of(best)
    for start in objective.starts():
        found = minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=objective.bounds(),
            options={"maxiter": MOST_TURNS, "ftol": 1e-6, "gtol": 1e-3},
        )
        if found.fun < least:
            best, least = found.x, found.fun
    return hyper_of(best)


@dataclass(frozen=True, eq=False)
class Objective:
    """The negative log posterior of the logarithms of (lengthscales, signal, noise)."""

    evidence: Evidence
    apart: Array

    @cached_property
    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The first and the second point of each pair, as in `apart`."""
        first, second = np.triu_indices(len(self.evidence.values), 1)
        return first, second

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """Where each pair lies in a matrix whose columns follow each other."""
        first, second = self.pairs
        return second * len(self.evidence.values) + first

    def __call__(self, logs: Array) -> tuple[float, Array]:
        """The value and its slopes (p + 2,)."""
        value, slopes = self.misfit(hyper_of(logs))
        prior, bends = log_prior(logs)
        return value - prior, slopes - bends

    def starts(self) -> list[Array]:
        """Where the search begins: the prior's mode, and rougher functions."""
        ends = [
            math.log((SIGNAL_SHAPE - 1) / SIGNAL_RATE),
            math.log((NOISE_SHAPE - 1) / NOISE_RATE),
        ]
        lengths = (0.0, math.log(ROUGHER))
        return [
            np.array([length] * self.evidence.layout.axes + ends) for length in lengths
        ]

    def bounds(self) -> list[tuple[float, float]]:
        """Between which logarithms the search stays."""
        logs = [tuple(np.log(pair)) for pair in (LENGTHS, SIGNALS, NOISES)]
        return [logs[0]] * self.evidence.layout.axes + logs[1:]

    def misfit(self, hyper: Hyper) -> tuple[float, Array]:
        """The negative log marginal likelihood and its slopes, eq. 5.8 and 5.9."""
        from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

        counts, values = self.evidence.counts, self.evidence.values
        count = len(values)
        weights = hyper.lengthscales**-2.0
        addends = [
            (
                share * hyper.signal,
                axes,
                *matern_with_slope(np.where(axes, weights, 0.0) @ self.apart),
            )
            for share, axes in self.evidence.layout.addends
        ]
        shared = summed([(variance, own) for variance, _, own, _ in addends])
        covariance = np.zeros(count * count)
        covariance[self.places] = shared
        covariance[:: count + 1] = hyper.signal + hyper.noise / counts
        factor, fault = dpotrf(covariance.reshape(count, count, order="F"), clean=1)
        if fault:
            return 1e10, np.zeros(self.evidence.layout.axes + 2)
        inverse = dpotri(factor)[0]  # its upper triangle
        solved = dpotrs(factor, values)[0]
        value = 0.5 * values @ solved + np.log(np.diag(factor)).sum()
        # eq. 5.9 with A = a a^T - K^-1; each pair stands twice in the trace
        first, second = self.pairs
        rest_pairs = solved.take(first) * solved.take(second)
        rest_pairs -= inverse.ravel(order="F").take(self.places)
        rest_own = solved * solved - np.diag(inverse)
        lengths = np.zeros_like(weights)
        for variance, axes, _, slopes in addends:
            steep = rest_pairs * slopes * variance
            lengths -= np.where(axes, 2.0 * weights * (self.apart @ steep), 0.0)
        noise = 0.5 * hyper.noise * float(rest_own @ (1.0 / counts))
        total = 0.5 * rest_own.sum() * hyper.signal
        signal = total + float(rest_pairs @ shared)
        return float(value), -np.concatenate((lengths, [signal, noise]))


def log_prior(logs: Array) -> tuple[float, Array]:
    """The log prior density, less a constant, and its slopes along the logarithms."""
    squares, (signal, noise) = np.exp(2 * logs[:-2]), np.exp(logs[-2:])
    lengths = -LENGTH_WEIGHT * float((squares + 1 / squares).sum())
    ends = (
        (SIGNAL_SHAPE - 1) * logs[-2]
        - SIGNAL_RATE * signal
        + (NOISE_SHAPE - 1) * logs[-1]
        - NOISE_RATE * noise
    )
    bends = (
        SIGNAL_SHAPE - 1 - SIGNAL_RATE * signal,
        NOISE_SHAPE - 1 - NOISE_RATE * noise,
    )
    slopes = np.concatenate((-2 * LENGTH_WEIGHT * (squares - 1 / squares), bends))
    return lengths + float(ends), slopes


def hyper_of(logs: Array) -> Hyper:
    """The hyperparameters with these logarithms (lengthscales, signal, noise)."""
    values = np.exp(logs)
    return Hyper(values[:-2], float(values[-2]), float(values[-1]))
