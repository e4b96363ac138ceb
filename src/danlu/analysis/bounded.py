"""Losses whose squares are numbers: what checks of the space work with."""

from __future__ import annotations

import numpy as np

from ..space import Array

FARTHEST = 1e60  # even the variance of its squares is far below the largest number


def bounded(losses: Array) -> Array:
    """The losses (n,) between -1e60 and 1e60, nan where they are nan.

    >>> bounded(np.array([1.0, -1e300])).tolist()
    [1.0, -1e+60]
    """
    return np.clip(losses, -FARTHEST, FARTHEST)
