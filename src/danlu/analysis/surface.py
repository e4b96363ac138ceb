"""A quadratic surface through the better trials: where the loss falls at an edge.

Response surface method (Box & Wilson, 1951), without products: each hyperparameter has
a straight and a squared term, an unordered choice one term for each option.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from ..domain import Choice
from ..space import Array, Dimension

SPARE = 5  # rows beyond the columns, for the residual variance


@dataclass(frozen=True)
class Slope:
    """How the loss goes on beyond one edge of a hyperparameter.

    `p` is the probability that the loss seems to fall this much outward although it
    does not (one-sided t-test). `beyond` is how far outside of [0, 1] the lowest point
    of the parabola is, None where it has none there.
    """

    p: float
    beyond: float | None


def edge_slope(
    dimensions: Sequence[Dimension],
    points: Array,
    losses: Array,
    *,
    column: int,
    upper: bool,
) -> Slope | None:
    """The slope of the surface at an edge of `column`, None with too few trials.

    `points` (n, d) are all active in `column`; other dimensions may be nan. Residuals
    are taken for independent and of one variance.
    """
    table = _table(dimensions, points, column)
    if table is None:
        return None
    inverse = np.linalg.pinv(table.T @ table)
    weights = inverse @ (table.T @ losses)
    residuals = losses - table @ weights
    spare = len(losses) - table.shape[1]
    variance = float(residuals @ residuals) / spare
    edge = float(points[:, column].max() if upper else points[:, column].min()) - 0.5
    gradient = np.zeros(len(weights))
    gradient[1:3] = 1.0, 2 * edge
    outward = (1 if upper else -1) * float(gradient @ weights)
    error = math.sqrt(variance * float(gradient @ inverse @ gradient))
    p = float(stdtr(spare, outward / error)) if error > 0 else float(outward >= 0)
    return Slope(p, _beyond(float(weights[1]), float(weights[2]), upper))


def _table(dimensions: Sequence[Dimension], points: Array, column: int) -> Array | None:
    """A row for each trial: 1, the tested column, its square, and all the others.

    Where there are too few trials, first the squares of the others are left out, then
    the others.
    """
    own = points[:, column] - 0.5
    first = [np.ones(len(points)), own, own**2]
    straight: list[Array] = []
    squares: list[Array] = []
    for place, dimension in enumerate(dimensions):
        if place == column:
            continue
        u = points[:, place]
        active = np.isfinite(u)
        if isinstance(dimension.domain, Choice) and not dimension.domain.ordered:
            for value in np.unique(u[active])[1:]:
                straight.append((u == value).astype(float))
            if not active.all():
                straight.append(active.astype(float))
            continue
        centered = np.where(active, u - 0.5, 0.0)
        straight.append(centered)
        squares.append(centered**2)
    for columns in ([*first, *straight, *squares], [*first, *straight], first):
        if len(columns) + SPARE <= len(points):
            return np.column_stack(columns)
    return None


def _beyond(straight: float, square: float, upper: bool) -> float | None:
    if square <= 0:
        return None
    lowest = 0.5 - straight / (2 * square)
    distance = lowest - 1 if upper else -lowest
    return distance if distance > 0 else None
