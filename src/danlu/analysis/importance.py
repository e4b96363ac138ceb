"""A12: to which hyperparameters the loss is sensitive, and which belong together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..domain import Choice
from ..history import History
from ..sentence import brief, listed, plural
from ..space import Array, Dimension
from ..study import Study
from ..trial import Trial
from ..value import Value
from .base import Finding, Level, too_few
from .bias import is_adaptive
from .bounded import bounded
from .effects import Shares, Total, dependents, filling, stretches, totals
from .forest import Tree, forest
from .terms import Model, model

LEAST_TRIALS, TRIALS_PER_DIMENSION = 20, 5
TREES = 32  # Hutter et al. (2014) take 30
# More trials than this change the shares less than their intervals; they are taken
# evenly spaced by number. The forest costs 0.2 s of CPU then.
MOST_TRIALS = 400
WORST = 4.0  # times the way from the best to the median: what is worse counts as that
Z_95 = 1.645  # standard normal quantile
NOTHING = 0.05  # share of what is explained: one is insensitive if surely below it
LEAST_EXPLAINED = 0.3  # of the variance, before its parts mean anything
SIGNIFICANT = 0.03  # a hyperparameter's own terms
JOINT = 0.02  # error rate of interactions, over all pairs
JOINT_SHARE = 0.02  # of the variance, before two must be tuned together
MOST_SHOWN = 4


@dataclass(frozen=True)
class Importance:
    """How much of the explained variance goes with one hyperparameter.

    `share` is the part in all ways, alone and with others, its 90 % interval is `low`
    to `high`; `alone` is its main effect. `verdict` is `matters`, `insensitive`, or
    `unknown` where it was not explored enough to say. `trials` are those in which it is
    active: of a conditional one everything is taken among these. The share of a choice
    holds that of the hyperparameters which belong to its options.
    """

    path: str
    share: float
    low: float
    high: float
    alone: float
    trials: int
    verdict: str


@dataclass(frozen=True)
class Interaction:
    """The share of the variance that only the two together explain, and its p-value."""

    paths: tuple[str, str]
    share: float
    p: float


@dataclass(frozen=True)
class Importances:
    """A row for each hyperparameter, the most important first; all interactions.

    `explained` is how much of the variance of the loss the forest and the quadratic
    model explain, whichever is more; `trials` are those that were looked at.
    """

    rows: tuple[Importance, ...]
    interactions: tuple[Interaction, ...]
    explained: float
    trials: int


def importances(study: Study, history: History) -> Importances | None:
    """The importance of each hyperparameter, None with too few trials.

    By functional ANOVA on a random forest (`effects`), with tests of a quadratic model
    (`terms`), which is sharper with few trials. Feasible trials count, a loss far worse
    than the median as one that is just far.

    >>> import danlu
    >>> space = danlu.SearchSpace({"a": danlu.Float(0, 1), "b": danlu.Float(0, 1)})
    >>> study = danlu.Study(name="s", goal="Which a?", metric="loss", trials=36,
    ...                     space=space, sampler="grid")
    >>> points = [(k // 6 / 5, k % 6 / 5) for k in range(36)]
    >>> trials = [danlu.Trial(k, {"a": a, "b": b}, danlu.State.COMPLETED,
    ...                       curves={"loss": danlu.Curve.of({1: a * a + 1e-3 * k})})
    ...           for k, (a, b) in enumerate(points)]
    >>> history = danlu.History(space, study.objective, trials)
    >>> found = importances(study, history)
    >>> found.rows[0].path, found.rows[0].verdict
    ('a', 'matters')
    """
    seen = _seen(history)
    return None if seen is None else _weighed(seen)


def importance(study: Study, history: History) -> tuple[Finding, ...]:
    """What matters, what may be fixed next time, and what must be tuned together.

    A hyperparameter is insensitive if its share is below 5 % with 95 % confidence, by
    the forest and by a quadratic model, where its terms are not significant either. Two
    interact where their product is significant in that model, with Bonferroni's
    correction for all pairs, and explains 2 % of the variance.

    Of bowls with 15 trials per dimension (at least 40), one that changes nothing is
    found in at least 90 % of the studies, and one whose bowl is three tenths as high as
    the highest is called insensitive in less than 5 %. A product that explains 5 % of
    the variance is found in at least 90 %, additive losses alarm in less than 5 %.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=10,
    ...                     space={"x": danlu.Float(0, 1), "y": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> importance(study, history)[0].evidence["missing"]
    20
    """
    seen = _seen(history)
    if seen is None:
        return (_too_few(study, history),)
    found = _weighed(seen)
    if found.explained < LEAST_EXPLAINED:
        return (_unexplained(study, found),)
    insensitive = _insensitive(study, seen, found)
    joint = [_joint(study, own) for own in found.interactions if _is_joint(own)]
    return (_ranking(study, found), *insensitive, *joint)


def importances_in(findings: Sequence[Finding]) -> Importances | None:
    """What the check `importance` found, with the interactions that are sure.

    For who has the findings already: it costs nothing. None with too few trials.

    >>> evidence = {"rows": [], "interactions": [], "explained": 0.4, "trials_used": 30}
    >>> importances_in([Finding("importance", Level.OK, "", "", evidence)]).trials
    30
    """
    seen = [own.evidence for own in findings if own.check == "importance"]
    own = next((evidence for evidence in seen if "rows" in evidence), None)
    if own is None:
        return None
    return Importances(
        rows=tuple(Importance(**row) for row in own["rows"]),
        interactions=tuple(
            Interaction((pair["paths"][0], pair["paths"][1]), pair["share"], pair["p"])
            for pair in own["interactions"]
        ),
        explained=own["explained"],
        trials=own["trials_used"],
    )


@dataclass(frozen=True)
class _Seen:
    """The feasible trials, their points (n, d), and their losses (n,), clipped."""

    dimensions: Sequence[Dimension]
    trials: Sequence[Trial]
    points: Array
    losses: Array
    model: Model


def _need(dimensions: Sequence[Dimension]) -> int:
    return max(LEAST_TRIALS, TRIALS_PER_DIMENSION * len(dimensions))


def _seen(history: History) -> _Seen | None:
    trials, points, losses = history.searched()
    losses = bounded(losses)
    dimensions = history.space.dimensions
    (feasible,) = np.nonzero(np.isfinite(losses))
    if len(feasible) < _need(dimensions):
        return None
    best, median = losses[feasible].min(), np.median(losses[feasible])
    spread = np.linspace(0, len(feasible) - 1, min(len(feasible), MOST_TRIALS))
    chosen = feasible[spread.astype(int)]
    clipped = np.minimum(losses[chosen], median + WORST * (median - best))
    fitted = model(dimensions, points[chosen], clipped)
    if fitted is None:
        return None
    own = [trials[place] for place in chosen]
    return _Seen(dimensions, own, points[chosen], clipped, fitted)


def _weighed(seen: _Seen) -> Importances:
    rng = np.random.default_rng(0)  # the same answer to whoever asks again
    trees = forest(filling(seen.points), seen.losses, TREES, rng)
    together = [dependents(seen.dimensions, k) for k in range(len(seen.dimensions))]
    shares, explained = totals(trees, seen.points, seen.losses, rng, together=together)
    scale = max(explained, LEAST_EXPLAINED)
    explained = max(explained, seen.model.explained)
    rows = [
        _row(
            seen,
            trees,
            column,
            replace(own, share=own.share / scale, error=own.error / scale),
        )
        for column, own in enumerate(shares)
    ]
    if explained < LEAST_EXPLAINED:
        rows = [replace(row, verdict="unknown") for row in rows]
    rows.sort(key=lambda row: -row.share)
    interactions = _interactions(seen, trees)
    return Importances(tuple(rows), interactions, explained, len(seen.losses))


def _row(seen: _Seen, trees: Sequence[Tree], column: int, total: Total) -> Importance:
    dimension = seen.dimensions[column]
    count = int(np.isfinite(seen.points[:, column]).sum())
    low, high = (total.share + sign * Z_95 * total.error for sign in (-1, 1))
    if not math.isfinite(total.error) or count < LEAST_TRIALS:
        return Importance(dimension.path, 0.0, 0.0, 1.0, 0.0, count, "unknown")
    p = seen.model.p_of(column)
    verdict = "unknown"
    most = max(high, seen.model.most_of(column))
    if p > SIGNIFICANT and most < NOTHING:
        verdict = "insensitive"
    elif low > 0 or p <= SIGNIFICANT / len(seen.dimensions):
        verdict = "matters"
    within = stretches(seen.dimensions, column)
    trees_shares = [Shares(tree, within) for tree in trees]
    alone = [own.alone(column) / own.variance for own in trees_shares if own.variance]
    return Importance(
        dimension.path,
        _clipped(total.share),
        _clipped(low),
        _clipped(high),
        float(np.mean(alone)) if alone else 0.0,
        count,
        verdict,
    )


def _interactions(seen: _Seen, trees: Sequence[Tree]) -> tuple[Interaction, ...]:
    """All pairs, the most significant first, with the share of the sharper method."""
    products = seen.model.products()
    cut = [Shares(tree, {}) for tree in trees]
    found = []
    for own in products:
        first, second = own.columns
        p = min(own.p * len(products), 1.0)
        share = own.share
        if p <= JOINT:
            parts = [s.together(first, second) / s.variance for s in cut if s.variance]
            share = max(share, float(np.mean(parts)) if parts else 0.0)
        paths = seen.dimensions[first].path, seen.dimensions[second].path
        found.append(Interaction(paths, share, p))
    return tuple(sorted(found, key=lambda own: (own.p, -own.share)))


def _is_joint(own: Interaction) -> bool:
    return own.p <= JOINT and own.share >= JOINT_SHARE


def _insensitive(study: Study, seen: _Seen, found: Importances) -> tuple[Finding, ...]:
    """One finding for all that may be fixed next time."""
    joint = {path for own in found.interactions if _is_joint(own) for path in own.paths}
    rows = {
        row.path: row
        for row in found.rows
        if row.verdict == "insensitive" and row.path not in joint
    }
    values = {
        dimension.path: _best_value(seen, column)
        for column, dimension in enumerate(seen.dimensions)
        if dimension.path in rows
        and study.role(dimension.path) == "nuisance"
        and not (isinstance(dimension.domain, Choice) and dimension.domain.branches)
    }
    if not values:
        return ()
    highest = max(rows[path].high for path in values)
    fixed = [f"{path} at {brief(value)}" for path, value in values.items()]
    change = {path: {"fixed": value} for path, value in values.items()}
    return (
        Finding(
            "importance",
            Level.NOTICE,
            f"{study.objective.name} hardly depends on {listed(list(values))}: less "
            f"than {max(highest, 0.01):.0%} of what is explained.",
            f"Fix {listed(fixed)}, as in the best trial, and spend the trials on the "
            "others.",
            {"paths": list(values), "change": {"space": change}},
        ),
    )


def _best_value(seen: _Seen, column: int) -> Value:
    """The value in the best of the trials in which the hyperparameter is active."""
    active = np.isfinite(seen.points[:, column])
    best = int(np.argmin(np.where(active, seen.losses, np.inf)))
    return seen.trials[best].params[seen.dimensions[column].name]


def _joint(study: Study, own: Interaction) -> Finding:
    first, second = own.paths
    return Finding(
        "importance",
        Level.NOTICE,
        f"{first} and {second} interact: the best value of one depends on the other "
        f"({own.share:.0%} of the variance of {study.objective.name}).",
        "Tune them together: when one changes, search the other again.",
        {"paths": [first, second], "share": own.share, "p": own.p},
    )


def _ranking(study: Study, found: Importances) -> Finding:
    shown = [
        f"{row.path} {row.share:.0%} ({row.low:.0%} to {row.high:.0%})"
        for row in found.rows
        if row.verdict == "matters"
    ]
    unknown = [row.path for row in found.rows if row.verdict == "unknown"]
    name = study.objective.name
    message = f"No hyperparameter is seen to matter for {name}."
    if shown:
        what = ", ".join(shown[:MOST_SHOWN])
        message = f"What {name} depends on (shares and their 90 % intervals): {what}."
    if unknown:
        message += f" {listed(unknown)}: not explored enough to say."
    if is_adaptive(study.sampler, study.scientific):
        message += " That is where the sampler looked, mostly near the best."
    return Finding("importance", Level.OK, message, "", _evidence(found))


def _unexplained(study: Study, found: Importances) -> Finding:
    return Finding(
        "importance",
        Level.UNKNOWN,
        f"What {study.objective.name} depends on was not explored enough to say: the "
        f"hyperparameters explain {max(found.explained, 0.0):.0%} of its differences.",
        f"Run about {found.trials} more trials, or see how much is noise.",
        {**_evidence(found), "missing": found.trials},
    )


def _too_few(study: Study, history: History) -> Finding:
    dimensions = history.space.dimensions
    _, _, losses = history.searched()
    count = int(np.isfinite(losses).sum())
    missing = max(_need(dimensions) - count, len(dimensions))
    which = plural(len(dimensions), "hyperparameter")
    to_see = f"which of {which} matter for {study.objective.name}"
    return too_few("importance", to_see, valued=count, missing=missing)


def _evidence(found: Importances) -> dict[str, Any]:
    rows = [asdict(row) for row in found.rows]
    joint = [
        {"paths": list(own.paths), "share": own.share, "p": own.p}
        for own in found.interactions
        if _is_joint(own)
    ]
    return {
        "rows": rows,
        "interactions": joint,
        "explained": found.explained,
        "trials_used": found.trials,
    }


def _clipped(share: float) -> float:
    return min(max(share, 0.0), 1.0)
