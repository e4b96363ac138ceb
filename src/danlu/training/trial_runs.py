"""Short trainings: how much seeds differ, from which rate on it is unstable.

The rules are those of the Deep Learning Tuning Playbook (Godbole et al., 2023),
"Determining the number of steps" and "How can optimization failures be debugged?".
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

import torch

from .clipping import FEWEST, clip_threshold
from .examples import batch_of, size_of
from .norms import gradient_norms
from .program import Program, seeded
from .sweep import GIVEN_BACK

STEADY = 500  # updates in which the playbook looks for instability
HELD = 1000  # validation examples at most
# The playbook looks at rates above the best one, first at twice of it, and seeks a
# warm-up that trains at ten times the first unstable one.
MULTIPLES = (2.0, 5.0, 10.0)
WARMED = 10.0
WARMUPS = (0.01, 0.02, 0.05, 0.1)  # of the steps; more is too long
STRETCHES = 10  # of a run, in which its loss is averaged


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
        """Whether the loss fell, and never gave back a quarter of its fall.

        That is what diverging means to the range test too. A run that falls after it
        rose is not stable either.
        """
        if not all(map(math.isfinite, self.losses)):
            return False
        start = self.losses[0]  # before the first update
        size = max(1, len(self.losses) // STRETCHES)
        parts = [self.losses[at : at + size] for at in range(0, len(self.losses), size)]
        means = [statistics.fmean(part) for part in parts if len(part) == size]
        fall = start - min(means)
        lowest = accumulate([start, *means[:-1]], min)
        risen = max(mean - low for mean, low in zip(means, lowest, strict=True))
        return fall > 0 and risen < GIVEN_BACK * fall


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
    """The first rate from `rate` on that does not train, and what makes 10x it train.

    `unstable_rate` is None where even 10 times `rate` trains. `warmup` is the shortest
    share of the steps with which 10 times `unstable_rate` trains: 0 where nothing is
    unstable, None where none of at most 10 % does. `clip_norm` is the 90th percentile
    of the norms at `rate`, None where the run was too short for one, or the program has
    a `step` of its own, which may clip.

    >>> Stability(0.1, unstable_rate=0.5, warmup=0.05, clip_norm=2.0).warmed_rate
    5.0
    """

    rate: float
    unstable_rate: float | None
    warmup: float | None
    clip_norm: float | None

    @property
    def warmed_rate(self) -> float | None:
        """The rate that the warm-up is for, None where nothing is unstable."""
        return None if self.unstable_rate is None else WARMED * self.unstable_rate


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
            losses.append(program.own_update(model, optimizer, batch))
            if not math.isfinite(losses[-1]):
                break
            if program.step is None:  # which may have clipped, or forgotten, them
                norms.append(float(gradient_norms(model.parameters()).total))
    return TrialRun(tuple(losses), tuple(norms), _validated(program, model))


def noise(program: Program, rate: float, *, steps: int, seeds: int) -> Noise:
    """How much the validation loss differs between seeds, at one rate.

    Raises:
        ValueError: the rate is no number above 0, there are no steps or fewer than two
            seeds, the program has no validation examples, or a seed diverges.
    """
    _check("noise", rate, steps, least=1)
    if seeds < 2 or program.val is None:
        raise ValueError(
            "noise needs at least 2 seeds and a probe with `val`, got "
            f"seeds={seeds}, val={'none' if program.val is None else 'given'}"
        )
    runs = [trial_run(program, rate, steps=steps, seed=seed) for seed in range(seeds)]
    losses = [run.val for run in runs if run.val is not None]
    if not all(map(math.isfinite, losses)):
        raise ValueError(
            f"at a rate of {rate:g} the validation losses of {seeds} seeds end at "
            f"{losses}: ask at a smaller rate"
        )
    return Noise(statistics.fmean(losses), statistics.stdev(losses), len(losses))


def stability(program: Program, rate: float, *, steps: int) -> Stability:
    """Raises the rate until it does not train, then seeks a warm-up for 10 times that.

    Godbole et al. (2023), "How can optimization failures be debugged and mitigated?",
    learning rate warmup: the rate to reach is that of the first instability, not the
    best one.

    Raises:
        ValueError: the rate is no number above 0, or there are too few steps.
    """
    _check("stability", rate, steps, least=2)  # the first loss is before any update
    usual = trial_run(program, rate, steps=steps)
    unstable = _first_unstable(program, rate, steps) if usual.is_stable else rate
    return Stability(
        rate,
        unstable_rate=unstable,
        warmup=0.0 if unstable is None else _shortest(program, unstable, steps),
        clip_norm=_clip(usual.norms),
    )


def _check(asked: str, rate: float, steps: int, *, least: int) -> None:
    if not 0 < rate < math.inf or steps < least:
        raise ValueError(
            f"{asked} needs a rate above 0 and steps >= {least}, got rate={rate}, "
            f"steps={steps}"
        )


def _first_unstable(program: Program, rate: float, steps: int) -> float | None:
    for higher in (own * rate for own in MULTIPLES):
        if not trial_run(program, higher, steps=steps).is_stable:
            return higher
    return None


def _shortest(program: Program, unstable: float, steps: int) -> float | None:
    """The shortest warm-up that trains at ten times the unstable rate."""
    for share in WARMUPS:
        run = trial_run(program, WARMED * unstable, steps=steps, warmup=share)
        if run.is_stable:
            return share
    return None


def _clip(norms: Sequence[float]) -> float | None:
    return clip_threshold(norms) if len(norms) >= FEWEST else None


def _validated(program: Program, model: torch.nn.Module) -> float | None:
    """The mean loss of validation examples, a batch at a time."""
    if program.val is None:
        return None
    count = min(HELD, size_of(program.val))
    total = 0.0
    model.eval()
    with torch.no_grad():
        for places in torch.arange(count).split(program.batch_size):
            batch = batch_of(program.val, places.tolist(), program.device)
            total += program.value(model, batch) * len(places) / count
    return total
