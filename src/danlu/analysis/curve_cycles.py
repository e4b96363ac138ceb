"""Oscillations of learning curves: the periodogram of what the smooth curve leaves.

R. A. Fisher, "Tests of significance in harmonic analysis", Proc. R. Soc. Lond. A 125
(1929): under white noise the ordinates of a periodogram, over their mean, are nearly
independent and exponential. The mean of n trials at one frequency, over that at K
others, has then an F distribution with 2 n and 2 n K degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from ..space import Array
from .curve_noise import Curves, means

LEAST_TO_CYCLE = 30  # reports
CYCLES = 4  # fewest cycles in the later three quarters
BURN_IN = 4  # the first quarter falls too fast
CUT = 3.0  # sds, beyond which what is left of a report is cut
STEADY = 0.4  # share of the power that an oscillation keeps from half to half
LINE = 3.0  # a line of the spectrum stands so far above the noise
MOST_CORRELATED = 0.95  # noise from report to report, to either side
FINER = 2  # a period between two ordinates would lose more than half of its power
SHARE = 0.1  # of the variance: an amplitude of half the noise


@dataclass(frozen=True)
class Cycle:
    """An oscillation: its period in steps, its share of the variance, and its chance.

    `chance` is that of so strong a one in white noise, over all frequencies.
    """

    period: float
    share: float
    chance: float


def common_cycle(stacks: Sequence[Curves], alpha: float) -> Cycle | None:
    """The strongest oscillation that the curves have in common, None without one.

    Reports of all curves are taken to be equally many steps apart.

    >>> import danlu
    >>> from danlu.analysis.curve_noise import read
    >>> rng = np.random.default_rng(0)
    >>> wave = 2 * np.sin(2 * np.pi * np.arange(64) / 8)
    >>> curves = [danlu.Curve(np.arange(64), wave + rng.normal(size=64))]
    >>> round(common_cycle(read(curves), alpha=0.01).period)
    8
    """
    moving = [own.at(np.flatnonzero(own.sd > 0)) for own in stacks]
    able = [own for own in moving if own.length >= LEAST_TO_CYCLE and len(own.rows)]
    if not able:
        return None
    rests = [_rest(own) for own in able]
    frequencies = _frequencies(able[0].length, able[-1].length)
    power = np.concatenate([_ordinates(rest, frequencies) for rest in rests])
    mean = power.mean(axis=0)
    above, others = _above_noise(mean, frequencies)
    place = int(above.argmax())
    alike = _shared(rests, frequencies[others])
    trials = min(_independent(above[others], len(power)), 1 / max(alike, 1e-9))
    beside = trials * others.sum() / FINER
    chance = len(mean) * float(fdtrc(2 * trials, 2 * beside, above[place]))
    share = FINER * float(mean[place]) / len(mean)
    if chance > alpha or share < SHARE or above[place] < LINE:
        return None
    if _steadiness(rests, frequencies[place]) < STEADY:
        return None
    return Cycle(_step(able[-1]) / float(frequencies[place]), share, chance)


def cycling(curves: Curves, alpha: float) -> NDArray[np.bool_]:
    """Which curves (n,) have an oscillation of their own."""
    if curves.length < LEAST_TO_CYCLE:
        return np.zeros(len(curves.rows), bool)
    frequencies = _frequencies(curves.length, curves.length)
    own = _ordinates(_rest(curves), frequencies)
    peak, count = own.max(axis=1), own.shape[1]
    chance = count * np.exp(-peak)
    alone = peak > LINE * (own.sum(axis=1) - peak) / (count - 1)
    flags: NDArray[np.bool_] = (chance < alpha) & alone & (FINER * peak > SHARE * count)
    return flags


def _rest(curves: Curves) -> Array:
    """What a running mean of the longest period leaves of the later reports (n, V).

    It leaves that period and all shorter ones much as they are. The largest are cut.
    """
    late, width = curves.losses[:, -_late(curves.length) :], _width(curves.length)
    smooth, skipped = means(late, width), width // 2
    rest = late[:, skipped : skipped + smooth.shape[1]] - smooth
    reach = CUT * rest.std(axis=1, keepdims=True)
    rest = np.clip(rest, -reach, reach)
    found: Array = rest - rest.mean(axis=1, keepdims=True)
    return found


def _frequencies(shortest: int, longest: int) -> Array:
    """Frequencies (K,) in cycles a report, for curves from one length to another.

    From the longest period of the shortest curve on, to one of two reports.
    """
    padded = FINER * (_late(longest) - _width(longest) + 1)
    first = -(-padded // _width(shortest))
    frequencies: Array = np.arange(first, padded // 2 + 1) / padded
    return frequencies


def _ordinates(rest: Array, frequencies: Array) -> Array:
    """The power (n, K) at each frequency, over its mean."""
    waves = np.exp(2j * np.pi * np.outer(np.arange(rest.shape[1]), frequencies))
    power = np.abs(rest @ waves) ** 2
    scale = power.mean(axis=1, keepdims=True)
    found: Array = np.divide(power, scale, out=np.zeros_like(power), where=scale > 0)
    return found


def _steadiness(rests: Sequence[Array], frequency: float) -> float:
    """The power at a frequency in the weaker half of the reports over the stronger.

    A single drop of the curve has power at many frequencies, and in one half alone.
    """
    powers = np.zeros(2)
    for rest in rests:
        waves = np.exp(2j * np.pi * frequency * np.arange(rest.shape[1]))
        sd = rest.std(axis=1, keepdims=True)
        scaled = np.divide(rest, sd, out=np.zeros_like(rest), where=sd > 0)
        half = rest.shape[1] // 2
        first, last = scaled[:, :half] @ waves[:half], scaled[:, half:] @ waves[half:]
        powers += [(np.abs(own) ** 2).sum() for own in (first, last)]
    return float(powers.min() / powers.max())


def _late(length: int) -> int:
    return length - length // BURN_IN


def _width(length: int) -> int:
    return _late(length) // CYCLES


def _above_noise(mean: Array, frequencies: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Mean ordinates (K,) over those of an autoregression of order one, fitted to some.

    It is fitted to all but the highest ordinate and its neighbors, by the likelihood of
    P. Whittle, "Estimation and information in stationary time series" (1953): the sum
    of log S + I / S over the ordinates I, with the spectrum S. Also to which.
    """
    others = np.abs(np.arange(len(mean)) - mean.argmax()) > FINER
    rho = np.linspace(-MOST_CORRELATED, MOST_CORRELATED, 191)[:, None]
    spectra = 1 / (1 + rho**2 - 2 * rho * np.cos(2 * np.pi * frequencies))
    spectra *= (mean / spectra)[:, others].mean(axis=1, keepdims=True)
    fit = (np.log(spectra) + mean / spectra)[:, others].sum(axis=1)
    above: Array = mean / spectra[fit.argmin()]
    return above, others


