"""Unordered options in CMA-ES: a probability for each, learned beside the normal part.

CatCMA (Hamano et al., 2024, arXiv 2405.09962) draws every choice from a distribution
of its own and moves its probabilities along the natural gradient, with the step of
ASNG (Akimoto et al., 2019, "Adaptive stochastic natural gradient method for one-shot
neural architecture search", algorithm 1). Options have no order that a normal
distribution could follow, and one dimension an option would enlarge the covariance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...space import Array

_ALPHA = 1.5  # ASNG, section 4: what signal of the path counts as more than noise


@dataclass(frozen=True, eq=False)
class Categories:
    """The probability of each option of each choice, and the memory of its steps.

    `slowness` divides the step (ASNG's Delta), `path` (s) and `noise` (gamma) tell
    whether the last steps went one way.
    """

    chances: tuple[Array, ...]
    path: Array
    noise: float = 0.0
    slowness: float = 1.0

    def drawn(self, uniform: Sequence[float]) -> list[int]:
        """The option of each choice at numbers of [0, 1)."""
        return [
            min(int(np.searchsorted(np.cumsum(own), u, side="right")), len(own) - 1)
            for own, u in zip(self.chances, uniform, strict=True)
        ]


def start(chances: Sequence[Array]) -> Categories:
    """Options with these chances, raised to the margin."""
    free = sum(len(own) - 1 for own in chances)
    return Categories(_with_margin(chances), np.zeros(free))


def updated(
    before: Categories, chosen: Sequence[Sequence[int | None]], weights: Array
) -> Categories:
    """The chances after a generation.

    `chosen` has the option of each choice for each point, best first, None where the
    choice was inactive; `weights` (points,) are positive and sum to 1.
    """
    gradient = [
        _gradient(own, [point[c] for point in chosen], weights)
        for c, own in enumerate(before.chances)
    ]
    rooted = [_rooted(own, g) for own, g in zip(before.chances, gradient, strict=True)]
    flat = np.concatenate(rooted) if rooted else np.empty(0)
    norm = float(np.linalg.norm(flat))
    if norm == 0:
        return before
    step = 1 / before.slowness
    chances = [
        own + step / norm * g for own, g in zip(before.chances, gradient, strict=True)
    ]
    beta = step / math.sqrt(len(flat))
    gain = math.sqrt(beta * (2 - beta))
    path = (1 - beta) * before.path + gain * flat / norm
    noise = (1 - beta) ** 2 * before.noise + beta * (2 - beta)
    signal = float(path @ path) / _ALPHA
    slowness = before.slowness * math.exp(beta * (noise - signal))
    # A step of 1 in Fisher's metric is from one option to another: no need for more.
    return Categories(_with_margin(chances), path, noise, max(slowness, 1.0))


def _gradient(own: Array, chosen: Sequence[int | None], weights: Array) -> Array:
    """The natural gradient of one choice: CatCMA, eq. 10."""
    moved = np.zeros(len(own))
    for option, weight in zip(chosen, weights, strict=True):
        if option is not None:
            moved -= weight * own
            moved[option] += weight
    return moved


def _rooted(own: Array, gradient: Array) -> Array:
    """The gradient times a root of Fisher's matrix (Akimoto et al., appendix B)."""
    first, last = own[:-1], own[-1]
    shift = gradient[:-1].sum() / (last + math.sqrt(last))
    rooted: Array = gradient[:-1] / np.sqrt(first) + np.sqrt(first) * shift
    return rooted


def _with_margin(chances: Sequence[Array]) -> tuple[Array, ...]:
    """Chances of which none is below the margin of CatCMA, section 4.3.

    With it, a whole generation keeps one option in all choices with chance 0.73.
    """
    kept = []
    for own in chances:
        least = (1 - 0.73 ** (1 / len(chances))) / (len(own) - 1)
        raised = np.maximum(own, least)
        spare = raised - least
        kept.append(least + spare * (1 - least * len(own)) / spare.sum())
    return tuple(kept)
