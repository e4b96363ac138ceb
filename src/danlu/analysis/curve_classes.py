"""What a learning curve does: rises, still falls, is flat, jumps or oscillates.

Each is a property of every curve of a study at once. A curve may have several, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ..history import History, Metric
from ..space import Array
from ..trial import State, Trial
from .curve_noise import Curves, means, read
from .metric_roles import is_training, training_metric

ALPHA = 0.01  # false alarms of one look at one curve
WHOLE = 0.9  # share of the longest training that counts as all of it
WINDOW = 10  # a level is the mean over a tenth of the reports
LEAST_WINDOW = 3
QUARTER = 4
LEAST_QUARTER = 4  # reports that a line is drawn through
FLATTENED = 0.4  # end slope over mean slope: 0.8 of 1/sqrt(step), 0 of a cosine's end
DROPPED = 1.5  # a last quarter that falls so much more than the one before it
SPIKE = 0.25  # share of what was gained that one report throws back
SETBACK = 0.5  # share of what was gained that is lost, and won back later
CYCLES = 6  # fewest full cycles that make an oscillation
BURN_IN = 4  # the first quarter falls too fast to be called flat

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Looked:
    """The search trials that were trained to their end, best first, and their curves.

    `validation` are curves of the study's metric, `training` of `training_metric`; rows
    of both are places in `trials`.
    """

    metric: Metric
    trials: tuple[Trial, ...]
    validation: tuple[Curves, ...]
    training_metric: Metric | None
    training: tuple[Curves, ...]

    @property
    def read(self) -> Flags:
        """Which of the trials have a curve long enough to be read (n,)."""
        return self.flags(self.validation, lambda own: np.ones(len(own.rows), bool))

    def numbers(self, flags: Flags) -> list[int]:
        """The numbers of the trials with a flag."""
        return [self.trials[place].number for place in np.nonzero(flags)[0]]

    def column(self, curves: Sequence[Curves], of: Callable[[Curves], Array]) -> Array:
        """`of` each curve at its trial's place (n,), nan without a curve."""
        found = np.full(len(self.trials), np.nan)
        for own in curves:
            found[own.rows] = of(own)
        return found

    def flags(self, curves: Sequence[Curves], of: Callable[[Curves], Flags]) -> Flags:
        """`of` each curve at its trial's place (n,), False without a curve."""
        found = np.zeros(len(self.trials), bool)
        for own in curves:
            found[own.rows] = of(own)
        return found


def look(history: History, most: int | None = None) -> Looked:
    """The curves of the `most` best trials (all without it) trained to their end.

    When the study's metric is itself a training one, no training metric stands beside
    it.
    """
    metric = history.metric
    ranked = [trial for trial in history.ranked() if trial.kind.judged]
    end = WHOLE * max((trial.step for trial in ranked), default=0)
    whole = [
        trial for trial in ranked if trial.state is State.COMPLETED or trial.step >= end
    ][:most]
    own = training_metric(whole, metric)
    if is_training(metric.name, {name for t in whole[:1] for name in t.curves}):
        own = None
    training = () if own is None else _curves(whole, own)
    return Looked(metric, tuple(whole), _curves(whole, metric), own, training)


def _curves(trials: Sequence[Trial], metric: Metric) -> tuple[Curves, ...]:
    curves = [trial.curves.get(metric.name) for trial in trials]
    return read(curves, metric.maximize)


# What one curve does.


@dataclass(frozen=True, eq=False)
class Rise:
    """By how much each curve ends above its lowest level (n,), and from which step.

    `beyond` says whether that is more than the noise of one report, and more than
    chance: at the level alpha over all places where the lowest may be.
    """

    height: Array
    beyond: Flags
    lowest: NDArray[np.int64]


