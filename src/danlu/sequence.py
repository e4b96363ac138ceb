"""Points of a low-discrepancy sequence in the unit cube, scrambled and shifted.

Such points leave smaller gaps than independent ones. Scrambling (Owen, 1998) and
shifting (Cranley & Patterson, 1976) remove the alignments and the start in the corner
that the plain sequences have. A point depends on the seed and its number alone.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.random import default_rng

from .space import Array

_BLOCK = 64  # points computed at a time; a power of 2, as Sobol's balance wants
_MOST_SOBOL = 2**30  # points of scipy's sequence at its default precision of 30 bits


def point(sequence: str, dimensions: int, seed: int, number: int) -> Array:
    """The point (d,) of the cube with that number; `sequence` is sobol or halton."""
    block, place = divmod(number, _BLOCK)
    found: Array = _points(sequence, dimensions, seed, block)[place]
    return found


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
    points.flags.writeable = False  # they are kept for the next who asks
    return points
