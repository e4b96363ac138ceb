"""The tree-structured Parzen estimator (Bergstra et al., 2011, section 4).

The trials are split into the few best and the rest. Each part becomes a density of
params. Of some points drawn from the density of the best, the next trial is the one
where the ratio of the two densities is largest: the expected improvement grows with
that ratio (their section 4.1).

A constraint is one more split, into the trials that keep it and those that break it,
and one more ratio (Watanabe & Hutter, 2023, "c-TPE: Tree-structured Parzen estimator
with inequality constraints for expensive hyperparameter optimization"). An earlier
study is split as this one is; what it says weighs as much as one trial.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..belief import spread
from ..constraint import violations
from ..errors import SamplerError
from ..history import History
from ..sequence import point
from ..space import Array, Params, SearchSpace
from .base import Sampler, Suggestion
from .parzen import Axes, Blend, around, axes

Rows: TypeAlias = NDArray[np.intp]

# Chosen on 11 tuning tasks of 50 trials each, 12 seeds.
SHARE_OF_BEST = 0.1  # to 0.2 they were alike
MOST_OF_BEST = 25  # so that the best stay the best in long studies (hyperopt's rule)
MOST_OF_REST = 1000  # kernels: bounds the work, whatever the number of trials
CANDIDATES = 64  # 128 were no better, 24 worse
TRUST = 1.0  # kernels that an earlier study weighs as much as: what is believed is one
LEAST_EARLIER = 3  # its trials with a loss, below which an earlier study tells nothing


@dataclass(frozen=True)
class TPE(Sampler):
    """Params that the best trials make likely and the others do not.

    The first `start` trials are points of a quasi-random sequence, every other one of
    them if there is an earlier study to learn from. Trials that still run count among
    the others, and so do those that are infeasible for no stated reason; those that
    break a constraint tell where it is kept. Works on spaces of any kind, conditional
    ones included, and takes milliseconds at 10,000 trials.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> trials = [
    ...     danlu.Trial(n, {"x": n / 20}, danlu.State.COMPLETED,
    ...                 curves={"loss": danlu.Curve.of({1: abs(n / 20 - 0.3)})})
    ...     for n in range(20)
    ... ]
    >>> history = danlu.History(space, danlu.Metric("loss"), trials, position=20)
    >>> asked = danlu.samplers.TPE().ask(history, numpy.random.default_rng(0))
    >>> 0.2 < asked.params["x"] < 0.4
    True

    Raises:
        SamplerError: `start` is not a whole number from 1.
    """

    start: int = 10

    def __post_init__(self) -> None:
        if type(self.start) is not int or self.start < 1:
            raise SamplerError(
                f"TPE(start=...) is a whole number from 1, got {self.start!r}: "
                "10 trials are enough to tell better from worse"
            )

    def ask(self, history: History, rng: Generator) -> Suggestion:
        """The most promising of some candidates that was not tried before."""
        points, losses = history.observed()
        earlier = [own for own in history.transferred() if _tells(own)]
        if len(losses) < self.start and (not earlier or history.position % 2):
            return Suggestion(_quasi_random(history))
        running, shown = history.pending(), axes(history.space)
        few = running[_some(np.arange(len(running)), rng)]
        broken = _broken(losses, history.slacks())
        best, rest = split(losses, broken)
        rest = rest[(broken[rest] == 0) | np.isinf(broken[rest])]
        others = np.concatenate([points[_some(rest, rng)], few])
        sides = _with_earlier(_sides(shown, points[best], others), earlier, rng)
        limits = _limits(shown, points, history.slacks(), rng)
        candidates = sides.good.sample(CANDIDATES, rng)
        ranked = candidates[np.argsort(-_gain(sides, list(limits), candidates))]
        known = np.concatenate([points, running, history.failed()])
        return Suggestion(_untried(history.space, ranked, known, rng))


def split(losses: Array, broken: Array) -> tuple[Rows, Rows]:
    """Rows of the best trials, best first, and of the rest.

    Trials that break a constraint come after those that keep all, by how much they are
    `broken` in all (n,); last come those where that is inf, which are never the best.

    >>> import numpy
    >>> losses = numpy.array([3.0, numpy.nan, 1.0, numpy.nan])
    >>> best, rest = split(losses, numpy.array([0.0, numpy.inf, 0.0, 0.5]))
    >>> best.tolist(), rest.tolist()
    ([2], [0, 3, 1])
    """
    order = np.lexsort((losses, broken))
    count = min(ceil(SHARE_OF_BEST * len(losses)), MOST_OF_BEST)
    count = min(count, int(np.isfinite(broken).sum()))
    return order[:count], order[count:]


def _broken(losses: Array, slacks: Array) -> Array:
    """By how much trials break their constraints; inf where nobody knows why."""
    broken = violations(slacks)
    return np.where(np.isnan(losses) & (broken == 0), np.inf, broken)


@dataclass(frozen=True, eq=False)
class _Sides:
    """The densities on both sides of a split; the good one has this share of it."""

    good: Blend
    bad: Blend
    share: float

    def log_ratio(self, points: Array) -> Array:
        """The logarithm of good / bad (m,) at the points (m, d)."""
        return self.good.log_density(points) - self.bad.log_density(points)

    def log_relative(self, points: Array) -> Array:
        """That of good / all: c-TPE's relative ratio, 1 / (gamma + (1 - gamma) / r).

        It is at most 1 / gamma: where nearly all keep a constraint, it says little.
        """
        rest = np.log1p(-self.share) - self.log_ratio(points)
        relative: Array = -np.logaddexp(np.log(self.share), rest)
        return relative


def _gain(sides: _Sides, limits: Sequence[_Sides], points: Array) -> Array:
    """What the points (m, d) promise: the more, the larger."""
    if not limits:
        return sides.log_ratio(points)  # the order is that of the relative one
    gains = [own.log_relative(points) for own in (sides, *limits)]
    total: Array = np.sum(gains, axis=0)
    return total


def _sides(shown: Axes, good: Array, bad: Array) -> _Sides:
    """Kernels around both; on each side what is believed is one more."""
    share = (len(good) + 1) / (len(good) + len(bad) + 2)
    densities = [Blend([around(shown, own)], np.ones(1)) for own in (good, bad)]
    return _Sides(densities[0], densities[1], share)


def _with_earlier(
    own: _Sides, earlier: Sequence[tuple[Array, Array]], rng: Generator
) -> _Sides:
    """Both sides with those of earlier studies, points (n, d) and losses (n,)."""
    if not earlier:
        return own
    shown, others = own.good.parts[0].axes, []
    for points, losses in earlier:
        best, rest = split(losses, np.where(np.isnan(losses), np.inf, 0.0))
        others.append(_sides(shown, points[best], points[_some(rest, rng)]))
    return _Sides(
        _blended(own.good, [other.good for other in others]),
        _blended(own.bad, [other.bad for other in others]),
        own.share,
    )


def _blended(own: Blend, others: Sequence[Blend]) -> Blend:
    """The density of this study's trials, and each other one at the weight `TRUST`."""
    (mixture,) = own.parts
    weights = np.array([1 / mixture.share, *[TRUST] * len(others)])  # share of a kernel
    parts = [mixture, *(other.parts[0] for other in others)]
    return Blend(parts, weights / weights.sum())