def rise(curves: Curves, alpha: float = ALPHA) -> Rise:
    """How each curve ends above its lowest level, both means of a tenth of it."""
    width = window(curves.length)
    levels = means(curves.losses, width)
    before = levels[:, : levels.shape[1] - width]
    places = before.argmin(axis=1)
    height = levels[:, -1] - before[np.arange(len(before)), places]
    looks = max(1, curves.length // width - 1)
    chance = quantile(alpha / looks, curves.freedom)
    least = np.maximum(curves.sd, chance * curves.error(float(np.sqrt(2 / width))))
    steps = curves.steps[np.arange(len(places)), places + width // 2]
    return Rise(height, height > least, steps)


def window(length: int) -> int:
    """How many reports make a level: a tenth, but no fewer than three."""
    return max(LEAST_WINDOW, round(length / WINDOW))


def quarter(length: int) -> int:
    """How many reports are a quarter of the curve, no fewer than four."""
    return max(LEAST_QUARTER, round(length / QUARTER))


def quantile(alpha: float, freedom: float) -> float:
    """The value that Student's t with so many degrees exceeds with chance alpha."""
    return float(stdtrit(freedom, 1 - alpha))


def improving(curves: Curves) -> Flags:
    """Which curves fall over the last quarter by more than the noise, to the very end.

    Not those that flatten out or drop, as they do under a decaying learning rate.
    """
    fall = curves.fall(quarter(curves.length))
    chance = quantile(ALPHA, curves.freedom)
    falls = fall.value - chance * fall.error > curves.sd
    flags: Flags = falls & ~flattens(curves) & ~drops(curves)
    return flags


def flattens(curves: Curves) -> Flags:
    """Which curves end with less than 0.4 of their slope over the last quarter."""
    count = quarter(curves.length)
    fall, end = curves.fall(count).value, curves.fall_at_end(count).value
    flags: Flags = end < FLATTENED * fall
    return flags


def drops(curves: Curves) -> Flags:
    """Which curves fall more in the last quarter than in the one before it."""
    count = quarter(curves.length)
    late, early = curves.fall(count), curves.fall(count, before=count)
    more = late.value - early.value
    chance = quantile(ALPHA, curves.freedom)
    error = np.hypot(late.error, early.error)
    flags: Flags = (late.value > DROPPED * early.value) & (more > chance * error)
    return flags


def flat_from(curves: Curves) -> NDArray[np.int64]:
    """The step (n,) from which on no level is above the last one by the noise."""
    width = window(curves.length)
    levels = means(curves.losses, width)
    above = levels > levels[:, -1:] + curves.sd[:, None]
    last = levels.shape[1] - 1 - above[:, ::-1].argmax(axis=1)
    places = np.where(above.any(axis=1), last + 1, 0)
    found: NDArray[np.int64] = curves.steps[np.arange(len(places)), places]
    return found


def saturated(curves: Curves) -> Flags:
    """Which curves are flat over their later half, within the noise of one report."""
    fall = curves.fall(curves.length // 2)
    chance = quantile(ALPHA, curves.freedom)
    early = flat_from(curves) <= curves.steps[:, curves.length // 2]
    flags: Flags = (fall.value - chance * fall.error < 0) & early
    return flags & (fall.value + fall.error > -curves.sd)


def unstable(curves: Curves) -> Flags:
    """Which curves are thrown back: by one report, or for a while and then recover."""
    width = window(curves.length)
    levels = means(curves.losses, width)
    lowest = np.minimum.accumulate(levels, axis=1)
    gained = levels[:, :1] - lowest
    spikes = (curves.raw - curves.losses).max(axis=1)
    thrown = (spikes > 0) & (spikes > SPIKE * gained[:, -1])
    back = levels - lowest
    chance = quantile(ALPHA / levels.shape[1], curves.freedom)
    noise = curves.sd + chance * curves.error(float(np.sqrt(2 / width)))
    least = np.maximum(noise, SPIKE * gained[:, -1])
    lost = (back > SETBACK * gained) & (back > least[:, None])
    flags: Flags = thrown | lost.any(axis=1)
    return flags
