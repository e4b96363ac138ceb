"""Quasi-random search: low-discrepancy points, scrambled and randomly shifted.

Points of a low-discrepancy sequence leave smaller gaps than independent ones, and like
random search, unlike a grid, give every hyperparameter a new value with every trial
(Bousquet et al., 2017, "Critical hyper-parameters: no random, no cry"). Scrambling
(Owen, 1998) and shifting (Cranley & Patterson, 1976) remove the alignments and the
start in the corner that the plain sequences have.

The point number k depends on the study's seed, the arm and k alone: any number of
workers, a restart, or a later extension of the study give the same points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.random import Generator, default_rng

from ..errors import SamplerError
from ..history import History
from ..space import Array
from .base import Sampler, Suggestion

_BLOCK = 64  # points computed at a time; a power of 2, as Sobol's balance wants
_MOST_SOBOL = 2**30  # points of scipy's sequence at its default precision of 30 bits


@dataclass(frozen=True)
class QuasiRandom(Sampler):
    """Params at the points of a scrambled Sobol or Halton sequence.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> halves = []
    >>> for k in range(4):
    ...     history = danlu.History(space, danlu.Metric("loss"), position=k)
    ...     rng = numpy.random.default_rng(0)
    ...     x = danlu.samplers.QuasiRandom().ask(history, rng).params["x"]
    ...     halves.append(int(4 * x))
    >>> sorted(halves)  # four points: one in each quarter
    [0, 1, 2, 3]

    Raises:
        SamplerError: the sequence is neither `sobol` nor `halton`.
    """

    sequence: Literal["sobol", "halton"] = "sobol"

    def __post_init__(self) -> None:
        if self.sequence not in ("sobol", "halton"):
            raise SamplerError(
                f"the sequence is 'sobol' or 'halton', got {self.sequence!r}"
            )

    def ask(self, history: History, rng: Generator) -> Suggestion:
        """The params at the sequence's point number `history.position`."""
        block, place = divmod(history.position, _BLOCK)
        points = _points(self.sequence, len(history.space), history.seed, block)
        return Suggestion(history.space.decode(points[place]))


@lru_cache(maxsize=64)
def _points(sequence: str, dimensions: int, seed: int, block: int) -> Array:
    """The points (64, d) of one block of a sequence."""
    from scipy.stats import qmc  # 0.7 s to import: only when points are needed

    if dimensions == 0:
        return np.empty((_BLOCK, 0))
    rng = default_rng(np.random.SeedSequence([seed, dimensions]))
    shift = rng.random(dimensions)
    if sequence == "sobol" and (block + 1) * _BLOCK <= _MOST_SOBOL:
        engine = qmc.Sobol(dimensions, scramble=True, rng=rng)
        shift = np.zeros(dimensions)  # its scrambling has a digital shift of its own
    else:
        engine = qmc.Halton(dimensions, scramble=True, rng=rng)
    if block:  # scipy's Sobol fails on a jump of 0
        engine.fast_forward(block * _BLOCK)
    points: Array = (engine.random(_BLOCK) + shift) % 1.0
    return points
