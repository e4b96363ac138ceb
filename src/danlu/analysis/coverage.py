"""A2: whether the trials are enough: what twice as many would gain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..domain import Choice, Float
from ..history import History
from ..space import Array, Dimension
from ..study import Study
from .base import Finding, Level, too_few
from .bias import is_adaptive
from .bounded import bounded
from .luck import best_among, best_of
from .repeats import trial_noise

LEAST_TRIALS = 8  # the best of a quarter of them is then more than one trial
# Share of the way from the median to the best that doubling may still gain. On bowls,
# wells and cliffs in 2 to 6 dimensions it is below .11 in 95 % of the studies of 10
# trials per dimension, and above .12 in 95 % of those of 2.
GAIN = 0.115
# The same of the last doubling alone, which knows more of narrow wells and has more
# luck: below .17 in 95 % of the studies of bowls, wells and cliffs.
LAST_GAIN = 0.18
UNEVEN = 4.0  # times the discrepancy of random points
MOST_POINTS = 500  # of the discrepancy, which looks at every pair
FINE = 20  # values from where on whole numbers are as good as continuous
NEAR = 10  # trials that an even spread would have in the box around the best


@dataclass(frozen=True)
class Doubling:
    """What twice as many trials would gain, and the way that led here.

    `steady` is the gain by what doubling a quarter of the trials brings, `last` by the
    doubling that led to all of them. `fall` is how much the best got better from n / 2
    to n trials, in the median of the bootstrap; `luck` the sd of the best of n. `way`
    is that from the median to the best. Of an adaptive sampler, `fall` happened so.
    """

    count: int
    steady: float
    last: float
    fall: float
    way: float
    luck: float
    adaptive: bool

    @property
    def gain(self) -> float:
        """What twice as many trials would gain: the larger of the two."""
        return max(self.steady, self.last)

    @property
    def is_large(self) -> bool:
        """Whether the gain is worth the trials, beside the way that led here."""
        return self.steady > GAIN * self.way or self.last > LAST_GAIN * self.way

    @property
    def share(self) -> float:
        """The gain as a share of the way from the median trial to the best."""
        return self.gain / self.way if self.way > 0 else 0.0


def coverage(study: Study, history: History) -> tuple[Finding, ...]:
    """Whether the study had enough trials, and what twice as many would gain.

    The best of n / 4 and of n / 2 trials is known from all subsets of the trials. In d
    dimensions the distance to the optimum falls as n^(-1/d), and so the loss above it
    as n^(-2/d): every doubling gains 2^(-2/d) of what the one before has gained. That
    needs trials that are exchangeable; of an adaptive sampler, what the second half of
    the trials has gained counts in its place. It warns where the gain is more than
    11.5 % of the way from the median to the best (18 % by the doubling of n / 2 alone),
    and more than the noise of a trial where that is known.

    Two trials per dimension, in 4 dimensions or more, are found too few in at least
    90 % of the studies; ten per dimension in less than 5 %.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=10,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> coverage(study, history)[0].evidence["missing"]
    8
    """
    trials, points, losses = history.searched()
    losses = bounded(losses)
    feasible = np.isfinite(losses)
    if (valued := int(feasible.sum())) < LEAST_TRIALS:
        missing = LEAST_TRIALS - valued
        to_see = "what more would gain"
        return (too_few("coverage", to_see, valued=valued, missing=missing),)
    adaptive = is_adaptive(study.sampler, study.scientific)
    dimensions = history.space.dimensions
    active = int(np.isfinite(points).sum(axis=1).max())
    own = doubling(losses[feasible], active, adaptive=adaptive)
    found = trial_noise(history)
    noise = None if found is None else found.sd
    best = int(np.nanargmin(losses))
    evidence: dict[str, Any] = {
        "trials_ended": len(losses),
        "gain": own.gain,
        "fall": own.fall,
        "luck": own.luck,
        "noise": noise,
        "share": own.share,
        "best": trials[best].number,
        "near": _near(points, points[best]),
        "near_expected": min(NEAR, len(points)),
        "unevenness": unevenness(dimensions, points),
    }
    enough = not own.is_large or (noise is not None and own.gain <= noise)
    if enough:
        first = _enough(study, own, evidence)
    else:
        first = _few(study, own, evidence, len(trials))
    return (first, *_uneven(evidence, adaptive))


def doubling(losses: Array, dimensions: int, *, adaptive: bool) -> Doubling:
    """What twice as many trials would gain, from the losses (n,) in order of number.

    >>> found = doubling(np.linspace(0, 1, 65) ** 2, 2, adaptive=False)
    >>> 0 < found.steady < 0.01
    True
    """
    count = len(losses)
    half, quarter = count // 2, count // 4
    luck = best_of(losses, count)
    slower = 2 ** (-2 / max(dimensions, 1))
    if adaptive:
        fall = float(losses[:half].min() - losses.min())
        steady = last = slower * fall
    else:
        fall = best_of(losses, half).median - luck.median
        of_half = best_among(losses, half).mean
        steady = slower**2 * (best_among(losses, quarter).mean - of_half)
        last = slower * (of_half - float(losses.min()))
    way = float(np.median(losses) - losses.min())
    return Doubling(count, steady, last, fall, way, luck.sd, adaptive)


def unevenness(dimensions: tuple[Dimension, ...], points: Array) -> float | None:
    """The squared centered discrepancy of the points, 1 for random ones on average.

    Hickernell (1998), eq. 1.2; of independent uniform points its mean is
    ((5/4)^d - (13/12)^d) / n. Of dimensions that are always there and have at least 20
    values; None where there are none. At most 500 points are looked at, evenly spaced.
    """
    kept = [
        column
        for column, dimension in enumerate(dimensions)
        if dimension.parent is None and _is_fine(dimension)
    ]
    if not kept or not len(points):
        return None
    chosen = np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).astype(int)
    x = points[chosen][:, kept]
    n, d = x.shape
    off = np.abs(x - 0.5)
    single = np.prod(1 + off / 2 - off**2 / 2, axis=1).sum()
    both = np.ones((n, n))
    for own, column in zip(off.T, x.T, strict=True):
        apart = np.abs(column[:, None] - column[None, :])
        both *= 1 + (own[:, None] + own[None, :] - apart) / 2
    squared = (13 / 12) ** d - 2 * single / n + both.sum() / n**2
    expected = ((5 / 4) ** d - (13 / 12) ** d) / n
    return float(squared / expected)


def _is_fine(dimension: Dimension) -> bool:
    domain = dimension.domain
    if isinstance(domain, Choice):
        return False
    wide = domain.high - domain.low
    return wide > 0 if isinstance(domain, Float) else wide >= FINE


def _near(points: Array, best: Array) -> int:
    """How many trials are in the box around the best that should hold ten."""
    active = np.isfinite(best)
    volume = min(1.0, NEAR / len(points))
    half = 0.5 * volume ** (1 / max(int(active.sum()), 1))
    middle = np.clip(best[active], half, 1 - half)
    inside = np.abs(points[:, active] - middle) <= half
    return int(inside.all(axis=1).sum())


def _enough(study: Study, own: Doubling, evidence: dict[str, Any]) -> Finding:
    return Finding(
        "coverage",
        Level.OK,
        f"The trials are enough: {_said(study, own)}.",
        "",
        evidence,
    )


def _few(study: Study, own: Doubling, evidence: dict[str, Any], ended: int) -> Finding:
    """Twice as many trials; `ended` ones may be more than those with a value."""
    total = max(ended + own.count, study.trials)
    more = total - ended
    return Finding(
        "coverage",
        Level.WARNING,
        f"The trials are few for this search space: {_said(study, own)}, "
        f"{own.share:.0%} of the way from the median trial to the best.",
        f"Run {more} more trials, or narrow the space around the best.",
        {**evidence, "change": {"trials": total}},
    )


def _said(study: Study, own: Doubling) -> str:
    name = study.objective.name
    far = (
        f"by what the sampler found in its second half, another {own.count}"
        if own.adaptive
        else f"twice as many as the {own.count}"
    )
    said = f"{far} would better {name} by about {_short(own.gain)}"
    if own.luck > own.gain:
        said += f", while luck alone moves the best by {_short(own.luck)}"
    return said


def _short(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "an unknown amount"


def _uneven(evidence: dict[str, Any], adaptive: bool) -> tuple[Finding, ...]:
    """A finding where points that should be even are far from it."""
    found = evidence["unevenness"]
    if adaptive or found is None or found <= UNEVEN:
        return ()
    return (
        Finding(
            "coverage",
            Level.NOTICE,
            f"What was run leaves gaps in the search space: {found:.0f} times as "
            "uneven as random points.",
            "See whether trials are missing or were added by hand; more trials of a "
            "quasi-random sampler fill the gaps.",
            {"unevenness": found},
        ),
    )
