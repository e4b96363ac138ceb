"""The gradient noise scale, a first guess of the critical batch size.

McCandlish et al. (2018), "An empirical model of large-batch training", appendix A.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from .examples import size_of
from .program import Program, seeded
from .schedules.base import at_least_zero

PARTS, DRAWS, RESAMPLED = 8, 30, 200


@dataclass(frozen=True)
class NoiseScale:
    """The noise scale in examples, between `low` and `high` in nine cases of ten.

    `high` is infinite where the mean gradient drowns in its noise. The bracket is that
    of the estimate alone: the scale grows during training, and is only a guess of the
    batch size beyond which more examples save fewer steps (Merrill et al., 2025).

    >>> NoiseScale(100.0, 80.0, 130.0).low
    80.0
    """

    scale: float
    low: float
    high: float


def noise_scale(
    program: Program, *, rate: float, steps: int = 50, draws: int = DRAWS
) -> NoiseScale:
    """Compares gradients of batches and of their parts, after `steps` updates.

    >>> import torch
    >>> X = torch.randn(4096, 2, generator=torch.Generator().manual_seed(0))
    >>> program = Program(
    ...     model=lambda params: torch.nn.Linear(2, 1, bias=False),
    ...     optimizer=lambda model, params: torch.optim.SGD(
    ...         model.parameters(), params["lr"]),
    ...     loss=lambda model, batch: model(batch[0] + 1).mean(),
    ...     train=(X,))  # the gradient of an example is x + 1: 2 of noise over 2
    >>> found = noise_scale(program, rate=0.0)
    >>> found.low < 1.0 < found.high
    True

    Raises:
        ValueError: the rate is negative or no number, the steps are negative, or there
            are fewer examples than in two batches.
    """
    at_least_zero("noise_scale", rate=rate, steps=steps)
    size = program.batch_size
    big = min(PARTS * size, size_of(program.train))
    if big < 2 * size:
        raise ValueError(
            f"noise_scale compares batches of {size} with larger ones, and there are "
            f"{size_of(program.train)} examples: give the probe a smaller batch_size"
        )
    model, optimizer = program.build({"lr": rate})
    batches = program.batches()
    with seeded(program.seed):
        for batch in islice(batches, steps):
            program.own_update(model, optimizer, batch)
        wide = program.batches(big, seed=program.seed + 1)
        narrow = program.batches(size, seed=program.seed + 2)
        pairs = [
            (_squared(program, model, next(narrow)), _squared(program, model, own))
            for own in islice(wide, draws)
        ]
    return _bracketed(pairs, size, big, program.seed)


def _bracketed(
    pairs: Sequence[tuple[float, float]], small: int, big: int, seed: int
) -> NoiseScale:
    """The estimate, with the quantiles of resampled draws."""
    both = torch.tensor(pairs, dtype=torch.float64)
    draw = torch.Generator().manual_seed(seed)
    again = torch.randint(0, len(both), (RESAMPLED, len(both)), generator=draw)
    scales = sorted(_scale(both[rows].mean(0), small, big) for rows in again)
    low, high = scales[RESAMPLED // 20], scales[-1 - RESAMPLED // 20]
    return NoiseScale(_scale(both.mean(0), small, big), low, high)


def _scale(squared: torch.Tensor, small: int, big: int) -> float:
    """S over |G|^2, each from means over the draws (eqs. A.2 and A.3)."""
    of_small, of_big = squared.tolist()
    signal = (big * of_big - small * of_small) / (big - small)
    noise = (of_small - of_big) / (1 / small - 1 / big)
    return max(0.0, noise / signal) if signal > 0 else math.inf


def _squared(program: Program, model: torch.nn.Module, batch: object) -> float:
    weights = [own for own in model.parameters() if own.requires_grad]
    found = torch.autograd.grad(program.loss(model, batch), weights, allow_unused=True)
    return sum(float(own.double().square().sum()) for own in found if own is not None)
