"""A1: the best trials crowd an edge of the search space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..domain import Choice, Value
from ..history import History
from ..study import Study
from .base import Finding, Level
from .bias import is_adaptive
from .bounded import bounded
from .edges import LEAST_TRIALS, Edge, Sample, edges
from .widen import widened

CROWDED, FALLING = 0.01, 0.04  # error rates of the two tests, over all edges of a study
OUTER = 2 / 3  # where the best have their median before a falling surface counts
TRIALS_PER_DIMENSION = 4
INFEASIBLE_SHARE = 0.2  # beside an edge: the bound is there for a reason
MARGIN = 0.25  # of the range, beyond the lowest point that the surface shows
UNSEEN = 0.5  # of the range, where the surface shows no lowest point
MOST = 1.0  # of the range: an extrapolation is not trusted further


def boundary(study: Study, history: History) -> tuple[Finding, ...]:
    """One finding for each bound that the best trials crowd, with its new value.

    Two tests for both edges of every ordered hyperparameter, with Bonferroni's
    correction for all of them: (1) how many of the best k = max(5, 10 %) trials are
    within 10 % of the edge, beside a random choice of k among the trials that were run
    (hypergeometric; it holds for any sampler); (2) whether a quadratic surface through
    the better three quarters of the trials still falls at the edge, where also the
    median of the best k is in the outer third. Of a conditional hyperparameter the
    trials count in which it is active.

    A bowl whose lowest point is a fifth of the range outside is found in at least 90 %
    of the studies of 10 trials per dimension (at least 20), where the others matter as
    much and noise is 5 % of a bowl's height. Healthy studies alarm in less than 5 %.

    >>> import danlu
    >>> space = danlu.SearchSpace({"lr": danlu.Float(1e-4, 1e-2, log=True)})
    >>> study = danlu.Study(name="s", goal="Which lr?", metric="loss", trials=16,
    ...                     space=space, sampler="quasi_random")
    >>> trials = [danlu.Trial(k, space.decode([k / 15]), danlu.State.COMPLETED,
    ...                       curves={"loss": danlu.Curve.of({1: 2 - k / 15})})
    ...           for k in range(16)]
    >>> history = danlu.History(space, study.objective, trials)
    >>> boundary(study, history)[0].evidence["change"]
    {'space': {'lr': {'low': 0.0001, 'high': 0.1, 'log': True}}}
    """
    trials, points, losses = history.searched()
    sample = Sample(history.space.dimensions, trials, points, bounded(losses))
    feasible = int(np.isfinite(sample.losses).sum())
    need = max(LEAST_TRIALS, TRIALS_PER_DIMENSION * len(sample.dimensions))
    if feasible < need:
        return (_unknown(feasible, need),)
    looked_at = list(edges(sample))
    crowded = [edge for edge in looked_at if _is_crowded(edge, len(looked_at))]
    closed = [edge for edge in crowded if edge.infeasible >= INFEASIBLE_SHARE]
    found = [_finding(study, edge) for edge in crowded if edge not in closed]
    return tuple(found) or (_fine(looked_at, closed),)


def _is_crowded(edge: Edge, tests: int) -> bool:
    if edge.p <= CROWDED / tests:
        return True
    slope = edge.slope
    return slope is not None and slope.p <= FALLING / tests and edge.outer >= OUTER


def _unknown(feasible: int, need: int) -> Finding:
    return Finding(
        "boundary",
        Level.UNKNOWN,
        f"{feasible} trials with a value are too few to see whether the best lie at "
        "the edge of the search space.",
        f"Run {need - feasible} more trials.",
        {"missing": need - feasible},
    )


def _fine(looked_at: Sequence[Edge], closed: Sequence[Edge]) -> Finding:
    message = "The best trials crowd no bound of the search space."
    if closed:
        names = ", ".join(_bound(edge) for edge in closed)
        message = (
            f"The best trials lie at {names}, and beside it trials are infeasible: the "
            "bound is where it belongs."
        )
    return Finding(
        "boundary",
        Level.OK,
        message,
        evidence={"paths": sorted({edge.dimension.path for edge in looked_at})},
    )


def _finding(study: Study, edge: Edge) -> Finding:
    fields = widened(edge.dimension, edge.upper, _share(edge))
    path = edge.dimension.path
    evidence: dict[str, Any] = {
        "path": path,
        "edge": "high" if edge.upper else "low",
        "bound": _value(edge),
        "top": edge.top,
        "inside": edge.inside,
        "expected": edge.expected,
        "p_crowded": edge.p,
        "p_falling": None if edge.slope is None else edge.slope.p,
        "trials": list(edge.trials),
    }
    if fields is not None:
        evidence["change"] = {"space": {path: fields}}
    return Finding(
        "boundary",
        Level.WARNING,
        _message(study, edge),
        _advice(edge, fields),
        evidence,
    )


def _share(edge: Edge) -> float:
    """How far the bound should move, as a share of the range."""
    if edge.slope is None or edge.slope.beyond is None:
        return UNSEEN
    return min(edge.slope.beyond + MARGIN, MOST)


def _message(study: Study, edge: Edge) -> str:
    name = study.objective.name
    chance = f"{edge.inside} of the best {edge.top} trials are there"
    if is_adaptive(study.sampler, study.scientific):
        chance += (
            f", as are {edge.expected:.1f} of any {edge.top} that the sampler chose"
        )
    else:
        chance += f", {edge.expected:.1f} would be by chance"
    trend = ""
    if edge.slope is not None and edge.slope.p < FALLING:
        trend = f", and {name} still gets better toward it"
    return f"The best trials lie at {_bound(edge)}: {chance}{trend}."


def _advice(edge: Edge, fields: dict[str, Any] | None) -> str:
    path = edge.dimension.path
    if fields is None:
        return f"If {path} makes sense beyond {_short(_value(edge))}, offer it."
    if "options" in fields:
        new = fields["options"][-1 if edge.upper else 0]
        return f"Add the option {_short(new)} to {path} and run more trials."
    new = fields["high" if edge.upper else "low"]
    side = "high" if edge.upper else "low"
    return f"Move {side} of {path} to {_short(new)}; the trials so far still count."


def _bound(edge: Edge) -> str:
    side = "high" if edge.upper else "low"
    return f"the {side} end of {edge.dimension.path} ({_short(_value(edge))})"


def _value(edge: Edge) -> Value:
    domain = edge.dimension.domain
    if isinstance(domain, Choice):
        return tuple(domain.options)[-1 if edge.upper else 0]
    return domain.high if edge.upper else domain.low


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
