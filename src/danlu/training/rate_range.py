"""The learning rate range test, which answers instead of drawing (playbook T2).

L. N. Smith (2015), "Cyclical learning rates for training neural networks", section 3.3:
raise the rate from update to update and see where the loss falls and where it diverges.
Here the loss is that of one batch that stays the same, and several sweeps say how far
the answer can be trusted.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias

import torch
from torch import nn

from .preflight_batches import sample
from .program import Program, seeded

Verdict: TypeAlias = Literal["ok", "flat", "noisy", "fault", "no end"]

LOW, HIGH = 1e-6, 10.0
STEPS, SWEEPS = 100, 3
WATCHED = 256  # examples of the batch that stays the same
SMOOTH = 3  # points to either side
# Fixed before any result was seen, and measured in benchmarks.rate_range: divergence
# begins where a quarter of the fall is given back; a usable rate is a quarter of that.
GIVEN_BACK, MARGIN = 0.25, 4.0
BEGUN = 0.1  # of the fall: where the falling region begins
LEAST_FALL = 0.03  # of the first loss; less is what noise does to sweeps of noise
WIDE = 0.5  # decades between sweeps: then a suggestion is a guess


@dataclass(frozen=True)
class Sweep:
    """One sweep: rates, the losses after each, and where its three regions begin.

    >>> Sweep((0.1, 0.2), (1.0, 0.5), falls_from=0.1, diverges_from=None).suggestion
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    falls_from: float | None
    diverges_from: float | None

    @property
    def suggestion(self) -> float | None:
        """A usable rate, None where the loss does not fall or does not diverge."""
        if self.falls_from is None or self.diverges_from is None:
            return None
        return self.diverges_from / MARGIN


@dataclass(frozen=True)
class RateRange:
    """What sweeps over the rate say: a usable rate, its spread, and a verdict.

    `spread` is the standard deviation between sweeps, in decades. `low` and `high` are
    where the loss begins to fall and to diverge, as medians.

    >>> RateRange("flat", "The loss falls at no rate.", None, None, None, None, ()).low
    """

    verdict: Verdict
    message: str
    suggestion: float | None
    spread: float | None
    low: float | None
    high: float | None
    sweeps: tuple[Sweep, ...]


def rate_range(
    program: Program,
    *,
    low: float = LOW,
    high: float = HIGH,
    steps: int = STEPS,
    sweeps: int = SWEEPS,
) -> RateRange:
    """Sweeps the rate from `low` to `high` with fresh weights, `sweeps` times.

    >>> import torch
    >>> X = torch.randn(99, 4, generator=torch.Generator().manual_seed(0))
    >>> program = Program(
    ...     model=lambda params: torch.nn.Linear(4, 1),
    ...     optimizer=lambda model, params: torch.optim.SGD(model.parameters(), 0.1),
    ...     loss=lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
    ...     train=(X, X.sum(1, keepdim=True)))
    >>> rate_range(program).verdict
    'ok'

    Raises:
        ValueError: the range is empty, or there are too few steps or sweeps.
    """
    if not 0 < low < high or steps < 10 or sweeps < 1:
        raise ValueError(
            "the range test needs 0 < low < high, at least 10 steps and 1 sweep, got "
            f"low={low}, high={high}, steps={steps}, sweeps={sweeps}"
        )
    rates = [low * (high / low) ** (step / (steps - 1)) for step in range(steps)]
    return judged([_swept(program, rates, seed) for seed in range(sweeps)])


def judged(sweeps: Sequence[Sweep]) -> RateRange:
    """What several sweeps say together.

    >>> sweep = Sweep((0.01, 0.2), (1.0, 0.5), falls_from=0.1, diverges_from=2.0)
    >>> judged([sweep, sweep]).suggestion
    0.5
    """
    low = _median([sweep.falls_from for sweep in sweeps])
    high = _median([sweep.diverges_from for sweep in sweeps])
    suggestions = [sweep.suggestion for sweep in sweeps]
    usable = _median(suggestions)
    logs = [math.log10(own) for own in suggestions if own is not None]
    spread = statistics.stdev(logs) if len(logs) > 1 else None
    verdict, message = _verdict(sweeps, usable, spread, low)
    if verdict in ("fault", "flat"):
        usable = spread = None
    return RateRange(verdict, message, usable, spread, low, high, tuple(sweeps))


