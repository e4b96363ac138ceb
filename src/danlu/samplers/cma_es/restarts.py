"""When a run of CMA-ES has come to its end, and how the next one starts.

The ends are those of Hansen's tutorial, appendix B.3. The restarts are BIPOP's (Hansen,
2009, "Benchmarking a BI-population CMA-ES on the BBOB-2009 function testbed", section
2.1): with populations that double, and in between small ones with small steps, so that
both have spent about the same number of trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from numpy.random import Generator

from ...space import Array

# Params have 12 digits, and steps of a thousand times that can still be told apart.
_LEAST_WIDTH = 1e-9
_LEAST_GAIN = 1e-12  # TolFun, here relative to the losses, which have units
_WORST_CONDITION = 1e14  # ConditionCov
_LARGEST_GROWTH = 1e4  # TolXUp


@dataclass(frozen=True)
class Plan:
    """One run: its number, its population, and its first step relative to the usual.

    `most` is the number of trials that it may take, `doublings` how often the large
    population has been doubled, `small` and `large` what each kind has spent so far.
    """

    restart: int
    population: int
    shrinkage: float = 1.0
    most: float = math.inf
    doublings: int = 0
    small: int = 0
    large: int = 0


def next_plan(before: Plan, usual: int, spent: int, rng: Generator) -> Plan:
    """The run after one that `spent` so many trials; `usual` is the first population.

    The first run, of the usual population, counts as a small one.
    """
    was_large = before.doublings > 0 and before.population == usual * (
        2**before.doublings
    )
    small = before.small + (0 if was_large else spent)
    large = before.large + (spent if was_large else 0)
    if large <= small:
        doublings = before.doublings + 1
        population = usual * 2**doublings
        return Plan(
            before.restart + 1,
            population,
            doublings=doublings,
            small=small,
            large=large,
        )
    ratio = 2**before.doublings / 2
    population = math.floor(usual * ratio ** (rng.random() ** 2))
    return Plan(
        before.restart + 1,
        population,
        shrinkage=10 ** (-2 * rng.random()),
        most=spent / 2 if was_large else before.most,
        doublings=before.doublings,
        small=small,
        large=large,
    )


@dataclass(frozen=True, eq=False)
class Signs:
    """What tells whether a run goes on.

    `widths` are the deviations in the real-valued dimensions, `lengths` those along the
    axes, `growth` the largest width relative to the first one. `bests` and `medians`
    are the losses of the generations, `worst` the last one's worst; `n` dimensions.
    """

    n: int
    population: int
    widths: Array
    lengths: Array
    growth: float
    bests: Sequence[float]
    medians: Sequence[float]
    worst: float


def has_ended(signs: Signs) -> bool:
    """Whether nothing more is to be expected of a run."""
    return (
        (len(signs.widths) > 0 and signs.widths.max() < _LEAST_WIDTH)  # TolX
        or _is_degenerate(signs.lengths)
        or signs.growth > _LARGEST_GROWTH
        or _is_flat(signs)
        or _stagnates(signs)
    )


def _is_degenerate(lengths: Array) -> bool:
    """ConditionCov: the longest axis is 1e7 times the shortest."""
    return len(lengths) > 0 and lengths.max() > (
        math.sqrt(_WORST_CONDITION) * lengths.min()
    )


def _is_flat(signs: Signs) -> bool:
    """TolFun: the last losses, and the best ones of some generations, are equal."""
    window = 10 + math.ceil(30 * signs.n / signs.population)
    if len(signs.bests) < window:
        return False
    losses = [*signs.bests[-window:], signs.worst]
    if not all(map(math.isfinite, losses)):
        return False
    largest = max(abs(loss) for loss in losses)
    return max(losses) - min(losses) <= _LEAST_GAIN * largest


def _stagnates(signs: Signs) -> bool:
    """Stagnation: neither best nor median losses are lower than some time ago."""
    window = 120 + math.ceil(30 * signs.n / signs.population)
    window = max(window, len(signs.bests) // 5)
    if len(signs.bests) < window:
        return False
    share = math.ceil(0.3 * window)
    return all(
        median(own[-share:]) >= median(own[-window : share - window])
        for own in (signs.bests, signs.medians)
    )
