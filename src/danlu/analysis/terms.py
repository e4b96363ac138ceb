"""A quadratic model of the loss: which terms and which products it needs (A12).

Ordinary least squares with a straight and a squared term of each hyperparameter, and
one term for each option of an unordered choice. F-tests say whether the terms of one
hyperparameter are needed, t-tests whether the product of two of them is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc, stdtr

from ..domain import Choice
from ..space import Array, Dimension

SPARE = 8  # rows beyond the columns
Z_95 = 1.645  # standard normal quantile


@dataclass(frozen=True)
class Product:
    """The product of two columns: the share of the variance that it explains, and p."""

    columns: tuple[int, int]
    share: float
    p: float


@dataclass(frozen=True)
class Model:
    """The model of losses (n,): `terms` (n, k) belong to the columns `owners` (k,).

    The first term is the constant, with the owner -1.
    """

    terms: Array
    owners: Array
    losses: Array

    @property
    def residuals(self) -> Array:
        """What the model leaves (n,)."""
        return _residuals(self.terms, self.losses)

    @property
    def explained(self) -> float:
        """The share of the variance that is explained, corrected for the terms."""
        n, k = self.terms.shape
        left = float(self.residuals @ self.residuals) / (n - k)
        whole = float(self.losses.var(ddof=1))
        return 1 - left / whole if whole > 0 else 0.0

    def p_of(self, column: int) -> float:
        """The p-value of all terms of one column together (F-test)."""
        more, own, left = self._without(column)
        if left <= 0 or not own:
            return 0.0 if more > 0 else 1.0
        n, k = self.terms.shape
        return float(fdtrc(own, n - k, (more / own) / left))

    def most_of(self, column: int) -> float:
        """The largest share of the variance that a column's terms may well explain.

        The root of what they explain is nearly normal around its true value, with the
        error of one term for each of them: 95 % of the time it is not more than this.
        """
        more, own, left = self._without(column)
        root = float(np.sqrt(more)) + Z_95 * float(np.sqrt(own * left))
        return root**2 / float(self.losses.var() * len(self.losses))

    def _without(self, column: int) -> tuple[float, int, float]:
        """What a column's terms explain, their number, and the residual variance."""
        others = self.owners != column
        full = float(self.residuals @ self.residuals)
        without = _residuals(self.terms[:, others], self.losses)
        n, k = self.terms.shape
        more = max(float(without @ without) - full, 0.0)
        return more, int(k - others.sum()), full / (n - k)

    def products(self) -> list[Product]:
        """The best product of the straight terms of every two columns.

        With Bonferroni's correction where a choice has several terms.
        """
        straight = self._straight()
        left = self.residuals
        found = []
        columns = sorted(straight)
        for place, first in enumerate(columns):
            for second in columns[place + 1 :]:
                tested = _products(straight[first], straight[second])
                own = self._tested(tested, left)
                if own is not None:
                    found.append(Product((first, second), *own))
        return found

    def _straight(self) -> dict[int, Array]:
        """The straight terms of each column: all but the squares."""
        return {
            column: self.terms[:, (self.owners == column) & ~self._squares()]
            for column in {int(own) for own in self.owners if own >= 0}
        }

    def _squares(self) -> NDArray[np.bool_]:
        """Which terms are squares: the second of two that are no options."""
        again = np.zeros(len(self.owners), bool)
        for place in range(1, len(self.owners)):
            before = self.terms[:, place - 1]
            same = self.owners[place] == self.owners[place - 1]
            again[place] = same and np.array_equal(self.terms[:, place], before**2)
        return again

    def _tested(self, tested: Array, left: Array) -> tuple[float, float] | None:
        n, k = self.terms.shape
        apart = _residuals(self.terms, tested)
        size = (apart**2).sum(axis=0)
        some = size > 1e-9 * n  # of a product that the model does not have already
        if not some.any():
            return None
        gain = (apart[:, some].T @ left) ** 2 / size[some]
        best = float(gain.max())
        rest = max(float(left @ left) - best, 1e-300)
        t = np.sqrt(best / (rest / (n - k - 1)))
        p = 2 * float(stdtr(n - k - 1, -t)) * int(some.sum())
        return best / float(self.losses.var() * n), min(p, 1.0)


def model(
    dimensions: Sequence[Dimension], points: Array, losses: Array
) -> Model | None:
    """The model of the losses (n,), None with fewer than 8 trials beyond its terms.

    Points (n, d) are nan where a dimension is inactive.
    """
    terms, owners = [np.ones(len(points))], [-1]
    for column, dimension in enumerate(dimensions):
        for term in _terms(dimension, points[:, column]):
            terms.append(term)
            owners.append(column)
    if len(terms) + SPARE > len(points) or losses.var() == 0:
        return None
    return Model(np.column_stack(terms), np.array(owners), losses)


def _terms(dimension: Dimension, u: Array) -> list[Array]:
    active = np.isfinite(u)
    values = np.unique(u[active])
    if len(values) < 2:
        return []
    domain = dimension.domain
    if isinstance(domain, Choice) and not domain.ordered:
        return [(u == value).astype(float) for value in values[1:]]
    centered = np.where(active, u - values.mean(), 0.0)
    return [centered] if len(values) == 2 else [centered, centered**2]


def _products(first: Array, second: Array) -> Array:
    """Every product of a column of one and a column of the other (n, a * b)."""
    table = first[:, :, None] * second[:, None, :]
    return table.reshape(len(first), -1)


def _residuals(terms: Array, values: Array) -> Array:
    weights, *_ = np.linalg.lstsq(terms, values, rcond=None)
    left: Array = values - terms @ weights
    return left
