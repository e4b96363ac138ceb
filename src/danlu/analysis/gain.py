"""By how much the best of several confirmed candidates beats the baseline.

The candidates were trained on fresh seeds, so the luck of the search is gone. Choosing
the best of them on these same seeds is lucky once more. What is known of its gain is
therefore put together from two parts that are independent of each other:

* the gain of the candidates' average, seed by seed, which no choice has touched: a
  t distribution with one degree of freedom less than there are seeds (Student, 1908);
* the difference of the chosen one from that average, drawn toward 0 by as much as the
  spread between candidates can be explained by seeds. Candidates are normal around a
  common mean, with a uniform prior on the share of the drawing (Daniels, 1999, "A prior
  for the variance in hierarchical models"); given the data, what follows about the best
  one is right however it was chosen (Dawid, 1994, "Selection paradoxes of Bayesian
  inference").

Assumed: losses of one candidate over seeds are alike and not heavily skewed. The first
part allows each candidate a variance of its own, the second takes them as equal.
`benchmarks/calibration.py` measures what becomes of the 90 % where this is not so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Array = NDArray[np.float64]

# Shares of the drawing toward the average, 0 to 1: the fifth powers of even steps, so
# that candidates far apart, which are hardly drawn at all, have shares that fit them.
_ROOTS = (np.arange(128) + 0.5) / 128
_SHARES = _ROOTS**5
_WIDTHS = 5 * _ROOTS**4  # of the stretch that a share stands for
_HALVINGS = 60  # of the bracket around a quantile: below the rounding of a number


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is known of a number: a mixture of t distributions, each array (m,).

    >>> known = Posterior.of(1.0, variance=0.04, degrees=9.0)
    >>> round(known.quantile(0.5), 3), round(known.above(0.0), 3)
    (1.0, 1.0)
    """

    centers: Array
    variances: Array
    degrees: Array
    weights: Array

    @staticmethod
    def of(center: float, variance: float, degrees: float) -> Posterior:
        """One t distribution."""
        own = (np.array([value]) for value in (center, variance, degrees, 1.0))
        return Posterior(*own)

    def below(self, value: float) -> float:
        """The probability that the number is below `value`."""
        scaled = (value - self.centers) / np.sqrt(self.variances)
        return float(stdtr(self.degrees, scaled) @ self.weights)

    def above(self, value: float) -> float:
        """The probability that the number is above `value`."""
        return 1.0 - self.below(value)

    def quantile(self, share: float) -> float:
        """The value that the number is below with the probability `share`."""
        own = self.centers + np.sqrt(self.variances) * stdtrit(self.degrees, share)
        low, high = float(own.min()), float(own.max())  # the mixture's is in between
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.below(middle) < share else (low, middle)
        return (low + high) / 2


def paired_gain(losses: Array, baseline: Array, best: int) -> Posterior:
    """What is known of the gain of the candidate `best`, chosen among all.

    `losses` (k, n) of k candidates on n seeds, `baseline` (n,) on the same seeds, zeros
    where there is none: then the gain is the loss with its sign turned.

    >>> losses = np.array([[1.0, 1.2, 1.1], [2.0, 2.1, 2.2]])
    >>> gain = paired_gain(losses, np.array([1.5, 1.8, 1.5]), best=0)
    >>> round(gain.quantile(0.5), 2)
    0.42
    """
    gains = baseline - losses
    count, seeds = gains.shape
    means, average = gains.mean(axis=1), gains.mean(axis=0)
    common = Posterior.of(
        float(average.mean()), float(average.var(ddof=1)) / seeds, seeds - 1.0
    )
    if count == 1:
        return _not_certain(common)
    own = means - means.mean()
    rest = float(((gains - average - own[:, None]) ** 2).sum())
    drawn = _drawn(own, best, rest, seeds, (count - 1) * (seeds - 1))
    return _not_certain(_added(common, drawn))


def unpaired_gain(losses: Sequence[Array], baseline: Array, best: int) -> Posterior:
    """The same for runs on different seeds, with unequal variances (Welch, 1947).

    `losses` of each candidate (n_i,) and of the `baseline` (n,), two or more of each.

    >>> gain = unpaired_gain([np.array([1.0, 1.2])], np.array([1.5, 1.8, 1.5]), best=0)
    >>> round(gain.quantile(0.5), 2)
    0.5
    """
    means = np.array([own.mean() for own in losses])
    counts = np.array([len(own) for own in losses])
    spreads = np.array([own.var(ddof=1) for own in losses]) / counts / len(losses) ** 2
    spreads = np.append(spreads, baseline.var(ddof=1) / len(baseline))
    degrees = np.append(counts, len(baseline)) - 1.0
    common = Posterior.of(
        float(baseline.mean() - means.mean()),
        float(spreads.sum()),
        _satterthwaite(spreads, degrees),
    )
    if len(losses) == 1:
        return _not_certain(common)
    rest = sum(float(((own - own.mean()) ** 2).sum()) for own in losses)
    seeds = len(counts) / float((1 / counts).sum())  # the harmonic mean
    drawn = _drawn(means.mean() - means, best, rest, seeds, int((counts - 1).sum()))
    return _not_certain(_added(common, drawn))


