"""What a learning curve does: rises, still falls, is flat, jumps or oscillates.

Each is a property of every curve of a study at once. A curve may have several, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ..space import Array
from .curve_noise import Curves, Trend, means
from .looked import Flags, Looked

ALPHA = 0.005  # false alarms of one look at one curve: several checks look at several
LOOKS = 2  # at windows that overlap, for each that does not: measured on white noise
WINDOW = 10  # a level is the mean over a tenth of the reports
LEAST_WINDOW = 3
QUARTER = 4
LEAST_QUARTER = 4  # reports that a line is drawn through, where three times fit
# End slope over that of the last quarter: 0.8 of 1 / sqrt(step), 0 of a cosine, where
# a parabola through the later half sees less than 0.25, and a cubic what there is.
FLATTENED, FLAT = 0.25, 0.5
# A fall that halves from each quarter to the next leaves no more than the last one for
# all steps to come: 0.46 of exp(-3 t), 0.41 of a cosine, 0.6 of 1 / sqrt(step).
HALVED = 0.5
DROPPED = 1.5  # a last quarter that falls so much more than the one before it
SPIKE = 0.25  # share of what was gained that one report throws back
SETBACK = 0.5  # share of what was gained that is lost, and won back later
LEVEL = 0.25  # sds of a report that are no difference of levels
ONE_SIDED = 2.326  # standard normal quantile of 99 %
EQUIVALENT = 1.645  # and of 95 %


@dataclass(frozen=True)
class Pooled:
    """The mean of a trend over the better trials, in sds of a report, and its error."""

    value: float
    error: float

    def above(self, least: float) -> bool:
        """Whether it is more than `least`, but for a chance of one in a hundred."""
        return self.value - ONE_SIDED * self.error > least

    def within(self, most: float) -> bool:
        """Whether it is between -most and most, but for a chance of one in twenty.

        Two one-sided tests (D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987).
        """
        return abs(self.value) + EQUIVALENT * self.error < most


def pooled(
    curves: Sequence[Curves], of: Callable[[Curves], Trend], better: int
) -> Pooled | None:
    """`of` the curves of the first `better` trials together, None without any.

    Trials that share some of their noise are certain of less than as many others.
    """
    values: list[float] = []
    errors: list[float] = []
    shared = max((own.shared for own in curves), default=0.0)
    for own in curves:
        trend, known = of(own), (own.rows < better) & (own.sd > 0)
        values.extend((trend.value[known] / own.sd[known]).tolist())
        errors.extend((trend.error[known] / own.sd[known]).tolist())
    if not values:
        return None
    count = len(values)
    error = float(np.linalg.norm(errors)) * (1 + (count - 1) * shared) ** 0.5
    return Pooled(sum(values) / count, error / count)


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
    looks = LOOKS * curves.length / width
    chance = quantile(alpha / looks, curves.freedom)
    least = np.maximum(curves.sd, chance * curves.error(float(np.sqrt(2 / width))))
    steps = curves.steps[np.arange(len(places)), places + width // 2]
    return Rise(height, height > least, steps)


def level(curves: Curves, at: str) -> Array:
    """The lowest level of each curve (n,), or its last one, without most of the noise.

    A level is the mean of a tenth of the reports.
    """
    levels = means(curves.losses, window(curves.length))
    found: Array = levels[:, -1] if at == "last" else levels.min(axis=1)
    return found


def window(length: int) -> int:
    """How many reports make a level: a tenth, but no fewer than three."""
    return max(LEAST_WINDOW, round(length / WINDOW))


def quarter(length: int) -> int:
    """How many reports are a quarter; of a short curve four, or else a third of it."""
    return max(min(LEAST_QUARTER, length // 3), round(length / QUARTER))


def quantile(alpha: float, freedom: float) -> float:
    """The value that Student's t with so many degrees exceeds with chance alpha."""
    return float(stdtrit(freedom, 1 - alpha))


def overfits(looked: Looked, alpha: float) -> Flags:
    """Which trials (n,) rise in the study's metric and not in their training metric.

    Where no training metric is reported, all that rise.
    """
    raised = looked.flags(looked.validation, lambda own: rise(own, alpha).beyond)
    if looked.training_metric is None:
        return raised
    return raised & looked.flags(looked.training, lambda own: ~rise(own).beyond)


def rises(looked: Looked) -> Flags:
    """Which trials (n,) rise in what they were trained on."""
    return looked.flags(looked.trained, lambda own: rise(own).beyond)


def saturates(looked: Looked) -> Flags:
    """Which trials (n,) are flat, in their training metric too where it is known."""
    flat = looked.flags(looked.validation, saturated)
    if looked.training_metric is None:
        return flat
    return flat & looked.flags(looked.training, saturated)


def improving(curves: Curves) -> Flags:
    """Which curves fall over the last quarter by more than the noise, to the very end.

    Not those that settle or drop, as under a decaying learning rate.
    """
    fall = curves.fall(quarter(curves.length))
    chance = quantile(ALPHA, curves.freedom)
    falls = fall.value - chance * fall.error > curves.sd
    flags: Flags = falls & ~settles(ends(curves), curves.sd) & ~drops(curves)
    return flags