def _limits(
    shown: Axes, points: Array, slacks: Array, rng: Generator
) -> Iterator[_Sides]:
    """For each constraint that somebody broke, those that keep it and the others.

    Where nobody keeps it, those that break it least do: they show the way.
    """
    for slack in slacks.T:
        broken = np.flatnonzero(slack > 0)
        kept = np.flatnonzero(slack <= 0)
        if not len(broken):
            continue
        if not len(kept):
            least = broken[np.argsort(slack[broken], kind="stable")]
            count = ceil(SHARE_OF_BEST * len(broken))
            kept, broken = least[:count], least[count:]
        yield _sides(shown, points[_some(kept, rng)], points[_some(broken, rng)])


def _tells(earlier: tuple[Array, Array]) -> bool:
    """Whether an earlier study, points and losses, has trials enough."""
    return int(np.isfinite(earlier[1]).sum()) >= LEAST_EARLIER


def _some(rows: Rows, rng: Generator) -> Rows:
    """`rows`, or a random part of them: their density without bias."""
    if len(rows) <= MOST_OF_REST:
        return rows
    return rng.choice(rows, MOST_OF_REST, replace=False)


def _quasi_random(history: History) -> Params:
    """The params at the point of the sequence that is due."""
    space = history.space
    u = point("sobol", len(space), history.seed, history.position)
    return space.decode(spread(space, u[None])[0])


def _untried(space: SearchSpace, ranked: Array, known: Array, rng: Generator) -> Params:
    """The first of `ranked` that is not `known`, else any point that is not.

    Where a small space leaves nothing new in reach, the first one is tried again.
    """
    anywhere = spread(space, rng.random(ranked.shape))
    looked_at = set()  # a small space comes back to the same points
    for u in (*ranked, *anywhere):
        params = space.decode(u)
        here = space.encode(params)
        if here.tobytes() in looked_at:
            continue
        looked_at.add(here.tobytes())
        same = (known == here) | (np.isnan(known) & np.isnan(here))
        if not same.all(axis=1).any():
            return params
    return space.decode(ranked[0])
