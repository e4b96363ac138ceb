"""What a study's trials say, as processes: of the loss, and of what must be kept to.

Whether a trial is feasible is learned by a process of its own (Gelbart, Snoek & Adams,
2014, "Bayesian optimization with unknown constraints"): expected improvement is
multiplied by the probability that every constraint is kept. A trial that was
infeasible for no stated reason is at +1 of such a constraint, the others at -1, and
its loss counts as the worst that is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...belief import log_belief
from ...constraint import bounded
from ...history import History
from ...space import Array
from . import acquisition
from .axes import Axes
from .evidence import Evidence, merged, telling
from .fit import most_probable, posterior
from .process import Hyper, Process, Trend, trend_mean
from .trend import trend_of
from .warp import warped

MOST_POINTS = 400  # that a process is conditioned on: its cost is cubic
MOST_PENDING = 200  # beside these: at rungs hundreds of trials wait, or were stopped
MOST_FITTED = 150  # that its hyperparameters are fitted to
BELIEF_TRIALS = 10.0  # after which a belief weighs as much as one e of improvement


@dataclass(frozen=True, eq=False)
class Model:
    """The acquisition: log expected improvement, feasibility and belief together.

    `best` is the lowest expected loss of all known points. `belief` is what the log
    density of a belief counts, beta / n, so that trials come to outweigh a wrong one
    (Hvarfner et al., 2022, "piBO").
    """

    axes: Axes
    objective: Process
    limits: Sequence[Process]
    best: float
    belief: float

    def score(self, U: Array) -> Array:
        """The log acquisition (m,) at full points (m, d)."""
        at = self.axes.embed(U)
        mean, std = self.objective.predict(at)
        score = acquisition.log_expected_improvement(mean, std, self.best)
        for limit in self.limits:
            score = score + acquisition.log_below(*limit.predict(at))
        return score + self.belief * self._log_belief(U)

    def score_with_slopes(self, U: Array) -> tuple[Array, Array]:
        """The same, and its derivatives (m, d) along the continuous columns."""
        at = self.axes.embed(U)
        mean, std, of_mean, of_std = self.objective.predict_with_slopes(at)
        score = acquisition.log_expected_improvement(mean, std, self.best)
        by_mean, by_std = acquisition.improvement_slopes(mean, std, self.best)
        slopes = by_mean[:, None] * of_mean + by_std[:, None] * of_std
        for limit in self.limits:
            mean, std, of_mean, of_std = limit.predict_with_slopes(at)
            score = score + acquisition.log_below(mean, std)
            by_mean, by_std = acquisition.below_slopes(mean, std)
            slopes = slopes + by_mean[:, None] * of_mean + by_std[:, None] * of_std
        score = score + self.belief * self._log_belief(U)
        return score, self.axes.pull_back(slopes, U) + self._belief_slopes(U)

    def _log_belief(self, U: Array) -> Array:
        active = self.axes.active(U)
        return log_belief(self.axes.space, np.where(active, U, np.nan))

    def _belief_slopes(self, U: Array) -> Array:
        """By central differences: a belief is cheap, and smooth at this scale."""
        slopes, step = np.zeros_like(U), 1e-6
        for column, dimension in enumerate(self.axes.space.dimensions):
            if dimension.domain.belief is None or not self.axes.continuous[column]:
                continue
            above, below = U.copy(), U.copy()
            above[:, column] += step
            below[:, column] -= step
            rise = self._log_belief(above) - self._log_belief(below)
            slopes[:, column] = self.belief * rise / (2.0 * step)
        return slopes


def model_of(axes: Axes, history: History, earlier: Sequence[Process]) -> Model:
    """The model after all that the history knows, and what earlier studies say.

    Pending points count as if they had come out as expected (Ginsbourger et al., 2010,
    "kriging believer").
    """
    (X, y), pending = history.observed(), history.pending()
    slacks = history.slacks()
    told = np.isfinite(y) | _failed(y, slacks)
    evidence = _evidence(axes, X[told], warped(_with_failures(y[told])))
    trend = trend_of(earlier, evidence)
    hyper = _hyper(evidence, trend)
    objective = posterior(evidence, hyper, trend=trend)
    if len(pending):
        at = axes.embed(pending)
        expected = Evidence(at, objective.mean(at), np.ones(len(at)), axes.layout)
        few = expected.take(telling(expected, MOST_PENDING))
        evidence = evidence.and_also(few.points, few.values)
        objective = posterior(evidence, hyper, trend=trend)
    seen = [own.points for own in earlier] if not len(evidence.points) else []
    means = objective.mean(np.vstack((evidence.points, *seen)))
    best = float(means.min()) if len(means) else 0.0  # nothing is feasible yet
    limits = [_limit(axes, *stated) for stated in _stated(X, y, slacks)]
    return Model(axes, objective, limits, best, BELIEF_TRIALS / max(len(y), 1))


def _failed(y: Array, slacks: Array) -> NDArray[np.bool_]:
    """Which trials were infeasible for no stated reason."""
    result: NDArray[np.bool_] = np.isnan(y) & ~(slacks > 0).any(1)
    return result


def _with_failures(losses: Array) -> Array:
    """The losses, those of failed trials (nan) as bad as the worst that is known.

    So the slope toward a region that fails is seen before it is entered. On three
    functions of which a third diverges, after 30 trials 5 % of the suggestions were
    infeasible so, and 37 % by the probability of feasibility alone; regret was alike.
    """
    known = np.isfinite(losses)
    worst = losses[known].max() if known.any() else 0.0
    return np.where(known, losses, worst)


def _hyper(evidence: Evidence, trend: Trend = ()) -> Hyper:
    """The most probable hyperparameters of what the trend does not explain."""
    rest = replace(
        evidence, values=evidence.values - trend_mean(trend, evidence.points)
    )
    return most_probable(rest.take(telling(evidence, MOST_FITTED)))


def _stated(X: Array, y: Array, slacks: Array) -> Iterator[tuple[Array, Array]]:
    """Points and slacks of each constraint, and of being feasible at all."""
    for known, slack in zip(~np.isnan(slacks.T), bounded(slacks).T, strict=True):
        if known.any():
            size = np.median(np.abs(slack[known])) or 1.0
            yield X[known], np.arcsinh(slack[known] / size)  # tames the tails, keeps 0
    failed = _failed(y, slacks)
    if failed.any():
        unexplained = np.isfinite(y) | failed
        yield X[unexplained], np.where(failed[unexplained], 1.0, -1.0)


def _limit(axes: Axes, X: Array, slack: Array) -> Process:
    """The process of a slack; where nothing is known, as likely kept as on average."""
    level = float(slack.mean())
    evidence = _evidence(axes, X, slack)
    hyper = _hyper(replace(evidence, values=evidence.values - level))
    return posterior(evidence, hyper, level)


def _evidence(axes: Axes, X: Array, values: Array) -> Evidence:
    every = merged(axes.embed(X), values, axes.layout)
    return every.take(telling(every, MOST_POINTS))