def _independent(ordinates: Array, trials: int) -> float:
    """How many independent trials the mean ordinates are of, at most `trials`.

    The variance of a mean of m exponentials is 1 / m of its mean squared. Trials that
    see their data in the same order share some of their noise. The variance is known
    from few ordinates, of which the highest are left out: one of its standard errors,
    sqrt(2 / K), is added.
    """
    count = len(ordinates) / FINER
    variance = float(ordinates.var() / ordinates.mean() ** 2) * (1 + (2 / count) ** 0.5)
    return min(float(trials), 1 / variance) if variance > 0 else float(trials)


def _shared(rests: Sequence[Array], frequencies: Array) -> float:
    """The share of the power that trials have in common, 0 where none is seen.

    Common noise has one phase in all trials. Of n independent ones the power of the
    mean is 1 / n of the mean power, of equal ones all of it. A sum of a common part c
    and of n others has a tail about as heavy as the mean of 1 / c trials.
    """
    shares, weights = [0.0], [0.0]
    for rest in rests:
        count = len(rest)
        if count == 1:
            continue
        waves = np.exp(2j * np.pi * np.outer(np.arange(rest.shape[1]), frequencies))
        sd = rest.std(axis=1, keepdims=True)
        scaled = np.divide(rest, sd, out=np.zeros_like(rest), where=sd > 0) @ waves
        joint = (np.abs(scaled.mean(axis=0)) ** 2).sum()
        each = (np.abs(scaled) ** 2).sum(axis=1).mean()
        if each > 0:
            shares.append(float((count * joint / each - 1) / (count - 1)))
            weights.append(count - 1.0)
    return max(0.0, float(np.dot(shares, weights)) / max(sum(weights), 1.0))


def _step(curves: Curves) -> float:
    """The steps from one report to the next, in most trials."""
    return float(np.median(np.diff(curves.steps, axis=1)))
