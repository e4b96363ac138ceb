"""A10: the best learning rate lies right below the rates at which training diverges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..domain import Float
from ..history import History
from ..space import Array, Dimension
from ..study import Study
from .base import Finding, Level, too_few
from .bias import is_adaptive
from .bounded import bounded
from .edges import LEAST_TOP, TOP_SHARE
from .names import RATE, WARMUP, fits
from .splits import Side, region_of
from .surface import edge_slope

LEAST_TRIALS = 12
SIGNIFICANT = 0.05
NEAR = 0.75  # decades below the edge in which "right below" is, for the best trials
NEAR_LINEAR = 0.25  # of the range, on a linear scale
RAISED = 10.0  # playbook A10: "then re-run with 10x the lr"
WARMUP_SHARE = 0.1  # of the steps; more is too long (playbook T14)


def edge_of_stability(study: Study, history: History) -> tuple[Finding, ...]:
    """Whether instability limits the learning rate, for each one in the space.

    Three things together: above some rate trials are infeasible (a split found as in
    `infeasible`), the median of the best max(5, 10 %) trials is within three quarters
    of a decade below it, and the loss of the feasible ones still falls toward it
    (one-sided t-test of a quadratic surface, `surface.edge_slope`). Found in at least
    90 % of the studies of 40 trials where a bowl's lowest point is a decade above the
    edge, with a quarter of the trials beyond it; with the lowest point a decade below,
    less than 5 % alarm.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=10,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> edge_of_stability(study, history)[0].message
    'There is no learning rate in the search space.'
    """
    dimensions = history.space.dimensions
    rates = [
        column
        for column, dimension in enumerate(dimensions)
        if fits(dimension.name, RATE) and isinstance(dimension.domain, Float)
    ]
    if not rates:
        return (_fine("There is no learning rate in the search space."),)
    _, points, losses = history.searched()
    losses = bounded(losses)
    return tuple(
        _rate(study, dimensions, (points, losses), column, SIGNIFICANT / len(rates))
        for column in rates
    )


def _rate(
    study: Study,
    dimensions: Sequence[Dimension],
    table: tuple[Array, Array],
    column: int,
    error_rate: float,
) -> Finding:
    active = np.isfinite(table[0][:, column])
    points, losses = table[0][active], table[1][active]
    feasible = np.isfinite(losses)
    path = dimensions[column].path
    if feasible.sum() < LEAST_TRIALS:
        valued = int(feasible.sum())
        return too_few(
            "edge-of-stability",
            f"whether {path} is limited by divergence",
            valued=valued,
            missing=LEAST_TRIALS - valued,
            path=path,
        )
    edge = _edge(dimensions[column], points[:, [column]], ~feasible, error_rate)
    if edge is None:
        return _fine(f"No value of {path} is seen above which training diverges.", path)
    sight = _Sight(dimensions, points[feasible], losses[feasible], column, edge)
    if not sight.is_near or sight.p > error_rate:
        return _fine(
            f"Training diverges with {edge.words}, and the best trials are well below.",
            path,
        )
    return _limited(study, sight)


def _edge(
    dimension: Dimension, places: Array, diverged: Array, error_rate: float
) -> Side | None:
    """Above which rate trials are infeasible, None where that is not seen."""
    region = region_of([dimension], places, diverged.astype(float))
    if region is None or region.p > error_rate or not region.sides[0].upper:
        return None
    return region.sides[0]


@dataclass(frozen=True)
class _Sight:
    """The feasible trials (n, d), seen from the edge of one rate."""

    dimensions: Sequence[Dimension]
    points: Array
    losses: Array
    column: int
    edge: Side

    @property
    def is_near(self) -> bool:
        """Whether the best trials are right below the edge, or among those above."""
        domain = self.dimensions[self.column].domain
        count = max(LEAST_TOP, math.ceil(TOP_SHARE * len(self.losses)))
        best = np.argsort(self.losses, kind="stable")[:count]
        distance = self.edge.cut - float(np.median(self.points[best, self.column]))
        near = NEAR_LINEAR
        if isinstance(domain, Float) and domain.log:
            near = NEAR / math.log10(domain.high / domain.low)
        return distance <= near

    @property
    def p(self) -> float:
        """That of the loss not falling toward the edge, 1 with too few trials."""
        slope = edge_slope(
            self.dimensions, self.points, self.losses, column=self.column, upper=True
        )
        return 1.0 if slope is None else slope.p


def _limited(study: Study, sight: _Sight) -> Finding:
    dimension = sight.dimensions[sight.column]
    edge, path = float(sight.edge.value or 0), dimension.path
    high = float(f"{RAISED * edge:.2g}")
    own: dict[str, Any] = {"low": dimension.domain.low, "high": high}  # type: ignore[union-attr]
    if dimension.domain.log:  # type: ignore[union-attr]
        own["log"] = True
    space: dict[str, Any] = {path: own}
    names = [other.name for other in sight.dimensions]
    if not any(fits(name, WARMUP) for name in (*names, *study.fixed)):
        space["warmup_share"] = {"add": {"low": 0.0, "high": WARMUP_SHARE}}
    bias = ""
    if is_adaptive(study.sampler, study.scientific):
        bias = " (as far as the sampler went)"
    return Finding(
        "edge-of-stability",
        Level.WARNING,
        f"Training diverges with {sight.edge.words}{bias}, and {study.objective.name} "
        "still gets better up to there: the model is limited by instability.",
        f"Add a learning rate warm-up or clip gradients, and search {path} up to "
        f"{high:g}.",
        {"path": path, "edge": edge, "p": sight.p, "change": {"space": space}},
    )


def _fine(message: str, path: str | None = None) -> Finding:
    evidence = {} if path is None else {"path": path}
    return Finding("edge-of-stability", Level.OK, message, evidence=evidence)
