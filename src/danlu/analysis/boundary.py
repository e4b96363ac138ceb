"""A1: the best trials crowd an edge of the search space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..domain import Choice
from ..history import History
from ..sentence import short
from ..space import Params
from ..study import Study
from ..value import Value
from .base import Finding, Level, too_few
from .bias import is_adaptive
from .bounded import bounded
from .edges import LEAST_TRIALS, Edge, Sample, edges
from .held import holding
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
    median of the best k is in the outer third; trials that were stopped early are on no
    surface, unless fewer than twelve were not. Of a conditional hyperparameter the
    trials count in which it is active. Where the study is split in arms, half of the
    errors go to looks at each arm alone: one arm's best may be beyond a bound that
    another one's are far from.

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
    feasible, need = _feasible(sample), _need(len(sample.dimensions))
    if feasible < need:
        to_see = "whether the best lie at the edge of the search space"
        missing = need - feasible
        return (too_few("boundary", to_see, valued=feasible, missing=missing),)
    looks = _looks(study, sample)
    crowded = [look for look in looks if _is_crowded(look)]
    closed = [look for look in crowded if look.edge.infeasible >= INFEASIBLE_SHARE]
    found = _distinct([look for look in crowded if look not in closed])
    return tuple(_finding(study, look) for look in found) or (_fine(looks, closed),)


@dataclass(frozen=True)
class _Look:
    """An edge that is one of `tests`, by all trials or by those of the arm `held`."""

    edge: Edge
    tests: int
    held: Params

    @property
    def bound(self) -> tuple[str, bool]:
        return self.edge.dimension.path, self.edge.upper

    @property
    def p(self) -> float:
        slope = self.edge.slope
        return min(self.edge.p, 1.0 if slope is None else slope.p)


def _looks(study: Study, sample: Sample) -> list[_Look]:
    """Every edge by all trials, then by the trials of each arm."""
    own = list(edges(sample))
    if len(study.arms) == 1:
        return [_Look(edge, len(own), {}) for edge in own]
    apart = [
        (edge, held)
        for held, space in zip(study.arms, study.arm_spaces, strict=True)
        for edge in _edges_of(sample, held, len(space))
    ]
    whole = [_Look(edge, 2 * len(own), {}) for edge in own]
    return [*whole, *(_Look(edge, 2 * len(apart), held) for edge, held in apart)]


def _edges_of(sample: Sample, held: Params, dimensions: int) -> Iterator[Edge]:
    """The edges of one arm, without those that no other arm has."""
    inside = holding(sample.dimensions, sample.points, held)
    own = sample.where(inside)
    if _feasible(own) < _need(dimensions):
        return
    others = np.isfinite(sample.points[~inside])
    shared = {
        dimension.path
        for dimension, active in zip(sample.dimensions, others.T, strict=True)
        if active.any()
    }
    yield from (edge for edge in edges(own) if edge.dimension.path in shared)


def _feasible(sample: Sample) -> int:
    return int(np.isfinite(sample.losses).sum())


def _need(dimensions: int) -> int:
    return max(LEAST_TRIALS, TRIALS_PER_DIMENSION * dimensions)


def _is_crowded(look: _Look) -> bool:
    edge, slope = look.edge, look.edge.slope
    if edge.p <= CROWDED / look.tests:
        return True
    return slope is not None and slope.p <= FALLING / look.tests and edge.outer >= OUTER


def _distinct(looks: Sequence[_Look]) -> list[_Look]:
    """One look for each bound: the one at all trials, or the surest of the arms."""
    found: dict[tuple[str, bool], _Look] = {}
    for look in sorted(looks, key=lambda look: (bool(look.held), look.p)):
        found.setdefault(look.bound, look)
    return [look for look in looks if found[look.bound] is look]


def _fine(looks: Sequence[_Look], closed: Sequence[_Look]) -> Finding:
    message = "The best trials crowd no bound of the search space."
    if closed:
        names = ", ".join(dict.fromkeys(_bound(look.edge) for look in closed))
        message = (
            f"The best trials lie at {names}, and beside it trials are infeasible: the "
            "bound is where it belongs."
        )
    return Finding(
        "boundary",
        Level.OK,
        message,
        evidence={"paths": sorted({look.edge.dimension.path for look in looks})},
    )


def _finding(study: Study, look: _Look) -> Finding:
    edge = look.edge
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
    if look.held:
        evidence["arm"] = dict(look.held)
    if fields is not None:
        evidence["change"] = {"space": {path: fields}}
    return Finding(
        "boundary",
        Level.WARNING,
        _message(study, look),
        _advice(edge, fields),
        evidence,
    )


def _share(edge: Edge) -> float:
    """How far the bound should move, as a share of the range."""
    if edge.slope is None or edge.slope.beyond is None:
        return UNSEEN
    return min(edge.slope.beyond + MARGIN, MOST)


def _message(study: Study, look: _Look) -> str:
    edge, name = look.edge, study.objective.name
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
    whose = f" of {_arm(look.held)}" if look.held else ""
    return f"The best trials{whose} lie at {_bound(edge)}: {chance}{trend}."


def _advice(edge: Edge, fields: dict[str, Any] | None) -> str:
    path = edge.dimension.path
    if fields is None:
        return f"If {path} makes sense beyond {short(_value(edge))}, offer it."
    if "options" in fields:
        new = fields["options"][-1 if edge.upper else 0]
        return f"Add the option {short(new)} to {path} and run more trials."
    new = fields["high" if edge.upper else "low"]
    side = "high" if edge.upper else "low"
    return f"Move {side} of {path} to {short(new)}; the trials so far still count."


def _arm(held: Params) -> str:
    return ", ".join(f"{path}={short(value)}" for path, value in held.items())


def _bound(edge: Edge) -> str:
    side = "high" if edge.upper else "low"
    return f"the {side} end of {edge.dimension.path} ({short(_value(edge))})"


def _value(edge: Edge) -> Value:
    domain = edge.dimension.domain
    if isinstance(domain, Choice):
        return tuple(domain.options)[-1 if edge.upper else 0]
    return domain.high if edge.upper else domain.low
