"""The part of a space in which the best trials are, as a change of the space.

Exploration is handed over to exploitation (playbook D11, C4): what is searched next is
the region that the best trials have in common, not the whole space again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..analysis.design.effort import TRIALS_PER_DIMENSION
from ..domain import Choice, Float, Int
from ..history import History
from ..space import Array, Dimension, SearchSpace
from ..study import Study
from ..trial import Trial
from ..value import Value, same

TOP_SHARE = 0.1  # "the best 10 %", playbook A1
LEAST_TOP = 5  # and at least five
LEAST_TRIALS = 20  # with a value: below, the best five are a quarter of all and more
# A dimension whose best region is wider than this is left as it is: what a narrower
# range would save is less than what a wrong one would lose.
WIDE = 0.8
SURE = 0.05  # chance of a loss by luck below which an option is left out
DIGITS = 2  # of a bound: `0.0013..0.057` is read, `0.001329..0.05688` is not


def narrowed(study: Study, history: History) -> dict[str, dict[str, Any]]:
    """What to change of each dimension (by path) so that the best region is left.

    The best 10 % of the search trials, at least five and at most ten for each
    dimension, are taken as draws from a region that is an interval in each dimension.
    Its ends are estimated by the smallest and the largest place, moved outwards by the
    mean gap between neighbors: the unbiased estimate for m even draws. An option leaves
    when so few of the best having it would be seen in less than 5 % of cases by luck
    (hypergeometric; Bonferroni over all options). Empty with fewer than 20 trials, or
    when nothing can be told apart.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> study = danlu.Study("s", "Where is the bottom?", "loss", space, trials=101)
    >>> trials = [danlu.Trial(n, {"x": n / 100}, danlu.State.COMPLETED, curves={
    ...     "loss": danlu.Curve.of({1: abs(n / 100 - 0.3)})}) for n in range(101)]
    >>> narrowed(study, danlu.History(space, danlu.Metric("loss"), trials))
    {'x': {'low': 0.24, 'high': 0.35}}
    """
    ranked = [trial for trial in history.ranked() if trial.kind.judged]
    inside = [trial for trial in ranked if trial.params in study.search_space]
    if len(inside) < LEAST_TRIALS:
        return {}
    space = study.search_space
    places = np.array([space.encode(trial.params) for trial in inside])
    most = TRIALS_PER_DIMENSION * len(space)  # of more, the region is that of most
    count = max(LEAST_TOP, min(math.ceil(TOP_SHARE * len(inside)), most))
    options = _option_count(space)
    changes: dict[str, dict[str, Any]] = {}
    for column, dimension in enumerate(space.dimensions):
        own: dict[str, Any]
        if isinstance(dimension.domain, Choice):
            own = _fewer_options(dimension, inside, count, options)
        else:
            own = _smaller_range(dimension.domain, places[:, column], count)
        if own:
            changes[dimension.path] = own
    return changes


def around(domain: Float | Int, value: Value, share: float) -> dict[str, float | int]:
    """New bounds for a part of a domain's range with `value` in its middle.

    >>> import danlu
    >>> around(danlu.Float(1e-4, 1.0, log=True), 0.01, 0.5)
    {'low': 0.001, 'high': 0.1}
    """
    center = domain.encode(domain.admit(value))  # type: ignore[arg-type]
    return _bounds(domain, center - share / 2, center + share / 2)


def _smaller_range(
    domain: Float | Int, places: Array, count: int
) -> dict[str, float | int]:
    """New bounds around the best `count` places that are active; empty for none."""
    active = places[~np.isnan(places)]
    if len(active) < LEAST_TRIALS:
        return {}
    best = active[:count]
    low, high = float(best.min()), float(best.max())
    gap = (high - low) / (len(best) - 1)
    if high - low + 2 * gap > WIDE:
        return {}
    return _bounds(domain, low - gap, high + gap)


def _bounds(domain: Float | Int, low: float, high: float) -> dict[str, float | int]:
    """The bounds at two places of [0, 1], rounded outwards, none beyond the old."""
    first = domain.decode(min(max(low, 0.0), 1.0))
    last = domain.decode(min(max(high, 0.0), 1.0))
    if isinstance(domain, Int):
        return {"low": int(first), "high": int(last)}
    return {
        "low": max(domain.low, _round(first, math.floor)),
        "high": min(domain.high, _round(last, math.ceil)),
    }


def _round(value: float, to_whole: Any) -> float:
    """A number with two significant digits, rounded by `to_whole`."""
    if value == 0:
        return 0.0
    decimals = DIGITS - 1 - math.floor(math.log10(abs(value)))
    scaled = value * 10.0**decimals
    near = round(scaled)  # 0.3 * 100 is 30.000000000000004
    whole = near if math.isclose(scaled, near, rel_tol=1e-9) else to_whole(scaled)
    return round(whole / 10.0**decimals, max(decimals, 0))


def _fewer_options(
    dimension: Dimension, ranked: Sequence[Trial], count: int, looks: int
) -> dict[str, list[Value]]:
    """The options that may be the best one; empty where none can be left out."""
    choice: Any = dimension.domain
    taken = [
        trial.params[dimension.name]
        for trial in ranked
        if dimension.name in trial.params
    ]
    if len(taken) < LEAST_TRIALS or dimension.parent is not None:
        return {}
    best = taken[:count]
    kept = [
        option
        for option in choice.options
        if any(same(option, value) for value in best)
        or _luck(sum(same(option, v) for v in taken), len(taken), count) * looks > SURE
    ]
    return {} if len(kept) == len(choice.options) else {"options": kept}


def _luck(own: int, all_of_them: int, count: int) -> float:
    """The chance that none of `own` is among the best `count`, if rank were luck."""
    if own == 0:
        return 1.0
    return math.comb(all_of_them - own, count) / math.comb(all_of_them, count)


def _option_count(space: SearchSpace) -> int:
    return sum(
        len(dimension.domain.options)
        for dimension in space.dimensions
        if isinstance(dimension.domain, Choice)
    )
