"""Short trainings: how much seeds differ, from which rate on it is unstable.

The rules are those of the Deep Learning Tuning Playbook (Godbole et al., 2023),
"Determining the number of steps" and "How can optimization failures be debugged?".
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from .clipping import FEWEST, clip_threshold
from .examples import batch_of, size_of
from .norms import gradient_norms
from .program import Program, seeded

HELD = 1000  # validation examples at most
# The playbook: look at rates of 2x the best, and find a warm-up that trains at 10x.
MULTIPLES = (1.0, 2.0, 5.0, 10.0)
WARMUPS = (0.0, 0.01, 0.02, 0.05, 0.1)  # of the steps; more is too long
STABLE = 1.0  # a run ends no worse than it began


@dataclass(frozen=True)
class TrialRun:
    """One short training: training losses, gradient norms, the validation loss.

    >>> TrialRun((1.0,), (0.5,), 0.9).val
    0.9
    """

    losses: tuple[float, ...]
    norms: tuple[float, ...]
    val: float | None

    @property
    def is_stable(self) -> bool:
        """Whether it ended below where it began, with all losses finite."""
        tenth = max(1, len(self.losses) // 10)
        last = statistics.fmean(self.losses[-tenth:])
        return math.isfinite(last) and last < STABLE * self.losses[0]


@dataclass(frozen=True)
class Noise:
    """The mean and the standard deviation of the validation loss between seeds.

    >>> Noise(1.0, 0.1, 5).seeds
    5
    """

    mean: float
    deviation: float
    seeds: int


@dataclass(frozen=True)
class Stability:
    """The first multiple of the rate that does not train, and what makes 10x train.

    `unstable_rate` is None where 10 times the rate trains; `warmup` is the shortest
    share of the steps with which it does, None where none of at most 10 % does.

    >>> Stability(0.1, unstable_rate=0.5, warmup=0.05, clip_norm=2.0).warmup
    0.05
    """

    rate: float
    unstable_rate: float | None
    warmup: float | None
    clip_norm: float | None


def trial_run(
    program: Program, rate: float, *, steps: int, warmup: float = 0.0, seed: int = 0
) -> TrialRun:
    """Trains at a constant rate, after a warm-up over a share of the steps.

    >>> import torch
    >>> program = Program(
    ...     model=lambda params: torch.nn.Linear(4, 1),
    ...     optimizer=lambda model, params: torch.optim.SGD(
    ...         model.parameters(), params["lr"]),
    ...     loss=lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
    ...     train=(torch.ones(9, 4), torch.ones(9, 1)))
    >>> trial_run(program, 0.01, steps=20).is_stable
    True
    """
    model, optimizer = program.build({"lr": rate}, seed=program.seed + seed)
    full = [float(group["lr"]) for group in optimizer.param_groups]
    losses: list[float] = []
    norms: list[float] = []
    batches = islice(program.batches(seed=program.seed + seed), steps)
    with seeded(program.seed + seed):
        for step, batch in enumerate(batches):
            share = min(1.0, (step + 1) / max(1.0, warmup * steps))
            for group, own in zip(optimizer.param_groups, full, strict=True):
                group["lr"] = share * own
            losses.append(program.update(model, optimizer, batch))
            if not math.isfinite(losses[-1]):
                break
            norms.append(float(gradient_norms(model.parameters()).total))
    return TrialRun(tuple(losses), tuple(norms), _validated(program, model))


def noise(program: Program, rate: float, *, steps: int, seeds: int) -> Noise:
    """How much the validation loss differs between seeds, at one rate.

    Raises:
        ValueError: fewer than two seeds, or the program has no validation examples.
    """
    if seeds < 2 or program.val is None:
        raise ValueError(
            "noise needs at least 2 seeds and a probe with `val`, got "
            f"seeds={seeds}, val={'none' if program.val is None else 'given'}"
        )
    runs = [trial_run(program, rate, steps=steps, seed=seed) for seed in range(seeds)]
    losses = [run.val for run in runs if run.val is not None]
    return Noise(statistics.fmean(losses), statistics.stdev(losses), len(losses))


def stability(program: Program, rate: float, *, steps: int) -> Stability:
    """Trains at multiples of the rate, then seeks the warm-up for ten times of it."""
    runs = [trial_run(program, own * rate, steps=steps) for own in MULTIPLES]
    bad = [own for own, run in zip(MULTIPLES, runs, strict=True) if not run.is_stable]
    top = MULTIPLES[-1] * rate
    return Stability(
        rate,
        unstable_rate=rate * bad[0] if bad else None,
        warmup=_shortest(program, top, steps) if bad else 0.0,
        clip_norm=_clip(runs[0].norms),
    )


def _shortest(program: Program, rate: float, steps: int) -> float | None:
    for share in WARMUPS:
        if trial_run(program, rate, steps=steps, warmup=share).is_stable:
            return share
    return None


def _clip(norms: Sequence[float]) -> float | None:
    return clip_threshold(norms) if len(norms) >= FEWEST else None


def _validated(program: Program, model: torch.nn.Module) -> float | None:
    if program.val is None:
        return None
    places = list(range(min(HELD, size_of(program.val))))
    model.eval()
    with torch.no_grad():
        batch = batch_of(program.val, places, program.device)
        return float(program.loss(model, batch))
