"""Population-based bandits (PB2): explore by a Gaussian process.

J. Parker-Holder, V. Nguyen, S. Roberts, "Provably Efficient Online Hyperparameter
Optimization with Population-Based Bandits", NeurIPS 2020, Algorithm 1. The process
learns by how much the loss fell in each generation under which params, and forgets:

    k((x, t), (x', t')) = exp(-|x - x'|^2 / (2 l^2)) (1 - omega)^(|t - t'| / 2)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.random import Generator

from ..blas import on_one_thread
from ..history import History
from ..space import Array, Params
from ..trial import State, Trial
from ..value import Value
from .base import Resume, Scheduler, Start, Verdict
from .explore import explored_point, is_number
from .population import Population, Replacement, loss_at, members
from .rungs import paused_at_budget

# What the likelihood chooses from: lengths in the unit cube, shares forgotten within a
# generation, noise as a share of the variance.
LENGTHS = (0.1, 0.2, 0.4, 0.8)
OMEGAS = (0.0, 0.03, 0.1, 0.3)
NOISES = (0.01, 0.1, 0.5)
MOST_GAINS = 200  # the latest: older ones are forgotten, and the cost is cubic
CANDIDATES = 1000


@dataclass(frozen=True)
class Pb2(Scheduler):
    """Population-based training in which a model chooses the children's params.

    As `Pbt`, but the new params are those that promise the largest fall of the loss in
    the next generation, by the upper confidence bound of a Gaussian process over params
    and time. For a small `population`. Options without an order are treated as in
    `Pbt`, and so is everything before there is a generation to learn from.

    >>> import danlu
    >>> danlu.schedulers.Pb2(population=4).interval is None
    True

    Raises:
        StudyError: a setting is impossible.
    """

    population: int = 8  # the paper's own are 4 and 8
    interval: int | None = None
    share: float = 0.25  # the paper's lambda, section 5

    def __post_init__(self) -> None:
        self._population()

    @on_one_thread
    def next(self, history: History, rng: Generator) -> Start | Resume | None:
        """A member to begin, a child to replace one, or a member to go on.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        population = self._population()
        found = population.next(history)
        if not isinstance(found, Replacement):
            return found
        parent = found.parents[rng.integers(len(found.parents))]
        interval = population.steps(history)
        params = _chosen(history, found, parent.params, interval, rng)
        return Start(found.budget, params, parent.number, found.note)

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To pause at the end of a generation, else to continue."""
        return paused_at_budget(trial, history)

    def _population(self) -> Population:
        return Population("Pb2", self.population, self.interval, self.share)


@dataclass(frozen=True)
class _Gains:
    """Points (n, d + 1), time last, and by how much the loss fell there (n,)."""

    points: Array
    gains: Array


def _chosen(
    history: History, found: Replacement, parent: Params, interval: int, rng: Generator
) -> dict[str, Value]:
    """The params with the highest upper confidence bound, beside what others run."""
    space = history.space
    base = explored_point(space, parent, rng, resample=0.0)
    numbers = [is_number(dimension.domain) for dimension in space.dimensions]
    gains = _gains(history, interval)
    if len(gains.gains) < 2 or not any(numbers):
        return space.decode(explored_point(space, parent, rng, resample=0.25))
    now = found.step / interval
    candidates = np.tile(base, (CANDIDATES, 1))
    candidates[:, numbers] = rng.random((CANDIDATES, sum(numbers)))
    points = np.column_stack([candidates, np.full(CANDIDATES, now)])
    running = _running(history, found.step, now)
    columns = [*numbers, True]
    best = _highest_bound(
        gains.points[:, columns], gains.gains, points[:, columns], running[:, columns]
    )
    return space.decode(candidates[best])


def _gains(history: History, interval: int) -> _Gains:
    """What the latest generations gained, those of all trials."""
    own = {trial.number: trial for trial in history.trials}
    starts = sorted(
        (start, trial.number)
        for trial in history.trials
        if "member" in trial.scheduler_note
        for start in _starts(trial, interval)
    )
    rows: list[tuple[Array, float]] = []
    while starts and len(rows) < MOST_GAINS:
        start, number = starts.pop()
        gain = _gain(history, own, own[number], start, interval)
        if math.isfinite(gain) and own[number].params in history.space:
            point = _point(history, own[number].params)
            rows.append((np.append(point, start / interval), gain))
    if not rows:
        return _Gains(np.zeros((0, len(history.space) + 1)), np.zeros(0))
    points, gains = zip(*reversed(rows), strict=True)
    return _Gains(np.array(points), np.array(gains))


def _starts(trial: Trial, interval: int) -> range:
    """The steps at which the generations begin that a trial went through."""
    born = int(trial.scheduler_note["step"])
    return range(born, trial.step + 1 - interval, interval)


def _gain(
    history: History, own: Mapping[int, Trial], trial: Trial, start: int, interval: int
) -> float:
    """By how much the loss fell in a generation; a child begins with its parent's."""
    is_first = start == int(trial.scheduler_note["step"])
    parent = own[trial.parent] if is_first and trial.parent is not None else trial
    after = loss_at(history, trial, start + interval)
    return loss_at(history, parent, start) - after


