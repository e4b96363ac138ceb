"""The rung whose losses samplers learn from while trials are promoted.

S. Falkner, A. Klein & F. Hutter, "BOHB: Robust and Efficient Hyperparameter
Optimization at Scale", ICML 2018, Algorithm 2, line 3: the largest budget with enough
observations.
Losses of different budgets are never mixed: a short training looks worse than it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .history import History

# At fewer losses TPE and the first points of a Gaussian process begin anew.
LEAST_LOSSES = 10


def leveled(
    history: History, rungs: Sequence[int], budget: int | None = None
) -> History:
    """The history as a sampler sees it when trials are compared at `rungs`.

    It is asked for a trial that runs to the step `budget` first.

    Its level is the highest rung with a loss of at least d + 3 trials, for which the
    paper writes N_min + 2 with N_min = d + 1, and of 10; the lowest rung before there
    is one. Without rungs the history stays as it is.

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
    for rung in reversed(history.rungs):
        at_rung = replace(history, level=rung)
        if np.isfinite(at_rung.observed()[1]).sum() >= least:
            return at_rung
    return replace(history, level=history.rungs[0])
