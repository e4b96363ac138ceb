"""The Matern kernel of smoothness 5/2 (Rasmussen & Williams, 2006, eq. 4.17)."""

from __future__ import annotations

import numpy as np

from ...space import Array


def matern(squares: Array) -> Array:
    """The correlation at squared distances, which are in units of the lengthscale."""
    root = np.sqrt(5.0 * squares)
    result: Array = (1.0 + root + root * root / 3.0) * np.exp(-root)
    return result


def matern_slope(squares: Array) -> Array:
    """The derivative of `matern` with respect to the squared distance."""
    root = np.sqrt(5.0 * squares)
    result: Array = -5.0 / 6.0 * (1.0 + root) * np.exp(-root)
    return result


def squared_distances(left: Array, right: Array) -> Array:
    """Squared distances (m, n) between the rows of (m, q) and of (n, q)."""
    squares = (left * left).sum(1)[:, None] + (right * right).sum(1)
    result: Array = np.maximum(squares - 2.0 * left @ right.T, 0.0)
    return result