def _running(history: History, step: int, now: float) -> Array:
    """Points (n, d + 1) of those whose next generation has been decided."""
    alive = [own for own in members(history).values() if own.params in history.space]
    going = [
        np.append(_point(history, own.params), now)
        for own in alive
        if not own.state.ended
        and (own.state is State.RUNNING or (own.budget or step) > step)
    ]
    return np.array(going).reshape(-1, len(history.space) + 1)


def _point(history: History, params: Params) -> Array:
    """The point of the params; dimensions that they do not have are in the middle."""
    return np.nan_to_num(history.space.encode(params), nan=0.5)


def _highest_bound(X: Array, y: Array, candidates: Array, running: Array) -> int:
    """The candidate with the highest mean + sqrt(beta) sd.

    Those that run count for the standard deviation, not for the mean (Desautels et al.,
    2014, GP-BUCB). beta = 0.2 + log(0.4 n) is that of the paper's authors' code.
    """
    y = (y - y.mean()) / (y.std() or 1.0)
    settings = _likeliest(X, y)
    mean, _ = _posterior(X, y, candidates, settings)
    both = np.vstack([X, running])
    _, variance = _posterior(both, np.zeros(len(both)), candidates, settings)
    beta = 0.2 + max(0.0, math.log(0.4 * len(X)))
    return int(np.argmax(mean + np.sqrt(beta * variance)))


def _kernel(left: Array, right: Array, length: float, omega: float) -> Array:
    """The covariances (n, m) of points whose last column is the time."""
    return _covariances(*_distances(left, right), length, omega)


def _distances(left: Array, right: Array) -> tuple[Array, Array]:
    """How far points are from one another, squared (n, m), and in time (n, m)."""
    squares = ((left[:, None, :-1] - right[None, :, :-1]) ** 2).sum(axis=2)
    return squares, np.abs(left[:, None, -1] - right[None, :, -1])


def _covariances(squares: Array, apart: Array, length: float, omega: float) -> Array:
    near: Array = np.exp(-squares / (2 * length**2)) * (1 - omega) ** (apart / 2)
    return near


def _likeliest(X: Array, y: Array) -> tuple[float, float, float]:
    """The length, omega and noise with the highest evidence."""
    distances = _distances(X, X)

    def evidence(settings: tuple[float, float, float]) -> float:
        length, omega, noise = settings
        return _evidence(_covariances(*distances, length, omega), y, noise)

    return max(product(LENGTHS, OMEGAS, NOISES), key=evidence)


def _evidence(K: Array, y: Array, noise: float) -> float:
    """The log marginal likelihood, up to a constant, with covariances (n, n)."""
    L = np.linalg.cholesky(K + noise * np.eye(len(K)))
    half = np.linalg.solve(L, y)
    return float(-half @ half / 2 - np.log(np.diag(L)).sum())


def _posterior(
    X: Array, y: Array, candidates: Array, settings: tuple[float, float, float]
) -> tuple[Array, Array]:
    """Mean (m,) and variance (m,) at the candidates."""
    length, omega, noise = settings
    L = np.linalg.cholesky(_kernel(X, X, length, omega) + noise * np.eye(len(X)))
    across = np.linalg.solve(L, _kernel(X, candidates, length, omega))
    mean = across.T @ np.linalg.solve(L, y)
    return mean, np.maximum(1 - (across**2).sum(axis=0), 0.0)
