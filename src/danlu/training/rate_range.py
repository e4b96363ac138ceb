"""The learning rate range test, which answers instead of drawing (playbook T2).

L. N. Smith (2015), "Cyclical learning rates for training neural networks", section 3.3:
raise the rate from update to update and see where the loss falls and where it diverges.
Here the loss is that of examples that stay the same, several sweeps say how far the
answer can be trusted, a short training at the suggested rate has to lower the loss, and
others at twice the rate or half of it say whether it should be higher or lower.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal, TypeAlias

import torch
from torch import nn
from torch.optim import Optimizer

from .examples import part_of, size_of
from .preflight_batches import sample
from .program import Program, seeded
from .sweep import FIRST, LEAST_FALL, Sweep, regions

Verdict: TypeAlias = Literal["ok", "flat", "noisy", "fault", "no end"]

LOW, HIGH = 1e-6, 10.0
STEPS, SWEEPS = 100, 3
LEAST_STEPS = 20  # or there are too few looks to have regions
EVERY = 2  # updates between looks at the loss, so that they cost a sixth of a sweep
CONFIRM = 50  # updates at the suggested rate
CLIMBS = 4  # by factors of 2, at most
GAIN = 0.1  # of the loss, for which it is worth it
CONFIRMED = 256  # examples that its loss is taken on
WIDE = 0.5  # decades between suggestions of sweeps: then they are guesses


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

    Then trains shortly at the suggested rate, as chance can lower the loss in a sweep,
    and at multiples of 2 of it, as long as they end lower.

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
    if not 0 < low < high or steps < LEAST_STEPS or sweeps < 1:
        raise ValueError(
            f"the range test needs 0 < low < high, at least {LEAST_STEPS} steps and 1 "
            f"sweep, got low={low}, high={high}, steps={steps}, sweeps={sweeps}"
        )
    rates = [low * (high / low) ** (step / (steps - 1)) for step in range(steps)]
    before = _after(program, 0, low)
    if not math.isfinite(before):
        return judged([Sweep((low,), (before,), None, None, None)])
    found = judged([_swept(program, rates, seed) for seed in range(sweeps)])
    if found.suggestion is None:
        return found
    after = _after(program, CONFIRM, found.suggestion)
    if not before - after >= LEAST_FALL * abs(before):
        return _denied(found, before, after)
    return _climbed(program, found, after)


def _climbed(program: Program, found: RateRange, loss: float) -> RateRange:
    """Twice the rate, or half of it, as long as a short training ends lower by that."""
    rate = found.suggestion
    assert rate is not None
    highest = math.inf if found.high is None else found.high
    for factor in (2.0, 0.5):
        for _ in range(CLIMBS):
            if factor * rate > highest:
                break
            after = _after(program, CONFIRM, factor * rate)
            if not after < loss - GAIN * abs(loss):
                break
            rate, loss = factor * rate, after
        if rate != found.suggestion:
            break
    return replace(found, suggestion=rate, message=_says(found, rate))


def _says(found: RateRange, rate: float) -> str:
    """The message, with the rate that it was moved to."""
    return found.message if found.verdict != "ok" else _usable(rate, found.spread)


def judged(sweeps: Sequence[Sweep]) -> RateRange:
    """What several sweeps say together.

    >>> rates = [1e-6 * 2**step for step in range(30)]
    >>> sweep = regions(rates, [2.0] * 12 + [1.0] * 8 + [3.0] * 10)
    >>> judged([sweep, sweep]).message
    'A rate of 0.0041 is usable, within a factor of 1.'
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
    if low is not None and low <= sweeps[0].rates[FIRST]:
        return "fault", (
            f"The loss falls from the smallest rate on ({low:.1e}): the rate is not "
            "used, or the range begins too high."
        )
    if usable is None:
        rate = sweeps[0].rates[-1]
        return "no end", (
            f"The loss diverges at no rate up to {rate:g}: sweep higher, or it has no "
            "lower bound (a wrong sign?)."
        )
    if flat:
        count = f"{flat} of {len(sweeps)} sweeps fall"
        return (
            "noisy",
            f"The loss of {count} at no rate: use more sweeps, or more steps.",
        )
    if spread is not None and spread > WIDE:
        width = f"{spread:.1f} decades"
        return "noisy", f"The sweeps disagree by {width}: use more, or more steps."
    return "ok", _usable(usable, spread)


