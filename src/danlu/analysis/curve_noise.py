"""What is noise in a learning curve and what is not, for many curves at once.

The model: a report is a smooth curve of the step plus noise whose standard deviation is
the same over the later half of the reports, and which goes on from report to report as
an autoregression of order one. Single reports far off are clipped to their neighbors.
A trend is a weighted sum of reports, so that its standard error follows from the noise.
Reports are taken to be evenly spaced, as those after every epoch are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

from ..space import Array
from ..trial import Curve

LEAST_REPORTS = 8  # with fewer, no quarter of a curve has two reports
LEAST_LATE = 5  # of which three second differences are left, and one with lag 2
LEAST_TO_CORRELATE = 10  # late reports: of fewer, a bent curve looks like noise
LATE = 0.5  # the noise is that of the later half: early on the curve itself bends
NORMAL_MAD = 0.6745  # median of |z| of a standard normal
CLIP = 4.0  # sds: a normal report is as far off once in 16,000 times
MOST = 1e100  # a loss beyond is no finite number for our purposes: squares overflow
LEAST = 1e-100  # one below is zero: squares underflow
CUT = 3.0  # sds, beyond which a second difference is no noise
MOST_CORRELATION = 0.9
LEAST_TO_MODERATE = 4  # curves, before their variances say how alike they are
MOST_FREEDOM = 1000.0  # as good as a noise that is known

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Trend:
    """A number of each curve (n,), and its standard error (n,)."""

    value: Array
    error: Array


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves of one length m, with their noise; a smaller loss is better.

    `rows` (n,) are their places among the curves that were read, `steps` and `losses`
    (n, m) their reports, with `losses` clipped where one report is far off and `raw` as
    reported. `sd` (n,) is the noise of one report, with `freedom` degrees of freedom,
    `correlation` that of a report's noise with that of the next one, `shared` that of
    one curve's noise with another's.
    """

    rows: Rows
    steps: NDArray[np.int64]
    raw: Array
    losses: Array
    sd: Array
    freedom: float
    correlation: float
    shared: float

    @property
    def length(self) -> int:
        """How many reports each curve has."""
        return len(self.losses.T)

    def at(self, places: Rows) -> Curves:
        """The curves at these places alone."""
        return Curves(
            self.rows[places],
            self.steps[places],
            self.raw[places],
            self.losses[places],
            self.sd[places],
            self.freedom,
            self.correlation,
            self.shared,
        )

    def contrast(self, weights: Array) -> Trend:
        """The weighted sum (n,) of the last len(weights) reports, with its error."""
        value = self.losses[:, self.length - len(weights) :] @ weights
        return Trend(value, self.error(float(np.linalg.norm(weights))))

    def error(self, norm: float) -> Array:
        """The standard error (n,) of a smooth weighted sum with weights of this norm.

        Of noise with correlation rho it is sqrt((1 + rho) / (1 - rho)) as large as of
        independent noise (Bartlett, 1946): so many fewer reports are independent.
        """
        rho = self.correlation
        return self.sd * (norm * math.sqrt((1 + rho) / (1 - rho)))

    def fall(self, count: int, before: int = 0) -> Trend:
        """By how much the line through `count` reports falls from end to end.

        These are the last ones, or those `before` them by so many.
        """
        places = np.arange(count) - (count - 1) / 2
        weights = -places * count / (places**2).sum()
        return self.contrast(np.append(weights, np.zeros(before)))

    def fall_at_end(self, count: int, degree: int) -> Trend:
        """The fall over `count` more reports at the slope with which the curve ends.

        The slope is that of a polynomial through the last 2 `count` reports.
        """
        places = np.arange(1 - min(2 * count, self.length), 1.0) / count
        powers = np.vander(places, 1 + degree, increasing=True)
        return self.contrast(-np.linalg.pinv(powers)[1])