@dataclass(frozen=True, eq=False)
class Ends:
    """How curves end: falls over the last quarter, the one before it, and the next one.

    The next one is at the slope of the end, by a parabola and by a cubic.
    """

    last: Trend
    third: Trend
    parabola: Trend
    cubic: Trend


def ends(curves: Curves) -> Ends:
    """How each of the curves ends."""
    count = quarter(curves.length)
    return Ends(
        curves.fall(count),
        curves.fall(count, before=count),
        curves.fall_at_end(count, 2),
        curves.fall_at_end(count, 3),
    )


def settles(own: Ends, sd: Array | float) -> Flags:
    """Which curves (n,) are about to stand still.

    A cubic tells it where the noise is low. Else those do that are not sure to gain one
    `sd` of a report over as many steps again, where the last fall is less than half of
    the one before it, or flattens out.
    """
    reach = EQUIVALENT * own.cubic.error
    flat = own.cubic.value + reach < FLAT * own.last.value
    halved = own.last.value < HALVED * own.third.value
    flattened = own.parabola.value < FLATTENED * own.last.value
    unclear = own.cubic.value - reach < sd
    flags: Flags = flat | (unclear & (halved | flattened))
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
    reach = quantile(ALPHA, curves.freedom) * fall.error
    flat = np.abs(fall.value) <= np.minimum(curves.sd, reach)
    flags: Flags = flat & (flat_from(curves) <= curves.steps[:, curves.length // 2])
    return flags


def unstable(curves: Curves) -> Flags:
    """Which curves are thrown back: by one report, or for a while and then recover."""
    width = window(curves.length)
    levels = means(curves.losses, width)
    lowest = np.minimum.accumulate(levels, axis=1)
    gained = levels[:, :1] - lowest
    spikes = (curves.raw - curves.losses)[:, width:].max(axis=1)
    thrown = (spikes > 0) & (spikes > SPIKE * gained[:, -1])
    back = levels - lowest
    chance = quantile(ALPHA / levels.shape[1], curves.freedom)
    noise = curves.sd + chance * curves.error(float(np.sqrt(2 / width)))
    least = np.maximum(noise, SPIKE * gained[:, -1])
    lost = (back > SETBACK * gained) & (back > least[:, None])
    flags: Flags = thrown | (lost.any(axis=1) & ~rise(curves).beyond)
    return flags


# What the better trials of a study do together.


@dataclass(frozen=True)
class Progress:
    """The better trials at their end.

    `late` is their fall over the last quarter, `gain` the same in the metric's unit,
    `improves` whether it is more than the noise and goes on to the end, `decays`
    whether it would be, if it did not settle or come in a drop.
    """

    late: Pooled
    gain: float
    improves: bool
    decays: bool


def progress(looked: Looked) -> Progress:
    """How much the better trials still gain in their last quarter."""

    def of(trend: Callable[[Ends], Trend]) -> Trend:
        own = pooled(looked.validation, lambda c: trend(ends(c)), looked.better)
        own = own or Pooled(0.0, 0.0)
        return Trend(np.array([own.value]), np.array([own.error]))

    parts = fields(Ends)
    own = Ends(**{part.name: of(attrgetter(part.name)) for part in parts})
    late = Pooled(float(own.last.value[0]), float(own.last.error[0]))
    third = float(own.third.value[0])
    dropped = late.value > DROPPED * third and late.value > third + 1.0
    decays = dropped or bool(settles(own, 1.0)[0])
    falls = looked.column(
        looked.validation, lambda own: own.fall(quarter(own.length)).value
    )[: looked.better]
    gain = (
        float(np.mean(falls[np.isfinite(falls)])) if np.isfinite(falls).any() else 0.0
    )
    beyond = late.above(1.0)
    return Progress(late, gain, beyond and not decays, beyond and decays)


def flat_step(curves: Sequence[Curves], better: int) -> int | None:
    """The step from which on the mean curve of the better trials stays at its end.

    Of the length that most of them have; None without one. Curves count in sds of a
    report, and a level, the mean of a tenth, is above the end by more than its noise.
    """
    stacks = [
        own.at(np.flatnonzero((own.rows < better) & (own.sd > 0))) for own in curves
    ]
    if not stacks or not any(len(own.rows) for own in stacks):
        return None
    own = max(stacks, key=lambda stack: len(stack.rows))
    half = own.losses[:, own.length // 2 :].mean(axis=1, keepdims=True)
    mean = ((own.losses - half) / own.sd[:, None]).mean(axis=0, keepdims=True)
    width = window(own.length)
    noise = float((own.error(width**-0.5) / own.sd).mean()) / len(own.rows) ** 0.5
    above = means(mean, width)[0] > LEVEL + ONE_SIDED * noise
    place = int(np.flatnonzero(above)[-1]) + 1 if above.any() else 0
    return int(np.median(own.steps[:, min(place, own.length - 1)]))
