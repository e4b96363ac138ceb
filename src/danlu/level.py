"""The rung whose losses samplers learn from while trials are promoted.

S. Falkner, A. Klein & F. Hutter, "BOHB: Robust and Efficient Hyperparameter
Optimization at Scale", ICML 2018, Algorithm 2, line 3: the largest budget with enough
observations.
Losses of different budgets are never mixed: a short training looks worse than it is.
A rung at which all trainings are still as bad as chance has losses enough, and nothing
in them: a model takes their noise for what the hyperparameters do. So it is asked first
whether losses and params depend on one another at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .history import History
from .space import Array

# At fewer losses TPE and the first points of a Gaussian process begin anew.
LEAST_LOSSES = 10
MOST_POINTS = (
    200  # that are looked at: 40 tell what there is, and the cost is quadratic
)


def leveled(
    history: History, rungs: Sequence[int], budget: int | None = None
) -> History:
    """The history as a sampler sees it when trials are compared at `rungs`.

    It is asked for a trial that runs to the step `budget` first.

    Its level is the highest rung with a loss of at least d + 3 trials, for which the
    paper writes N_min + 2 with N_min = d + 1, and of 10, and with a signal; the lowest
    rung before one has so many losses. Where none of those with enough has a signal it
    is the full length: a sampler that knows few losses there explores. Without rungs
    the history stays as it is.

    >>> import danlu
    >>> from danlu.level import leveled
    >>> def paused(number):
    ...     return danlu.Trial(number, {"x": number / 12}, danlu.State.PAUSED, budget=3,
    ...                        curves={"loss": danlu.Curve.of({3: 1 / (1 + number)})})
    >>> history = danlu.History(
    ...     danlu.SearchSpace({"x": danlu.Float(0, 1)}), danlu.Metric("loss"),
    ...     [paused(number) for number in range(12)], max_steps=9,
    ... )
    >>> leveled(history, (1, 3, 9)).level
    3
    """
    if not rungs:
        return history
    history = replace(history, rungs=tuple(sorted(rungs)), budget=budget)
    least = max(len(history.space) + 1 + 2, LEAST_LOSSES)
    level = history.rungs[0]
    for rung in reversed(history.rungs):
        at_rung = replace(history, level=rung)
        X, y = at_rung.observed()
        known = np.isfinite(y)
        if known.sum() < least:
            continue
        if dependence(X[known], y[known]) > 0:
            return at_rung
        level = history.rungs[-1]
    return replace(history, level=level)


def dependence(X: Array, y: Array) -> float:
    """How much losses (n,) depend on points (n, d); 0 on average where they do not.

    The bias-corrected distance covariance of the points and the ranks of the losses
    (Szekely & Rizzo, 2014, "Partial distance correlation with methods for
    dissimilarities", eq. 3.2), which any kind of dependence makes positive. Of points
    drawn at random without a signal, 44 % have more than 0 (1,000 draws of 10, 20 and
    40 points in seven dimensions).

    >>> X = np.linspace(0, 1, 20)[:, None]
    >>> dependence(X, (X[:, 0] - 0.5) ** 2) > 0, dependence(X, np.ones(20))
    (True, 0.0)
    """
    if len(y) > MOST_POINTS:
        places = np.linspace(0, len(y) - 1, MOST_POINTS).round().astype(int)
        X, y = X[places], y[places]
    at = np.nan_to_num(X, nan=0.5)  # what is inactive is alike
    apart = np.sqrt(((at[:, None] - at[None]) ** 2).sum(-1))
    ranks = _ranks(y)
    n = len(y)
    together = _centered(apart) * _centered(np.abs(ranks[:, None] - ranks[None]))
    return float(together.sum() / (n * (n - 3)))


def _centered(distances: Array) -> Array:
    """Distances (n, n) whose rows sum to 0: U-centering, Szekely & Rizzo, eq. 2.1."""
    n = len(distances)
    rows = distances.sum(0) / (n - 2)
    centered: Array = distances - rows - rows[:, None] + rows.sum() / (n - 1)
    np.fill_diagonal(centered, 0.0)
    return centered


def _ranks(y: Array) -> Array:
    """The rank of each loss in [0, 1]; equals share theirs."""
    _, places, counts = np.unique(y, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts + 1) / 2)[places] / len(y)
    return ranks