def with_more_seeds(known: Posterior, gains: Array, earlier: Array) -> Posterior:
    """What is known after `gains` (n,) on seeds that nothing was chosen by.

    `earlier` are the gains of the same candidate on the seeds before, for its variance.
    """
    together = np.concatenate((gains - gains.mean(), earlier - earlier.mean()))
    degrees = len(together) - 2.0 if len(gains) > 1 else len(together) - 1.0
    degrees = max(degrees, 1.0)
    variance = float((together**2).sum()) / degrees / len(gains)
    joint = known.variances + variance
    precision = 1 / known.variances + 1 / variance
    away = gains.mean() - known.centers
    centers = known.centers + away * known.variances / joint
    logs = -0.5 * np.log(joint) - 0.5 * away**2 / joint
    weights = known.weights * np.exp(logs - logs.max())
    pooled = [
        _satterthwaite(
            np.array([1 / own, 1 / variance]) / total, np.array([degree, degrees])
        )
        for own, degree, total in zip(
            known.variances, known.degrees, precision, strict=True
        )
    ]
    return Posterior(centers, 1 / precision, np.array(pooled), weights / weights.sum())


def seeds_needed(gain: float, spread: float, certainty: float, most: int) -> int | None:
    """How many seeds show a `gain` with the probability `certainty`, in 4 of 5 cases.

    `spread` is the gain's standard deviation between seeds. None: more than `most`.

    >>> seeds_needed(gain=1.0, spread=1.0, certainty=0.97, most=50)
    10
    """
    if gain <= 0:
        return None
    for seeds in range(2, most + 1):
        degrees = seeds - 1
        needed = stdtrit(degrees, certainty) + stdtrit(degrees, 0.8)
        if gain >= needed * spread / math.sqrt(seeds):
            return seeds
    return None


def _drawn(own: Array, best: int, rest: float, seeds: float, degrees: int) -> Posterior:
    """The difference of the best one from the average, drawn toward 0.

    `own` (k,) are the differences of all, `rest` the squares that they leave. With the
    share of the drawing uniform, and the variance as likely on each scale, each share
    has a t distribution (Gelman et al., 2013, Bayesian Data Analysis, section 5.4).
    """
    free = len(own) - 1
    squares = rest + seeds * _SHARES * float((own**2).sum())
    if squares.max() <= 0:  # all the same: nothing is known of how they differ
        return Posterior.of(0.0, 0.0, 1.0)
    squares = np.maximum(squares, squares.max() * 1e-15)
    total = free + degrees
    logs = free / 2 * np.log(_SHARES) - total / 2 * np.log(squares)
    weights = _WIDTHS * np.exp(logs - logs.max())
    kept = 1 - _SHARES
    variances = kept * free / (free + 1) / seeds * squares / total
    return Posterior(
        kept * own[best],
        variances,
        np.full(len(_SHARES), float(total)),
        weights / weights.sum(),
    )


def _added(one: Posterior, other: Posterior) -> Posterior:
    """The sum of two independent numbers, the first of which is one t distribution."""
    variances = one.variances + other.variances
    degrees = [
        _satterthwaite(np.array([one.variances[0], own]), np.array([one.degrees[0], d]))
        for own, d in zip(other.variances, other.degrees, strict=True)
    ]
    centers = one.centers + other.centers
    return Posterior(centers, variances, np.array(degrees), other.weights)


def _satterthwaite(variances: Array, degrees: Array) -> float:
    """The degrees of freedom of a sum of estimated variances (Satterthwaite, 1946)."""
    below = float((variances**2 / degrees).sum())
    return float(variances.sum()) ** 2 / below if below > 0 else float(degrees.max())


def _not_certain(known: Posterior) -> Posterior:
    """The same where runs are equal to the last digit: a variance just above 0."""
    least = float((np.abs(known.centers).max() * 1e-9 + 1e-300) ** 2)
    variances = np.maximum(known.variances, max(least, 1e-300))
    return Posterior(known.centers, variances, known.degrees, known.weights)
