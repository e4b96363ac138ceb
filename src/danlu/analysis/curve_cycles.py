"""Oscillations of learning curves: the periodogram of what the smooth curve leaves.

R. A. Fisher, "Tests of significance in harmonic analysis", Proc. R. Soc. Lond. A 125
(1929): under white noise the ordinates of a periodogram, over their mean, are nearly
independent and exponential. Means over n trials are then Gamma(n) / n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from ..space import Array
from .curve_noise import Curves, means

LEAST_TO_CYCLE = 30  # reports
CYCLES = 5  # fewest cycles in the later three quarters
BURN_IN = 4  # the first quarter falls too fast
CUT = 3.0  # sds, beyond which what is left of a report is cut
STEADY = 0.4  # share of the power that an oscillation keeps from half to half
LINE = 3.0  # a line of the spectrum stands so far above the noise
MOST_RED = 0.95  # correlation of the noise from report to report
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

    >>> import danlu
    >>> from danlu.analysis.curve_noise import read
    >>> rng = np.random.default_rng(0)
    >>> wave = np.sin(2 * np.pi * np.arange(64) / 8)
    >>> curves = [danlu.Curve(np.arange(64), wave + rng.normal(size=64))]
    >>> round(common_cycle(read(curves), alpha=0.01).period)
    8
    """
    able = [own for own in stacks if own.length >= LEAST_TO_CYCLE]
    found = [_strongest(own, alpha / len(able)) for own in able]
    known = [own for own in found if own is not None]
    return min(known, key=lambda own: own.chance, default=None)


def cycling(curves: Curves, alpha: float) -> NDArray[np.bool_]:
    """Which curves (n,) have an oscillation of their own."""
    if curves.length < LEAST_TO_CYCLE:
        return np.zeros(len(curves.rows), bool)
    own, _ = _periodogram(_rest(curves), _width(curves.length))
    peak, count = own.max(axis=1), own.shape[1]
    chance = count * np.exp(-peak)
    alone = peak > LINE * (own.sum(axis=1) - peak) / (count - 1)
    flags: NDArray[np.bool_] = (chance < alpha) & alone & (FINER * peak > SHARE * count)
    return flags


def _strongest(curves: Curves, alpha: float) -> Cycle | None:
    curves = curves.at(np.flatnonzero(curves.sd > 0))
    if not len(curves.rows):
        return None
    rest = _rest(curves)
    power, frequencies = _periodogram(rest, _width(curves.length))
    trials, count = power.shape
    mean = power.mean(axis=0)
    above = _above_red_noise(mean, frequencies)
    place = int(above.argmax())
    chance = count * float(gammaincc(trials, trials * above[place]))
    share = FINER * float(mean[place]) / count
    if chance > alpha or share < SHARE or above[place] < LINE:
        return None
    if _steadiness(rest, frequencies[place]) < STEADY:
        return None
    return Cycle(_step(curves) / float(frequencies[place]), share, chance)


def _rest(curves: Curves) -> Array:
    """What a running mean of the longest period leaves of the later reports (n, V).

    It leaves that period and all shorter ones much as they are.
    """
    late, width = curves.losses[:, -_late(curves.length) :], _width(curves.length)
    smooth = means(late, width)
    skipped = width // 2
    rest = late[:, skipped : skipped + smooth.shape[1]] - smooth
    reach = CUT * rest.std(axis=1, keepdims=True)
    rest = np.clip(rest, -reach, reach)
    centered: Array = rest - rest.mean(axis=1, keepdims=True)
    return centered


def _periodogram(rest: Array, longest: int) -> tuple[Array, Array]:
    """Ordinates (n, K) over their mean, and their frequencies (K,) in cycles a report.

    From the frequency on whose period is the longest one.
    """
    padded = FINER * rest.shape[1]
    first = padded // longest
    power = np.abs(np.fft.rfft(rest, padded)[:, first:]) ** 2
    scale = power.mean(axis=1, keepdims=True)
    ordinates: Array = np.divide(
        power, scale, out=np.zeros_like(power), where=scale > 0
    )
    frequencies: Array = np.arange(first, first + power.shape[1]) / padded
    return ordinates, frequencies


def _steadiness(rest: Array, frequency: float) -> float:
    """The power at a frequency in the weaker half of the reports over the stronger.

    A single drop of the curve has power at many frequencies, and in one half alone.
    """
    waves = np.exp(2j * np.pi * frequency * np.arange(rest.shape[1]))
    scaled = rest / rest.std(axis=1, keepdims=True)
    half = rest.shape[1] // 2
    halves = scaled[:, :half] @ waves[:half], scaled[:, -half:] @ waves[-half:]
    powers = [float((np.abs(own) ** 2).mean()) for own in halves]
    return min(powers) / max(powers)


def _late(length: int) -> int:
    return length - length // BURN_IN


def _width(length: int) -> int:
    return max(3, _late(length) // CYCLES)


def _above_red_noise(mean: Array, frequencies: Array) -> Array:
    """Mean ordinates (K,) over those of an autoregression of order one.

    It is fitted to all but the highest ordinate and its neighbors, by the likelihood of
    P. Whittle, "Estimation and information in stationary time series" (1953): the sum
    of log S + I / S over the ordinates I, with the spectrum S.
    """
    others = np.abs(np.arange(len(mean)) - mean.argmax()) > FINER
    cosine = np.cos(2 * np.pi * frequencies)
    rho = np.linspace(0, MOST_RED, 96)[:, None]
    spectra = 1 / (1 + rho**2 - 2 * rho * cosine)
    levels = (mean / spectra)[:, others].mean(axis=1, keepdims=True)
    spectra *= levels
    fit = (np.log(spectra) + mean / spectra)[:, others].sum(axis=1)
    above: Array = mean / spectra[fit.argmin()]
    return above


def _step(curves: Curves) -> float:
    """The steps from one report to the next, in most trials."""
    return float(np.median(np.diff(curves.steps, axis=1)))
