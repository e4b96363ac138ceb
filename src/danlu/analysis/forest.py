"""A random forest of regression trees in numpy (Breiman, 2001), for importance (A12).

Each tree divides the unit cube in boxes, on a bootstrap sample of the trials; those
that the sample has left out ("out of bag") tell how well it predicts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..space import Array

LEAST_IN_LEAF = 3
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Tree:
    """One tree: `column` is -1 in a leaf, which has the mean `value`.

    `lows` and `highs` (nodes, d) are the box of each node. `out` are the rows that the
    tree has not seen.
    """

    column: Places
    cut: Array
    left: Places
    right: Places
    value: Array
    lows: Array
    highs: Array
    out: Places

    def predict(self, points: Array) -> Array:
        """The value of the leaf that each of the points (n, d) falls into (n,)."""
        node = np.zeros(len(points), np.int64)
        rows = np.arange(len(points))
        while len(rows):
            at = node[rows]
            inner = self.column[at] >= 0
            rows, at = rows[inner], at[inner]
            right = points[rows, self.column[at]] > self.cut[at]
            node[rows] = np.where(right, self.right[at], self.left[at])
        found: Array = self.value[node]
        return found

    @property
    def leaves(self) -> Places:
        """The nodes that are leaves."""
        return np.nonzero(self.column < 0)[0]


def forest(points: Array, values: Array, trees: int, rng: Generator) -> list[Tree]:
    """`trees` trees of the values (n,) at the points (n, d) of the unit cube.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.random((200, 2))
    >>> (tree,) = forest(x, (x[:, 0] > 0.5).astype(float), 1, rng)
    >>> tree.predict(np.array([[0.1, 0.5], [0.9, 0.5]])).tolist()
    [0.0, 1.0]
    """
    n = len(values)
    grown = []
    for _ in range(trees):
        rows = rng.integers(0, n, n)
        out = np.setdiff1d(np.arange(n), rows)
        grown.append(_grown(points[rows], values[rows], out))
    return grown


def _grown(points: Array, values: Array, out: Places) -> Tree:
    d = points.shape[1]
    nodes: list[tuple[int, float, float]] = []  # column, cut, value
    children: list[list[int]] = []
    boxes: list[tuple[Array, Array]] = []
    waiting = [(np.arange(len(values)), np.zeros(d), np.ones(d), -1, 0)]
    while waiting:
        rows, low, high, parent, side = waiting.pop()
        own = len(nodes)
        if parent >= 0:
            children[parent][side] = own
        split = _split(points[rows], values[rows])
        column, cut = (-1, 0.0) if split is None else split
        nodes.append((column, cut, float(values[rows].mean())))
        children.append([-1, -1])
        boxes.append((low, high))
        if split is not None:
            right = points[rows, column] > cut
            until, since = high.copy(), low.copy()
            until[column] = since[column] = cut
            waiting.append((rows[~right], low, until, own, 0))
            waiting.append((rows[right], since, high, own, 1))
    columns, cuts, means = zip(*nodes, strict=True)
    table = np.array(children, np.int64)
    return Tree(
        np.array(columns, np.int64),
        np.array(cuts),
        table[:, 0],
        table[:, 1],
        np.array(means),
        np.array([low for low, _ in boxes]),
        np.array([high for _, high in boxes]),
        out,
    )


def _split(points: Array, values: Array) -> tuple[int, float] | None:
    """The column and cut that lower the squared error most, None for a leaf."""
    n = len(values)
    if n < 2 * LEAST_IN_LEAF:
        return None
    order = points.argsort(axis=0)
    ranked = np.take_along_axis(points, order, axis=0)
    sums = (values - values.mean())[order].cumsum(axis=0)[:-1]
    count = np.arange(1.0, n)[:, None]
    gain = sums**2 * (n / (count * (n - count)))
    gain[: LEAST_IN_LEAF - 1] = 0.0
    gain[n - LEAST_IN_LEAF :] = 0.0
    gain[ranked[1:] <= ranked[:-1]] = 0.0
    row, column = divmod(int(gain.argmax()), points.shape[1])
    if gain[row, column] <= 0:
        return None
    below, above = ranked[row : row + 2, column]
    return column, float(below + above) / 2