def _verdict(
    sweeps: Sequence[Sweep],
    usable: float | None,
    spread: float | None,
    low: float | None,
) -> tuple[Verdict, str]:
    flat = sum(sweep.falls_from is None for sweep in sweeps)
    if any(_broke_early(sweep) for sweep in sweeps):
        return "fault", (
            "The loss is not finite before it falls: a fault in the model or in an "
            "example."
        )
    if 2 * flat > len(sweeps):
        return "flat", "The loss falls at no rate: a fault in model, loss or labels."
    if low is not None and low <= 2 * sweeps[0].rates[0]:
        return "fault", (
            f"The loss falls from the smallest rate on ({low:.1e}): the rate is not "
            "used, or the range begins too high."
        )
    if usable is None:
        rate = sweeps[0].rates[-1]
        return "no end", f"The loss diverges at no rate up to {rate:g}: sweep higher."
    if flat or (spread is not None and spread > WIDE):
        width = "" if spread is None else f" ({spread:.1f} decades)"
        return "noisy", f"The sweeps disagree{width}: use more of them, or more steps."
    about = "" if spread is None else f", within a factor of {10**spread:.2g}"
    return "ok", f"A rate of {usable:.2g} is usable{about}."


def _broke_early(sweep: Sweep) -> bool:
    return sweep.falls_from is None and not math.isfinite(sweep.losses[-1])


def _swept(program: Program, rates: Sequence[float], seed: int) -> Sweep:
    """One sweep; it ends at the first loss that is not finite."""
    model, optimizer = program.build(seed=program.seed + seed)
    watched = program.val if program.val is not None else program.train
    fixed = sample(program, watched, WATCHED)
    top = max(float(group["lr"]) for group in optimizer.param_groups) or 1.0
    factors = [float(group["lr"]) / top for group in optimizer.param_groups]
    losses: list[float] = []
    batches = islice(program.batches(seed=program.seed + seed), len(rates))
    with seeded(program.seed + seed):
        for rate, batch in zip(rates, batches, strict=True):
            for group, factor in zip(optimizer.param_groups, factors, strict=True):
                group["lr"] = rate * factor
            (program.step or program.update)(model, optimizer, batch)
            losses.append(_watched(program, model, fixed))
            if not math.isfinite(losses[-1]):
                break
    return regions(rates[: len(losses)], losses)


def regions(rates: Sequence[float], losses: Sequence[float]) -> Sweep:
    """A sweep with its regions: from where the loss falls, from where it diverges.

    >>> losses = [2.0] * 10 + [1.0] * 10 + [3.0] * 10
    >>> sweep = regions([10.0**step for step in range(30)], losses)
    >>> sweep.falls_from, sweep.diverges_from
    (10000000.0, 1e+17)
    """
    finite = [loss for loss in losses if math.isfinite(loss)]
    smooth = list(_smoothed(finite))
    if len(smooth) < 2 * SMOOTH:
        return Sweep(tuple(rates), tuple(losses), None, None)
    start = statistics.median(finite[:SMOOTH])
    bottom = min(range(len(smooth)), key=smooth.__getitem__)
    fall = start - smooth[bottom]
    # The noise of one point; before anything is learned the curve has no trend.
    noise = statistics.pstdev(finite[: 2 * SMOOTH])
    if fall < max(LEAST_FALL * abs(start), 3 * noise):
        return Sweep(tuple(rates), tuple(losses), None, None)
    begun = next(
        place for place, loss in enumerate(smooth) if loss < start - BEGUN * fall
    )
    ends = [
        place
        for place in range(bottom, len(smooth))
        if smooth[place] > smooth[bottom] + GIVEN_BACK * fall
    ]
    stopped = len(finite) < len(losses)
    end = ends[0] if ends else (len(finite) - 1 if stopped else None)
    diverges = None if end is None else rates[end]
    return Sweep(tuple(rates), tuple(losses), rates[begun], diverges)


def _smoothed(losses: Sequence[float]) -> Iterator[float]:
    for place in range(len(losses)):
        near = losses[max(0, place - SMOOTH) : place + SMOOTH + 1]
        yield sum(near) / len(near)


def _watched(program: Program, model: nn.Module, batch: Any) -> float:
    """The loss of the batch that stays the same, in train mode; buffers are kept."""
    kept = [own.clone() for own in model.buffers()]
    with torch.no_grad(), seeded(program.seed):
        loss = float(program.loss(model, batch))
        for buffer, before in zip(model.buffers(), kept, strict=True):
            buffer.copy_(before)
    return loss


def _median(values: Sequence[float | None]) -> float | None:
    """The median on a log scale, None where most are missing."""
    known = [math.log(value) for value in values if value is not None]
    if 2 * len(known) <= len(values):
        return None
    return math.exp(statistics.median(known))