def read(curves: Sequence[Curve | None], maximize: bool = False) -> tuple[Curves, ...]:
    """All curves by length, those with fewer than 8 finite reports left out.

    >>> import danlu
    >>> rng = np.random.default_rng(0)
    >>> values = 1 + 0.1 * rng.normal(size=200)
    >>> (own,) = read([danlu.Curve.of(dict(enumerate(values.tolist())))])
    >>> own.sd.round(2).tolist()
    [0.1]
    """
    sign = -1.0 if maximize else 1.0
    stacks = [
        (rows, steps, sign * np.where(np.abs(values) < LEAST, 0.0, values))
        for rows, steps, values in _stacked(curves)
    ]
    clipped = [_clipped(losses) for _, _, losses in stacks]
    rho = _correlation(clipped)
    return tuple(
        Curves(rows, steps, raw, losses, *_sd(losses, rho), rho, _shared(losses))
        for (rows, steps, raw), losses in zip(stacks, clipped, strict=True)
    )


def means(losses: Array, width: int) -> Array:
    """The mean (n, m - width + 1) of every `width` reports that follow each other."""
    sums = np.cumsum(losses, axis=1)
    sums = np.concatenate((np.zeros((len(losses), 1)), sums), axis=1)
    found: Array = (sums[:, width:] - sums[:, :-width]) / width
    return found


def _stacked(
    curves: Sequence[Curve | None],
) -> list[tuple[Rows, NDArray[np.int64], Array]]:
    """Places, steps and values of the curves of each length, finite values alone."""
    whole = {place: curve for place, curve in enumerate(curves) if curve is not None}
    kept, cut = [], {}
    for rows, steps, values in _by_length(whole):
        finite = (np.abs(values) < MOST).all(axis=1)  # nan is not below either
        kept.append((rows[finite], steps[finite], values[finite]))
        cut.update({int(row): _finite(whole[int(row)]) for row in rows[~finite]})
    found = [stack for stack in (*kept, *_by_length(cut)) if len(stack[0])]
    return sorted(found, key=lambda stack: stack[2].shape[1])


def _by_length(
    curves: Mapping[int, Curve],
) -> list[tuple[Rows, NDArray[np.int64], Array]]:
    places: dict[int, list[int]] = {}
    for place, curve in curves.items():
        places.setdefault(len(curve), []).append(place)
    return [
        (
            np.array(own),
            np.stack([curves[place].steps for place in own]),
            np.stack([curves[place].values for place in own]),
        )
        for length, own in sorted(places.items())
        if length >= LEAST_REPORTS
    ]


def _finite(curve: Curve) -> Curve:
    finite = np.abs(curve.values) < MOST
    return Curve(curve.steps[finite], curve.values[finite])


def _late(length: int) -> int:
    """How many reports are late: half of them, but no fewer than five."""
    return max(round(LATE * length), LEAST_LATE)


def _residuals(losses: Array, lag: int = 1) -> Array:
    """Second differences of the late reports, of the variance of the noise.

    T. Gasser, L. Sroka & C. Jennen-Steinmetz, "Residual variance and residual pattern
    in nonlinear regression", Biometrika 73 (1986): what a line through both neighbors
    misses of a report, over sqrt(6 / 4).
    """
    late = losses[:, -_late(losses.shape[1]) :]
    middle = 2 * late[:, lag:-lag]
    found: Array = (late[:, : -2 * lag] - middle + late[:, 2 * lag :]) / math.sqrt(6)
    return found


def _rough_sd(losses: Array, lag: int = 1) -> Array:
    """The noise (n,) by the median, which single reports far off do not move."""
    middle = np.median(np.abs(_residuals(losses, lag)), axis=1) / NORMAL_MAD
    return np.maximum(middle, _resolution(losses))


def _variance(losses: Array, lag: int = 1) -> Array:
    """The mean square (n,) of second differences, the largest of them cut."""
    reach = CUT * _rough_sd(losses, lag)[:, None]
    found: Array = (np.clip(_residuals(losses, lag), -reach, reach) ** 2).mean(axis=1)
    return found


def _resolution(losses: Array) -> Array:
    """Half of the smallest step (n,) between two late reports, 0 without any.

    A metric that counts errors moves by whole ones: without this floor a curve that
    rarely moves would have no noise.
    """
    moves = np.abs(np.diff(losses[:, -_late(losses.shape[1]) :], axis=1))
    least = np.where(moves > 0, moves, np.inf).min(axis=1)
    floor: Array = np.where(np.isfinite(least), least / 2, 0.0)
    return floor