def _usable(rate: float, spread: float | None) -> str:
    about = "" if spread is None else f", within a factor of {10**spread:.2g}"
    return f"A rate of {rate:.2g} is usable{about}."


def _broke_early(sweep: Sweep) -> bool:
    return sweep.falls_from is None and not math.isfinite(sweep.losses[-1])


def _denied(found: RateRange, before: float, after: float) -> RateRange:
    return replace(
        found,
        verdict="flat",
        message=f"The loss falls in the sweeps, but {CONFIRM} updates at "
        f"{found.suggestion:.2g} took it from {before:.3g} to {after:.3g}: a fault in "
        "model, loss or labels, or batches too small to see it fall.",
        suggestion=None,
        spread=None,
    )


def _swept(program: Program, rates: Sequence[float], seed: int) -> Sweep:
    """One sweep; it ends at the first loss that is not finite.

    The loss is that of as many examples as are in a batch, others in each sweep.
    """
    own = replace(program, seed=program.seed + seed)
    model, optimizer = own.build()
    fixed = sample(own, _watched(own), own.batch_size)
    factors = _factors(optimizer)
    seen: list[float] = []
    losses: list[float] = []
    batches = islice(own.batches(), len(rates))
    with seeded(own.seed):
        for place, (rate, batch) in enumerate(zip(rates, batches, strict=True)):
            _set_rate(optimizer, factors, rate)
            (own.step or own.update)(model, optimizer, batch)
            if (place + 1) % EVERY:
                continue
            seen.append(rate)
            losses.append(_loss(own, model, fixed))
            if not math.isfinite(losses[-1]):
                break
    return regions(seen, losses)


def _after(program: Program, updates: int, rate: float) -> float:
    """The mean loss of many examples after a training at one rate, in train mode."""
    model, optimizer = program.build()
    _set_rate(optimizer, _factors(optimizer), rate)
    with seeded(program.seed):
        for batch in islice(program.batches(), updates):
            (program.step or program.update)(model, optimizer, batch)
    source = _watched(program)
    count = min(CONFIRMED, size_of(source))
    examples = sample(program, source, count)
    total = 0.0
    for places in torch.arange(count).split(program.batch_size):
        loss = _loss(program, model, part_of(examples, places))
        total += loss * len(places) / count
    return total


def _watched(program: Program) -> Any:
    return program.val if program.val is not None else program.train


def _factors(optimizer: Optimizer) -> list[float]:
    """The rates of the groups, relative to the highest."""
    top = max(float(group["lr"]) for group in optimizer.param_groups) or 1.0
    return [float(group["lr"]) / top for group in optimizer.param_groups]


def _set_rate(optimizer: Optimizer, factors: Sequence[float], rate: float) -> None:
    for group, factor in zip(optimizer.param_groups, factors, strict=True):
        group["lr"] = rate * factor


def _loss(program: Program, model: nn.Module, batch: Any) -> float:
    """The loss of a batch in train mode; buffers and the random state are kept."""
    kept = [own.clone() for own in model.buffers()]
    with torch.no_grad(), _draws(program):
        loss = program.value(model, batch)
        for buffer, before in zip(model.buffers(), kept, strict=True):
            buffer.copy_(before)
    return loss


@contextmanager
def _draws(program: Program) -> Iterator[None]:
    """As `seeded`, in a hundredth of the time on a CPU, as there are many looks."""
    if program.device != "cpu":
        with seeded(program.seed):
            yield
        return
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(program.seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)


def _median(values: Sequence[float | None]) -> float | None:
    """The median on a log scale, None where most are missing."""
    known = [math.log(value) for value in values if value is not None]
    if 2 * len(known) <= len(values):
        return None
    return math.exp(statistics.median(known))
