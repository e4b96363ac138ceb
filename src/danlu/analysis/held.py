"""Which trials belong to an arm: those whose points have the values that it holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..space import Array, Dimension, Params


def holding(
    dimensions: Sequence[Dimension], points: Array, held: Params
) -> NDArray[np.bool_]:
    """Which points (n, d) have the values `held` by path (n,).

    >>> from danlu.domain import Choice
    >>> act = Dimension("act", "act", Choice(["relu", "gelu"]))
    >>> holding([act], np.array([[0.25], [0.75]]), {"act": "gelu"}).tolist()
    [False, True]
    """
    inside = np.ones(len(points), bool)
    for column, dimension in enumerate(dimensions):
        if dimension.path in held:
            place = dimension.domain.encode(held[dimension.path])  # type: ignore[arg-type]
            inside &= points[:, column] == place
    return inside
