"""PriorBand: draws from what is believed, from around the best so far, and at random.

N. Mallik et al., "PriorBand: Practical Hyperparameter Optimization in the Age of Deep
Learning", NeurIPS 2023, section 5. Short runs are cheap, so many of them are spread
over the whole space; the longer a trial runs at first, the more it follows what is
known. A wrong belief gives way as soon as the best trials lie elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from ..belief import centered, log_belief, spread, without_beliefs
from ..history import History
from ..space import Array, SearchSpace
from .base import Sampler, Suggestion

SOURCES = ("random", "belief", "best")


@dataclass(frozen=True)
class PriorBand(Sampler):
    """Mixes random params, those believed in, and those near the best one so far.

    For spaces with beliefs and schedulers with rungs, Hyperband above all. The trial's
    note says where its params come from. Without rungs there is as much of what is
    random as of the two others.

    >>> import danlu, numpy
    >>> believed = danlu.Float(1e-4, 1.0, log=True, belief=danlu.Belief(3e-3))
    >>> space = danlu.SearchSpace({"lr": believed})
    >>> history = danlu.History(space, danlu.Metric("loss"), max_steps=9,
    ...                         rungs=(1, 3, 9), budget=9)
    >>> asked = [danlu.samplers.PriorBand().ask(history, numpy.random.default_rng(n))
    ...          for n in range(100)]
    >>> sum(own.note["source"] == "random" for own in asked)
    6
    """

    def ask(self, history: History, rng: Generator) -> Suggestion:
        """Params from one of the three sources, drawn by their shares."""
        leaders = _leaders(history)
        best = None
        if len(leaders):
            best = centered(history.space, history.space.decode(leaders[0]))
        source = rng.choice(SOURCES, p=_shares(history, leaders, best))
        spaces = {
            "random": without_beliefs(history.space),
            "belief": history.space,
            "best": best or history.space,
        }
        (point,) = spread(spaces[source], rng.random((1, len(history.space))))
        return Suggestion(history.space.decode(point), {"source": str(source)})


def _shares(
    history: History, leaders: Array, best: SearchSpace | None
) -> tuple[float, float, float]:
    """The probabilities of the sources.

    p_U = 1 / (1 + eta^r), where eta^r is how many times longer than the shortest runs
    the trial will run at first (section 5.1). What is left is shared in proportion to
    how likely each of the two makes the leading trials (section 5.2). Unlike there the
    best of them does not count: nothing makes it as likely as itself, and with seven
    hyperparameters no belief, however right, would ever be drawn from again.
    """
    longer = (history.budget or 1) / history.rungs[0] if history.rungs else 1.0
    random = 1 / (1 + longer)
    if best is None:
        return random, 1 - random, 0.0
    believed, near = _score(history.space, leaders[1:]), _score(best, leaders[1:])
    belief = (1 - random) * believed / (believed + near)
    return random, belief, 1 - random - belief


def _score(space: SearchSpace, leaders: Array) -> float:
    """The density of the leading points (k, d) under a space's beliefs, by rank.

    The first of k has the weight k, the last one 1.
    """
    weights = np.arange(len(leaders), 0, -1)
    return float(weights @ np.exp(log_belief(space, leaders)))


def _leaders(history: History) -> Array:
    """The best 1 / eta of the highest rung that eta trials have come to, best first.

    They are points (k, d), eta at least, and 2 where rungs are closer together.
    """
    steps = history.rungs
    factor = max(2, round(steps[1] / steps[0])) if len(steps) > 1 else 3
    unleveled = replace(history, level=None)
    for at in (*reversed(steps), None):
        points, losses = unleveled.observed(at)
        order = np.argsort(losses, kind="stable")[: np.isfinite(losses).sum()]
        if len(order) >= factor:
            return points[order[: max(factor, len(order) // factor)]]
    return np.empty((0, len(history.space)))
