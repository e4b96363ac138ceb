"""Bayesian optimization with a Gaussian process (Jones, Schonlau & Welch, 1998).

After each trial a process is fitted to all losses, and the next params are where the
expected improvement is largest. The folder is the method in its parts: `axes` (points
as vectors), `kernel`, `evidence`, `process` (the posterior), `fit` (hyperparameters),
`warp` (losses), `acquisition`, `model` (all of these together) and `search`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from ...belief import due, is_refuted, spread, without_beliefs
from ...blas import on_one_thread
from ...errors import SamplerError
from ...history import History
from ...number import is_count
from ...sequence import point
from ...space import Array
from ..base import Sampler, Suggestion
from .axes import Axes
from .model import model_of
from .search import Search
from .trend import processes_of

GOOD_POINTS = 10  # best observed ones, around which the search looks more closely
TAKEN = 1e-6  # coordinates closer than that to a known point: the same params
CLOSE = 0.01  # of the range in every coordinate: what is running will say the same


@dataclass(frozen=True)
class GP(Sampler):
    """Params where a Gaussian process expects the largest improvement.

    The first trials are the middle of the space and then quasi-random points, until
    `min_trials` have ended, infeasible ones among them. Good for up to some hundreds of
    trials that are costly; from 400 on the process sees a part of them. Beliefs count
    for a share of the trials, and no longer once the losses contradict them; earlier
    studies for every other trial.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> history = danlu.History(space, danlu.Metric("loss"))
    >>> danlu.samplers.GP().ask(history, numpy.random.default_rng(0)).params
    {'x': 0.5}

    Raises:
        SamplerError: `min_trials` is not a whole number from 1.
    """

    min_trials: int = 4

    def __post_init__(self) -> None:
        if not is_count(self.min_trials):
            raise SamplerError(
                f"GP needs min_trials >= 1, a whole number, got {self.min_trials!r}"
            )

    @on_one_thread
    def ask(self, history: History, rng: Generator) -> Suggestion:
        """The params of highest log expected improvement, tried by nobody so far."""
        X, y = history.observed()
        space = due(history.space, history.position)
        axes = Axes(without_beliefs(space) if is_refuted(space, X, y) else space)
        earlier = []
        if history.position % 2 == 0:  # so that one about something else costs half
            earlier = processes_of(axes, history.transferred())
        if len(y) < self.min_trials and not earlier:
            return Suggestion(history.space.decode(_first(history)))
        model = model_of(axes, history, earlier)
        search = Search(axes, model.score, model.score_with_slopes)
        good = X[np.argsort(np.where(np.isnan(y), np.inf, y), kind="stable")]
        ranked = search.ranked(good[:GOOD_POINTS], rng)
        known = np.concatenate([X, history.failed()])
        chosen = _untried(axes, ranked, known, history.pending())
        return Suggestion(history.space.decode(chosen))


def _first(history: History) -> Array:
    """The middle of the cube, then quasi-random points, spread as is believed."""
    dimensions, position = len(history.space), history.position
    u = np.full(dimensions, 0.5)
    if position:
        u = point("sobol", dimensions, history.seed, position - 1)
    first: Array = spread(due(history.space, position), u[None])[0]
    return first


def _untried(axes: Axes, ranked: Array, known: Array, pending: Array) -> Array:
    """The first of the ranked points (m, d) that is not known, nor close to pending."""
    tried, running = axes.embed(known), axes.embed(pending)
    for distance in (CLOSE, TAKEN):
        for place, at in enumerate(axes.embed(ranked)):
            if not (_is_near(at, tried, TAKEN) or _is_near(at, running, distance)):
                return np.asarray(ranked[place])
    return np.asarray(ranked[0])  # all has been tried: what is best may be repeated


def _is_near(point: Array, others: Array, distance: float) -> bool:
    """Whether one of the others (n, p) is as near in every coordinate."""
    return bool((np.abs(others - point) < distance).all(1).any())
