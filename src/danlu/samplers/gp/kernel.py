"""The kernel: Matern of smoothness 5/2, in two addends where a space has branches.

Rasmussen & Williams (2006), eq. 4.17. A branch with hyperparameters of its own is less
known than one without: the more of them, the farther apart its points. Expected
improvement would look there first and longest, though such hyperparameters mostly
matter less than those that all trials have. So the function is a sum (Duvenaud,
Nickisch & Rasmussen, 2011, "Additive Gaussian processes") of one in which conditional
axes take part, with a share of the variance, and one in which they do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...space import Array

SHARE = 0.5  # of the variance, in which conditional axes take part

Mask: TypeAlias = NDArray[np.bool_]
Addends: TypeAlias = Sequence[tuple[float, Mask]]


@dataclass(frozen=True, eq=False)
class Layout:
    """The axis (q,) that each coordinate belongs to; which axes (p,) are conditional.

    An axis has a lengthscale of its own.
    """

    owners: NDArray[np.intp]
    conditional: Mask

    @property
    def axes(self) -> int:
        """How many lengthscales there are."""
        return len(self.conditional)

    @cached_property
    def addends(self) -> Addends:
        """The share of each addend, and which axes (p,) it compares."""
        every = np.ones(self.axes, bool)
        if not self.conditional.any():
            return ((1.0, every),)
        return ((SHARE, every), (1 - SHARE, ~self.conditional))

    @cached_property
    def compared(self) -> Addends:
        """The same for coordinates (q,)."""
        return tuple((share, axes[self.owners]) for share, axes in self.addends)


def correlation(left: Array, right: Array, compared: Addends) -> Array:
    """Between the rows of (m, q) and of (n, q), which are in units of lengthscales."""
    addends = squares_of(left, right, compared)
    return summed([(share, matern(squares)) for share, _, squares in addends])


def squares_of(
    left: Array, right: Array, compared: Addends
) -> list[tuple[float, Mask, Array]]:
    """Each addend's share, its coordinates, and the squared distances (m, n) there."""
    return [
        (share, own, squared_distances(left * own, right * own))
        for share, own in compared
    ]


def summed(addends: Sequence[tuple[float, Array]], size: float = 1.0) -> Array:
    """`size` times the kernel, from the share of each addend and its correlations."""
    first, *others = (size * share * own for share, own in addends)
    return sum(others, start=first)


def matern(squares: Array) -> Array:
    """The correlation at squared distances, which are in units of the lengthscale."""
    root = np.sqrt(5.0 * squares)
    result: Array = (1.0 + root + root * root / 3.0) * np.exp(-root)
    return result


def matern_with_slope(squares: Array) -> tuple[Array, Array]:
    """The same, and its derivative with respect to the squared distance."""
    root = np.sqrt(5.0 * squares)
    decay = np.exp(-root)
    value = (1.0 + root + root * root / 3.0) * decay
    return value, -5.0 / 6.0 * (1.0 + root) * decay


def squared_distances(left: Array, right: Array) -> Array:
    """Squared distances (m, n) between the rows of (m, q) and of (n, q)."""
    squares = (left * left).sum(1)[:, None] + (right * right).sum(1)
    result: Array = np.maximum(squares - 2.0 * left @ right.T, 0.0)
    return result
