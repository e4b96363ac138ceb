"""What earlier studies lead one to expect: their posterior means, each times a factor.

The mean before the first trial is a weighted sum of the earlier studies' means, as in
the stacking of Golovin et al. (2017), "Google Vizier". The factors are fitted, so that
a study about something else comes to count for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ...space import Array
from .axes import Axes
from .evidence import Evidence, merged, telling
from .fit import most_probable, posterior
from .kernel import Layout
from .process import Process
from .warp import warped

LEAST_TRIALS = 3  # with a loss, below which an earlier study tells nothing
MOST_TRIALS = 150  # of an earlier study that are looked at
TRUST = 1.0  # how many trials of this study weigh as much as the trust in the earlier


def processes_of(axes: Axes, earlier: Sequence[tuple[Array, Array]]) -> list[Process]:
    """A process for each earlier study, points (n, d) and losses (n,), with losses."""
    found = []
    for X, y in earlier:
        known = np.isfinite(y)
        if known.sum() >= LEAST_TRIALS:
            at, values = axes.embed(X[known]), warped(y[known])
            layout = axes.layout
            parts = (at, values, layout.owners, layout.conditional)
            found.append(_process(*(own.tobytes() for own in parts)))
    return found


def trend_of(
    processes: Sequence[Process], evidence: Evidence
) -> list[tuple[float, Process]]:
    """Each process with its factor, 0 or more: those that explain the evidence best.

    Least squares, drawn to equal shares of 1 by a penalty that `TRUST` trials outweigh.
    """
    from scipy.optimize import nnls

    if not processes:
        return []
    count = len(processes)
    means = np.column_stack([own.mean(evidence.points) for own in processes])
    rows = np.vstack((means, np.sqrt(TRUST) * np.eye(count)))
    trusted = np.full(count, np.sqrt(TRUST) / count)
    factors = nnls(rows, np.concatenate((evidence.values, trusted)))[0]
    return list(zip(factors.tolist(), processes, strict=True))


@lru_cache(maxsize=32)
def _process(
    points: bytes, values: bytes, owners: bytes, conditional: bytes
) -> Process:
    """The process of an earlier study; it has ended, so it is fitted once."""
    layout = Layout(np.frombuffer(owners, np.intp), np.frombuffer(conditional, bool))
    losses = np.frombuffer(values)
    at = np.frombuffer(points).reshape(len(losses), len(layout.owners))
    evidence = merged(at, losses, layout)
    evidence = evidence.take(telling(evidence, MOST_TRIALS))
    return posterior(evidence, most_probable(evidence))
