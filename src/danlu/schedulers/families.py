"""Families of learning curves, each a normal distribution over whole curves.

A family is a power law (Domhan et al., 2015; Kadra et al., 2023), an exponential decay
(Swersky et al., 2014) or a straight line, with how much the loss falls in all, how much
it falls late (many trainings lower their learning rate at the end), and how noisy it
is. Only the falls between one step of a grid and the next are modeled: the level of a
curve is free. Everything is precomputed once for a grid, so that curves cost a product
of matrices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..space import Array

# How much a curve falls in all, from far beyond to far below the spread of the losses;
# the normal distributions of neighbors overlap (FALL_SD).
FALLS = tuple(4.0 * 3.0**-k for k in range(7))
POWERS = (0.01, 0.5, 1.0, 2.0)  # 0.01 is as good as the logarithm
RATES = (5.0, 15.0)  # of exponential decays, over the whole training
LATE_FALLS = (0.0, 0.01, 0.05)
NOISES = (0.003, 0.04)  # standard deviations
FALL_SD = 0.5  # of what a curve falls in all, as a part of it
STRAY_SD = 0.3  # of each fall, by itself
# Of the falls together: how far a curve has strayed from its family's shape grows with
# every doubling of the steps, as no family is quite true.
WALK_SD = 0.3
_JITTER = 1e-8
MOST_STEPS = 14  # of a grid: the cost grows with the square


@dataclass(frozen=True, eq=False)
class Families:
    """m families over the j falls between the j + 1 steps of a grid.

    The falls of a curve are means (m, j) + factors (m, j, j) z for z standard normal,
    with factors of lower triangles: a curve known up to some step fixes the first z,
    and leaves the rest free.
    `whitening` (j, m j) is the inverse of the factors and `centers` (m, j) are what it
    makes of the means: z = falls @ whitening - centers. `log_dets` (m, j) are of the
    first falls.
    `rest_means` (m, j + 1) and `rest_sds` are of what is still to fall when that many
    falls are known, `rest_factors` (m, j + 1, j) say how it depends on these.
    `sizes` (m,) is each family's place in FALLS.
    """

    whitening: Array
    centers: Array
    log_dets: Array
    rest_means: Array
    rest_sds: Array
    rest_factors: Array
    sizes: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.centers)


def grid(max_steps: int, min_steps: int) -> tuple[int, ...]:
    """Steps at which curves are looked at, lowest first; the last is the full length.

    Each is about the square root of 2 times the one before, more where that would make
    too many.

    >>> grid(52, 1)
    (1, 2, 3, 5, 6, 9, 13, 18, 26, 37, 52)
    """
    first = min(min_steps, max_steps)
    ratio = max(math.sqrt(2.0), (max_steps / first) ** (1.0 / (MOST_STEPS - 1)))
    count = math.floor(math.log(max_steps / first) / math.log(ratio) + 1e-9)
    steps = {max(first, round(max_steps / ratio**k)) for k in range(count + 1)}
    return tuple(sorted({first, *steps}))


@lru_cache(maxsize=8)
def families(steps: Sequence[int]) -> Families:
    """The families over a grid of at least two steps."""
    falls = -np.diff(_shapes(np.array(steps, float)), axis=1)
    kinds = list(product(range(len(FALLS)), range(len(falls)), LATE_FALLS, NOISES))
    sizes = np.array([size for size, *_ in kinds])
    size_of_fall = np.array(FALLS)[sizes][:, None]
    early = size_of_fall * falls[[shape for _, shape, *_ in kinds]]
    late = np.array([own for *_, own, _ in kinds])[:, None] * falls[-1]
    noise = np.array([own for *_, own in kinds])
    covariances = _covariances(early, late, noise, steps)
    factors = np.asarray(np.linalg.cholesky(covariances), np.float64)
    return _precomputed(early + late, factors, sizes)


def _shapes(steps: Array) -> Array:
    """Decays from 1 at the first step to 0 at the last; the last one is straight."""
    curves = [steps**-power for power in POWERS]
    curves += [np.exp(-rate * steps / steps[-1]) for rate in RATES]
    curves.append(-steps)
    return np.array([(own - own[-1]) / (own[0] - own[-1]) for own in curves])


def _covariances(
    early: Array, late: Array, noise: Array, steps: Sequence[int]
) -> Array:
    """How the falls of each family vary together (m, j, j)."""
    count = early.shape[1]
    doublings = np.log2(np.array(steps[1:]) / steps[0])
    together = FALL_SD**2 + WALK_SD**2 * np.minimum(doublings[:, None], doublings)
    own = STRAY_SD**2 * early**2 + FALL_SD**2 * late**2
    # a fall is the difference of two values, each with its own noise
    differences = 2.0 * np.eye(count) - np.eye(count, k=1) - np.eye(count, k=-1)
    return (
        together * early[:, :, None] * early[:, None, :]
        + FALL_SD**2 * late[:, :, None] * late[:, None, :]
        + own[:, :, None] * np.eye(count)
        + noise[:, None, None] ** 2 * differences
        + _JITTER * np.eye(count)
    )


def _precomputed(means: Array, factors: Array, sizes: NDArray[np.intp]) -> Families:
    members, count = means.shape
    inverses = np.asarray(np.linalg.inv(factors), np.float64)
    diagonals = np.diagonal(factors, axis1=1, axis2=2)
    after = _sums_to_the_end(factors)  # (m, j, j): from each fall on
    # of the sum of the falls from t on, z_k counts with its falls from k on, if k >= t
    own = np.diagonal(after, axis1=1, axis2=2) ** 2
    nothing = np.zeros((members, 1))
    return Families(
        whitening=inverses.transpose(2, 0, 1).reshape(count, members * count),
        centers=np.einsum("mij,mj->mi", inverses, means),
        log_dets=np.cumsum(np.log(diagonals), axis=1),
        rest_means=np.hstack((_sums_to_the_end(means), nothing)),
        rest_sds=np.sqrt(np.hstack((_sums_to_the_end(own), nothing))),
        rest_factors=np.concatenate((after, np.zeros((members, 1, count))), axis=1),
        sizes=sizes,
    )


def _sums_to_the_end(values: Array) -> Array:
    """Along the second axis, the sum of each entry and all that follow."""
    return np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