def _clipped(losses: Array) -> Array:
    """Every report no farther than 4 sds from the median of the five around it."""
    around = np.pad(losses, ((0, 0), (2, 2)), mode="reflect")
    windows = np.sort(sliding_window_view(around, 5, axis=1), axis=2)
    middle, reach = windows[:, :, 2], CLIP * _rough_sd(losses)[:, None]
    found: Array = np.clip(losses, middle - reach, middle + reach)
    return found


def _correlation(stacks: Sequence[Array]) -> float:
    """The correlation of a report's noise with that of the next, 0 where unknown.

    Moves from report to report are correlated with the next ones by -(1 - rho) / 2 in
    an autoregression, and a trend is small among them. The mean over the curves.
    """
    long = [own for own in stacks if _late(own.shape[1]) >= LEAST_TO_CORRELATE]
    found = np.concatenate([np.empty(0), *(_correlations(own) for own in long)])
    if not len(found):
        return 0.0
    return float(np.clip(1 + 2 * found.mean(), 0.0, MOST_CORRELATION))


def _correlations(losses: Array) -> Array:
    """The correlation of late moves with the next ones, of each curve that moves."""
    moves = np.diff(losses[:, -_late(losses.shape[1]) :], axis=1)
    reach = CUT * math.sqrt(2) * _rough_sd(losses)[:, None]
    middle = np.median(moves, axis=1, keepdims=True)
    moves = np.clip(moves, middle - reach, middle + reach)
    count = moves.shape[1]
    line, _ = np.linalg.qr(np.vander(np.arange(count), 2))
    moves -= (moves @ line) @ line.T
    squares = (moves**2).mean(axis=1)
    products = (moves[:, :-1] * moves[:, 1:]).mean(axis=1)
    known = squares > 0
    found: Array = products[known] / squares[known]
    return found


def _shared(losses: Array) -> float:
    """The correlation of one curve's noise with another's at one report, 0 or more.

    Trials that see their data in one order share some. Of n residuals of variance 1
    with correlation c the mean has the variance (1 + (n - 1) c) / n.
    """
    residuals = _residuals(losses)
    sd = residuals.std(axis=1)
    count = int((sd > 0).sum())
    if count < LEAST_TO_MODERATE:
        return 0.0
    mean = (residuals[sd > 0] / sd[sd > 0][:, None]).mean(axis=0)
    return float(np.clip((count * mean.var() - 1) / (count - 1), 0.0, 1.0))


def _sd(losses: Array, rho: float) -> tuple[Array, float]:
    """The noise of one report (n,), and its degrees of freedom.

    From second differences without the largest. Of an autoregression their variance is
    (1 - rho) (1 - rho / 3) of the noise's. They are correlated, so that their squares
    say 36 / 70 of what as many independent ones would: the squared lagged correlations
    of their weights 1, -2, 1 add up to 70 / 36.
    """
    freedom = max(1.0, 36 / 70 * (_late(losses.shape[1]) - 2))
    variances, freedom = _moderated(_variance(losses), freedom)
    sd: Array = np.sqrt(variances / ((1 - rho) * (1 - rho / 3)))
    return np.maximum(sd, _resolution(losses)), freedom


def _moderated(variances: Array, freedom: float) -> tuple[Array, float]:
    """The variances (n,) drawn toward their center, as far as they are alike.

    G. K. Smyth, "Linear models and empirical Bayes methods for assessing differential
    expression in microarray experiments" (2004), section 6.2: curves of one study have
    much the same noise, and a few reports alone say little about it.
    """
    known = variances[variances > 0]
    if len(known) < LEAST_TO_MODERATE:
        return variances, freedom
    logs = np.log(known) - digamma(freedom / 2) + math.log(freedom / 2)
    excess = float(logs.var(ddof=1) - polygamma(1, freedom / 2))
    prior = (
        min(2 * _trigamma_inverse(excess), MOST_FREEDOM) if excess > 0 else MOST_FREEDOM
    )
    center = math.exp(logs.mean() + digamma(prior / 2) - math.log(prior / 2))
    drawn = (prior * center + freedom * variances) / (prior + freedom)
    return np.where(variances > 0, drawn, 0.0), prior + freedom


def _trigamma_inverse(value: float) -> float:
    """The x with trigamma(x) = value, by Newton's method (Smyth, 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(50):
        own = float(polygamma(1, x))
        step = own * (1 - own / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-8:
            break
    return x
