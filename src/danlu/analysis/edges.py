"""What the best trials say of each edge of a search space (A1)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from ..domain import Choice
from ..space import Array, Dimension
from ..trial import State, Trial
from .surface import Slope, edge_slope

Places = NDArray[np.int_]

STRIP = 0.1  # "within 10 % of an edge", playbook A1
TOP_SHARE, LEAST_TOP = 0.1, 5  # the best k = max(5, 10 %), playbook A1
LEAST_TRIALS = 12  # with a loss: fewer cannot make the tests significant
# Share of the trials that the surface is laid through: a parabola fits the worst ones,
# on plateaus and in divergence, less than those around the best.
BETTER = 0.75
# Trials of the surface that are not beside the edge, or all: an adaptive sampler may
# have put the better ones at the bound itself, and these show no slope.
LEAST_AWAY = 5


@dataclass(frozen=True)
class Edge:
    """One edge of a hyperparameter and the trials beside it.

    `inside` of the best `top` trials are within 10 % of it, where `expected` are by
    chance among the trials that were run; `p` is the probability of that many or more.
    `outer` is the median place of the best, 1 at this edge and 0 at the other one.
    `infeasible` is the share of the trials beside the edge that are, of at least two.
    """

    dimension: Dimension
    upper: bool
    top: int
    inside: int
    expected: float
    p: float
    outer: float
    infeasible: float
    slope: Slope | None
    trials: tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """Trials with their points (n, d) and losses (n,), nan where infeasible."""

    dimensions: Sequence[Dimension]
    trials: Sequence[Trial]
    points: Array
    losses: Array

    def where(self, rows: NDArray[np.bool_]) -> Sample:
        """Only the rows (n,) that are true."""
        trials = [self.trials[place] for place in np.nonzero(rows)[0].tolist()]
        return replace(
            self, trials=trials, points=self.points[rows], losses=self.losses[rows]
        )


def edges(sample: Sample) -> Iterator[Edge]:
    """Both edges of every ordered hyperparameter that has enough trials."""
    for column, dimension in enumerate(sample.dimensions):
        own = sample.where(np.isfinite(sample.points[:, column]))
        feasible = np.isfinite(own.losses)
        if feasible.sum() < LEAST_TRIALS or not _ordered(dimension):
            continue
        if len(np.unique(own.points[feasible, column])) < 2:
            continue
        for upper in (False, True):
            yield _edge(own, column, upper)


def _ordered(dimension: Dimension) -> bool:
    domain = dimension.domain
    return not isinstance(domain, Choice) or domain.ordered


def _edge(own: Sample, column: int, upper: bool) -> Edge:
    u = own.points[:, column]
    places = u if upper else 1 - u
    strip = (places >= 1 - STRIP) | (places == places.max())
    feasible = np.isfinite(own.losses)
    ranked = np.argsort(own.losses, kind="stable")[: feasible.sum()]
    top = max(LEAST_TOP, math.ceil(TOP_SHARE * len(ranked)))
    best = ranked[:top]
    inside = int(strip[best].sum())
    beside = int((strip & feasible).sum())
    bad = int((strip & ~feasible).sum())
    better = _better(_comparable(own, ranked), strip)
    return Edge(
        dimension=own.dimensions[column],
        upper=upper,
        top=top,
        inside=inside,
        expected=top * beside / len(ranked),
        p=float(hypergeom.sf(inside - 1, len(ranked), beside, top)),
        outer=float(np.median(places[best])),
        infeasible=bad / (bad + beside) if bad > 1 else 0.0,
        slope=edge_slope(
            own.dimensions,
            own.points[better],
            own.losses[better],
            column=column,
            upper=upper,
        ),
        trials=tuple(own.trials[place].number for place in best if strip[place]),
    )


def _comparable(own: Sample, ranked: Places) -> Places:
    """The ranked rows that no scheduler stopped; all where these are too few.

    A trial that was stopped early is above the surface by what it had still to learn.
    """
    stopped = [own.trials[place].state is State.STOPPED for place in ranked]
    whole = ranked[~np.array(stopped)]
    return whole if len(whole) >= LEAST_TRIALS else ranked


def _better(ranked: Places, strip: NDArray[np.bool_]) -> Places:
    """The better share of the ranked rows, with enough of them off the strip."""
    away = np.cumsum(~strip[ranked])
    enough = int(np.searchsorted(away, LEAST_AWAY)) + 1
    return ranked[: max(math.ceil(BETTER * len(ranked)), enough)]
