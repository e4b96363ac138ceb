"""What the curves of a study say of where each of them will end, and how surely.

Every curve belongs to one of the families of `families.py`, nobody knows to which. How
common each family is, and at what losses its curves begin, is learned from all curves
of the study by expectation maximization (Dempster, Laird & Rubin, 1977), from even
shares on; what a curve has shown so far then says which families it may belong to, and
each family says how it goes on. As in freeze-thaw Bayesian optimization (Swersky, Snoek
& Adams, 2014) curves are exchangeable; hyperparameters are left to the sampler.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..blas import on_one_thread
from ..history import History
from ..metric import Metric
from ..space import Array
from ..trial import State, Trial
from .families import FALLS, Families, families

MOST_FITTED = 100  # curves, the longest: more cost time and change the shares little
ITERATIONS = 6  # shares are near their limit, and further on they overfit few curves
PRIOR_CURVES = 8.0  # that the even shares count for
_PRIOR_STARTS = 2.0  # the same of the losses that the curves of a family begin at
_LEAST_SD = 0.05  # of these losses
_FAR = 1e300  # spreads from the best: no loss is scaled to infinity
_KNOWN_SD = 1e-9  # of a curve that is known to its end


@dataclass(frozen=True)
class Scale:
    """Losses as numbers around 1, whatever their unit: asinh((loss - best) / spread).

    It is even near the best loss and grows like a logarithm far from it, so that curves
    which begin at a huge loss do not decide how finely good ones are told apart.
    """

    best: float
    spread: float

    def scaled(self, losses: Array) -> Array:
        """Losses of the study, scaled."""
        with np.errstate(over="ignore"):
            far = np.minimum((losses - self.best) / self.spread, _FAR)
        found: Array = np.arcsinh(far)
        return found

    def losses(self, scaled: Array) -> Array:
        """The losses that were scaled."""
        found: Array = self.best + self.spread * np.sinh(scaled)
        return found


@dataclass(frozen=True, eq=False)
class Forecast:
    """Where n curves end: mixtures of normal distributions of the scaled loss.

    `weights`, `means` and `sds` are (n, m). What counts is the best value over the
    steps where `most` is not None: then a curve ends at `most` (n,) or below.
    """

    weights: Array
    means: Array
    sds: Array
    most: Array | None

    def below(self, scaled: Array | float) -> Array:
        """The probability of ending below a scaled loss (n,)."""
        from scipy.special import ndtr

        bound = np.broadcast_to(scaled, len(self.means))
        inside = ndtr((bound[:, None] - self.means) / self.sds)
        found: Array = np.einsum("nm,nm->n", self.weights, inside)
        return found if self.most is None else np.where(bound > self.most, 1.0, found)

    def improvement(self, scaled: float) -> Array:
        """By how much below a scaled loss each will end, on average (n,).

        A curve that has come below it already improves on its own best from there.
        """
        from scipy.special import ndtr

        bound = np.full(len(self.means), scaled)
        if self.most is not None:
            bound = np.minimum(bound, self.most)
        z = (bound[:, None] - self.means) / self.sds
        density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
        found: Array = np.einsum(
            "nm,nm->n", self.weights * self.sds, z * ndtr(z) + density
        )
        return found

    def quantile(self, probability: float) -> Array:
        """The scaled loss that each ends below with that probability (n,)."""
        low = (self.means - 9.0 * self.sds).min(axis=1)
        high = (self.means + 9.0 * self.sds).max(axis=1)
        free = Forecast(self.weights, self.means, self.sds, None)
        for _ in range(50):  # halvings: to 15 digits
            middle = 0.5 * (low + high)
            under = free.below(middle) < probability
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        found: Array = high if self.most is None else np.minimum(high, self.most)
        return found


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of a study on a grid, with what was learned of their families.

    `scaled` (n, j + 1) are losses at the `steps`, `counts` (n,) at how many of them
    each curve is known, `places` (n,) where its trial is among those of the history.
    With `is_best` the loss of a trial is its best one so far. `log_shares` (m,) are of
    the families, `starts` and `start_sds` of the first scaled loss, for each of FALLS.
    """

    scale: Scale
    steps: tuple[int, ...]
    scaled: Array
    counts: NDArray[np.intp]
    places: NDArray[np.intp]
    is_best: bool
    families: Families
    log_shares: Array
    starts: Array
    start_sds: Array

    @property
    def last(self) -> Array:
        """The last known scaled loss of each curve (n,)."""
        found: Array = self.scaled[np.arange(len(self.scaled)), self.counts - 1]
        return found

    def forecast(self, places: NDArray[np.intp]) -> Forecast:
        """Where the curves at these places of the arrays end."""
        own, counts = self.scaled[places], self.counts[places] - 1
        z = _whitened(self.families, own)
        logs = _log_likelihoods(self.families, z, counts)
        logs += self.log_shares
        logs += _log_starts(self.starts, self.start_sds, own)[:, self.families.sizes]
        rest = self.families.rest_means[:, counts].T.copy()
        for count in np.unique(counts):
            those = counts == count
            factors = self.families.rest_factors[:, count, :count]
            rest[those] += np.einsum("nmj,mj->nm", z[those, :, :count], factors)
        last = own[np.arange(len(own)), counts]
        sds = np.maximum(self.families.rest_sds[:, counts].T, _KNOWN_SD)
        most = last if self.is_best else None
        return Forecast(_weights(logs), last[:, None] - rest, sds, most)


