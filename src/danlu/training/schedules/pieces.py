"""Schedules of pieces that join: one-cycle, its momentum, warm-up-stable-decay.

One-cycle: Smith (2018), "A disciplined approach to neural network hyper-parameters",
section 3: up, down by the same amount, then far below; momentum the other way around.
The form in two phases with cosines is fastai's.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from .base import Schedule, ScheduleEnd, Warmup, at_least_zero, whole_steps
from .decays import Linear

# Smith & Topin (2017) use a first rate of a tenth to a twentieth of the peak; a 25th is
# what fastai and torch start from, so that their peaks can be taken over.
START_SHARE = 1 / 25
END_SHARE = START_SHARE / 1e4
RISE = 0.3  # share of the steps on the way up, of two phases; also theirs
LEGS = 0.45  # share of each leg, of three phases: the last tenth is annihilation


@dataclass(frozen=True, slots=True)
class Pieces(Schedule):
    """Goes from point to point: `points` are steps with their values, the first at 0.

    The last point is where the schedule ends; its step is `steps`, and its value is
    what the last update comes near to. Between points it goes on lines, or with
    `smooth` along half cosines.

    >>> from danlu import training
    >>> lr = training.Pieces(((0, 0.0), (2, 1.0), (6, 0.0)))
    >>> [lr(step) for step in range(6)]
    [0.0, 0.5, 1.0, 0.75, 0.5, 0.25]
    """

    points: tuple[tuple[float, float], ...]
    smooth: bool = False

    def __post_init__(self) -> None:
        places = [place for place, _ in self.points]
        if len(places) < 2 or places[0] != 0 or places != sorted(set(places)):
            raise ValueError(
                "Pieces needs two or more points whose steps rise from 0, got "
                f"points={self.points}"
            )
        whole_steps("Pieces", self.steps)
        for _, value in self.points:
            at_least_zero("Pieces", value=value)

    @property
    def steps(self) -> float:  # type: ignore[override]
        """The step of the last point."""
        return self.points[-1][0]

    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0."""
        points = self.points
        if not 0 <= step < points[-1][0]:
            raise ScheduleEnd(self, step)
        after = bisect_right(points, (step, math.inf))
        left, low = points[after - 1]
        right, high = points[after]
        share = (step - left) / (right - left)
        if self.smooth:
            share = (1 - math.cos(math.pi * share)) / 2
        return low + (high - low) * share

    def stretched(self, steps: int) -> Pieces:
        """All pieces grow alike."""
        factor = steps / self.steps
        inner = [(place * factor, value) for place, value in self.points[:-1]]
        return Pieces((*inner, (steps, self.points[-1][1])), self.smooth)


def one_cycle(
    peak: float,
    steps: int,
    *,
    rise: float = RISE,
    start: float | None = None,
    end: float | None = None,
) -> Pieces:
    """One-cycle in two phases: along a cosine up to the peak, and down to nearly zero.

    `rise` is the share of the steps on the way up. It starts at a 25th of the peak and
    ends at a 250,000th, unless `start` and `end` say otherwise.

    >>> from danlu import training
    >>> lr = training.one_cycle(1.0, steps=100)
    >>> round(lr(0), 3), lr(30), round(lr(99), 4)
    (0.04, 1.0, 0.0005)

    Raises:
        ValueError: `rise` is no share, or a value is negative.
    """
    _share("one_cycle", rise, below=1.0)
    first = peak * START_SHARE if start is None else start
    last = peak * END_SHARE if end is None else end
    return _joined([(0, first), (rise * steps, peak), (steps, last)], smooth=True)


def one_cycle_three_phase(
    peak: float, steps: int, *, leg: float = LEGS, end: float | None = None
) -> Pieces:
    """One-cycle as in the paper: a line up, as long a line down, then annihilation.

    `leg` is the share of the steps of each of the first two lines.

    >>> from danlu import training
    >>> lr = training.one_cycle_three_phase(1.0, steps=100)
    >>> round(lr(0), 3), lr(45), round(lr(90), 3)
    (0.04, 1.0, 0.04)
    """
    _share("one_cycle_three_phase", leg, below=0.5)
    first = peak * START_SHARE
    last = peak * END_SHARE if end is None else end
    legs = [(0, first), (leg * steps, peak), (2 * leg * steps, first), (steps, last)]
    return _joined(legs, smooth=False)


def one_cycle_momentum(
    rates: Pieces, *, high: float = 0.95, low: float = 0.85
) -> Pieces:
    """The momentum beside a one-cycle: lowest where the rate is highest (Smith, 2018).

    >>> from danlu import training
    >>> lr = training.one_cycle(1.0, steps=100)
    >>> momentum = training.one_cycle_momentum(lr)
    >>> round(momentum(0), 2), round(momentum(30), 2), round(momentum(99), 2)
    (0.95, 0.85, 0.95)

    Raises:
        ValueError: the rates are no one-cycle.
    """
    if not isinstance(rates, Pieces):
        raise ValueError(
            f"one_cycle_momentum needs the rates of a one-cycle, got {rates}: its "
            "momentum follows their points"
        )
    peak = max(value for _, value in rates.points)
    points = [(at, low if value == peak else high) for at, value in rates.points]
    return Pieces(tuple(points), rates.smooth)


def warmup_stable_decay(
    peak: float, steps: int, *, warmup: int, decay: int, end: float = 0.0
) -> Warmup:
    """A line up, a plateau, and a line down in the last `decay` steps.

    >>> from danlu import training
    >>> lr = training.warmup_stable_decay(1.0, steps=100, warmup=4, decay=20)
    >>> lr(0), lr(4), lr(80), lr(90)
    (0.2, 1.0, 1.0, 0.5)

    Raises:
        ValueError: warm-up and decay are longer than the run.
    """
    if decay < 1 or warmup + decay > steps:
        raise ValueError(
            f"warmup_stable_decay(steps={steps}, warmup={warmup}, decay={decay}): "
            "warm-up and decay must fit into the steps, and the decay is at least 1"
        )
    left = steps - warmup
    return Warmup(warmup, Linear(peak, left, end=end, hold=left - decay))


def _joined(points: list[tuple[float, float]], *, smooth: bool) -> Pieces:
    """Pieces through the points whose steps differ; of two at one step, the later."""
    by_step = dict(points)
    return Pieces(tuple(sorted(by_step.items())), smooth)


def _share(owner: str, share: float, *, below: float) -> None:
    if not 0 <= share < below:
        raise ValueError(
            f"{owner} needs a share of at least 0 and below {below} for its way up, "
            f"got {share}"
        )