@on_one_thread
def curves(
    history: History, steps: tuple[int, ...], trial: Trial | None = None
) -> Curves | None:
    """What the curves of a history say, None while all known losses are the same.

    `steps` is a grid of at least two steps. With `trial`, its curve is the last one,
    and what the history says of it is left out.
    """
    losses = np.column_stack([history.losses(step) for step in steps])
    places = [
        place
        for place, own in enumerate(history.trials)
        if own.state is not State.FAILED
        and (trial is None or own.number != trial.number)
    ]
    losses = losses[places]
    if trial is not None:
        places.append(len(history.trials))
        losses = np.vstack((losses, _losses(trial, history, steps)))
    known = np.isfinite(losses)
    rows = known.sum(axis=1) > 0
    if not rows.any() or (trial is not None and not rows[-1]):
        return None
    # a program that reports every tenth step says nothing of the first nine
    first = min(int(np.median(known[rows].argmax(axis=1))), len(steps) - 2)
    rows = known[:, first:].sum(axis=1) > 0
    if not rows.any() or (trial is not None and not rows[-1]):
        return None
    return _of_losses(
        losses[rows, first:], np.array(places)[rows], steps[first:], history.metric
    )


def _of_losses(
    losses: Array, places: NDArray[np.intp], steps: tuple[int, ...], metric: Metric
) -> Curves | None:
    known = np.isfinite(losses)
    counts = len(steps) - known[:, ::-1].argmax(axis=1)
    scale = _scale(losses, counts)
    if scale is None:
        return None
    scaled = scale.scaled(_filled(losses, known))
    own = families(steps)
    shares, starts, sds = _learned(own, scaled, counts)
    return Curves(
        scale=scale,
        steps=steps,
        scaled=scaled,
        counts=counts,
        places=places,
        is_best=metric.at == "best",
        families=own,
        log_shares=shares,
        starts=starts,
        start_sds=sds,
    )


def _losses(trial: Trial, history: History, steps: tuple[int, ...]) -> Array:
    """The loss up to each step that the trial has come to (j + 1,), else nan."""
    found = [
        history.loss(trial, step) if step <= trial.step else None for step in steps
    ]
    return np.array([math.nan if loss is None else loss for loss in found])


def _scale(losses: Array, counts: NDArray[np.intp]) -> Scale | None:
    """By the best loss, and how far the median of the last ones is from it."""
    last = losses[np.arange(len(losses)), counts - 1]
    best = float(np.nanmin(losses))
    for far in (float(np.median(last)), float(np.nanmax(losses))):
        spread = far - best
        if spread > 0 and math.isfinite(spread):
            return Scale(best, spread)
    return None


def _filled(losses: Array, known: NDArray[np.bool_]) -> Array:
    """Losses with the first known one before it, and anything after the last."""
    first = known.argmax(axis=1)
    rows = np.arange(len(losses))
    early = np.arange(losses.shape[1]) < first[:, None]
    filled = np.where(early, losses[rows, first][:, None], losses)
    return np.where(np.isfinite(filled), filled, losses[rows, first][:, None])


def _learned(
    own: Families, scaled: Array, counts: NDArray[np.intp]
) -> tuple[Array, Array, Array]:
    """The families' log shares (m,), and where the curves of each size begin."""
    begin = scaled[:, 0]
    middle, sd = float(begin.mean()), float(begin.std()) + _LEAST_SD
    starts, sds = np.full(len(FALLS), middle), np.full(len(FALLS), sd)
    shares = np.full(len(own), 1.0 / len(own))
    longest = np.lexsort((np.arange(len(counts)), counts))[::-1][:MOST_FITTED]
    longest = longest[counts[longest] > 1]  # one value says nothing of a fall
    if not len(longest):
        return np.log(shares), starts, sds
    fitted, begin = scaled[longest], scaled[longest, :1]
    logs = _log_likelihoods(own, _whitened(own, fitted), counts[longest] - 1)
    is_size = (own.sizes[:, None] == np.arange(len(FALLS))).astype(float)
    for _ in range(ITERATIONS):
        beginning = _log_starts(starts, sds, fitted)[:, own.sizes]
        weights = _weights(logs + np.log(shares) + beginning)
        total = weights.sum(axis=0) + PRIOR_CURVES / len(own)
        shares = total / total.sum()
        by_size = weights @ is_size
        count = by_size.sum(axis=0) + _PRIOR_STARTS
        starts = (_PRIOR_STARTS * middle + (by_size * begin).sum(axis=0)) / count
        squares = (by_size * (begin - starts) ** 2).sum(axis=0)
        sds = np.sqrt((_PRIOR_STARTS * sd**2 + squares) / count)
    return np.log(shares), starts, sds


def _whitened(own: Families, scaled: Array) -> Array:
    """The z (n, m, j) of the falls of curves, family by family."""
    falls = scaled[:, :-1] - scaled[:, 1:]
    z: Array = (falls @ own.whitening).reshape(len(falls), *own.centers.shape)
    z -= own.centers
    return z


def _log_likelihoods(own: Families, z: Array, counts: NDArray[np.intp]) -> Array:
    """How likely the first `counts` falls of each curve are in each family (n, m)."""
    seen = np.arange(z.shape[2]) < counts[:, None]
    squares = ((z**2) @ seen[:, :, None].astype(float))[:, :, 0]
    before = np.hstack((np.zeros((len(own), 1)), own.log_dets))
    found: Array = -0.5 * squares - before[:, counts].T
    return found


def _log_starts(starts: Array, sds: Array, scaled: Array) -> Array:
    """How likely the first loss of each curve is for each size of a fall (n, sizes)."""
    found: Array = -0.5 * ((scaled[:, :1] - starts) / sds) ** 2 - np.log(sds)
    return found


def _weights(logs: Array) -> Array:
    """Probabilities from logarithms that may all be small (n, m)."""
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    found: Array = weights / weights.sum(axis=1, keepdims=True)
    return found
