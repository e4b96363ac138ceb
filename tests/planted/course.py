"""How a training goes from its first report to its last one: curves with known truth.

Shapes are those of practice: a fast fall that settles, or a power law that goes on
falling (Hestness et al., 2017); what a learning-rate schedule adds to them; noise
between steps that shrinks with the learning rate; validation errors that are counts of
examples; and the faults that one looks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator, default_rng

from danlu.space import Array

Schedule = Literal[
    "constant", "cosine", "stepped", "one_cycle", "restarts", "warm_up", "linear"
]

QUICK, TAIL = 0.75, 20.0  # share of the fall that is exponential; steepness of the rest
REMEMBERED = 40  # steps that noise is felt for: 0.85^40 is nothing
CROSS_ENTROPY = 2.3  # log(10): the loss of a network of ten classes that knows nothing


@dataclass(frozen=True)
class Course:
    """What the trainings of a study have in common.

    `settled` is the part of the training after which it stands still. With a `power`
    it never does: the error falls as (1 + 30 s)^-power. `swing` is what the noise of a
    full learning rate adds to the error, taken off as the schedule decays it. `step_sd`
    is the standard deviation from step to step. Validation errors are counts among
    `examples`. `spikes` is the probability of one at each step. `creep` is the share of
    the training loss that is learned by heart from the first step to the last. `bump`
    is by how much the error rises and falls again in the middle (the double descent of
    Nakkiran et al., 2020). The validation error is reported at every `sparse`-th report
    alone; with a `patience` the program ends after so many reports without a new best.
    `memory` is the part of a step's noise that is left in the next one. `common` is the
    standard deviation of what all trainings of the study share at a step: the same hard
    batches, since their data come in the same order.
    """

    reports: int = 40
    every: int = 1  # steps from one report to the next
    first: int = 1  # 0 where the network is evaluated before it is trained
    schedule: Schedule = "constant"
    settled: float = 0.75
    power: float | None = None
    swing: float = 0.0
    step_sd: float = 0.004
    examples: int | None = None
    spikes: float = 0.0
    creep: float = 0.15
    bump: float = 0.0
    sparse: int = 1
    patience: int | None = None
    memory: float = 0.3
    common: float = 0.0


@dataclass(frozen=True)
class Faults:
    """What goes wrong in one training; sizes are those of the validation error.

    `overfit` is by how much it has risen at the end, from `overfit_from` of the way on,
    while the training loss goes on falling. `climb` is by which share of its value the
    training loss rises over `climb_length` of the training from `climb_from` on, and
    then stays. `wave` is the amplitude of an oscillation with `period` reports.
    `quick` makes the start that many times as fast; nothing is learned before `delay`.
    """

    overfit: float = 0.0
    overfit_from: float = 0.4
    climb: float = 0.0
    climb_from: float = 0.5
    climb_length: float = 0.25
    wave: float = 0.0
    period: float = 5.0
    extra_sd: float = 0.0
    spikes: float = 0.0
    quick: float = 1.0
    delay: float = 0.0


def curves(
    course: Course,
    faults: Faults,
    ends: tuple[float, float],
    rng: Generator,
    *,
    order: int = 0,
) -> Mapping[str, Array]:
    """`val_error` and `train_loss` (reports,) of a training from chance to its end.

    `ends` are the errors of chance and at the end, `order` seeds the order of the data.
    """
    chance, end = ends
    s = np.arange(1, course.reports + 1) / course.reports
    rate = schedule(course.schedule, s)
    left = to_go(course, np.maximum(s - faults.delay, 0), faults.quick)
    error = end + (chance - end) * left
    error += course.swing * rate * (1 - left)
    error += course.bump * np.exp(-(((s - 0.4) / 0.1) ** 2))
    loss = error.copy()
    beyond = np.clip((s - faults.overfit_from) / (1 - faults.overfit_from), 0, 1)
    error += faults.overfit * beyond
    error += faults.wave * np.sin(2 * np.pi * (np.arange(len(s)) / faults.period))
    sd = np.hypot(course.step_sd, faults.extra_sd) * (0.25 + 0.75 * rate)
    error += sd * (1 + 2 * left) * _colored(len(s), course.memory, rng)
    error += course.common * default_rng([order, 1]).normal(size=len(s))
    error += _spikes(len(s), course.spikes + faults.spikes, rng)
    memorized = 0.8 * beyond if faults.overfit else course.creep * s
    climb = np.clip((s - faults.climb_from) / faults.climb_length, 0, 1)
    train = 0.02 + CROSS_ENTROPY / chance * loss * (1 - memorized)
    train *= 1 + faults.climb * climb
    train += CROSS_ENTROPY * 0.5 * sd * _colored(len(s), course.memory, rng)
    train += CROSS_ENTROPY * course.common * default_rng([order, 2]).normal(size=len(s))
    return {
        "val_error": counted(np.clip(error, 0, 1), course.examples),
        "train_loss": np.maximum(train, 1e-4),
    }


def schedule(name: Schedule, s: Array) -> Array:
    """The learning rate as a share of its peak, after the parts `s` of the training."""
    if name == "constant":
        return np.ones_like(s)
    if name == "cosine":
        return 0.5 * (1 + np.cos(np.pi * s))
    if name == "linear":
        return 1 - s
    if name == "stepped":
        return np.select([s < 0.5, s < 0.75], [1.0, 0.3], 0.1)
    if name == "restarts":  # three cycles, each as long as the others
        return 0.5 * (1 + np.cos(np.pi * ((3 * s - 1e-9) % 1.0)))
    if name == "warm_up":
        return np.minimum(s / 0.1, 0.5 * (1 + np.cos(np.pi * np.clip(s, 0.1, 1))))
    up = 0.04 + 0.96 * s / 0.4  # one cycle: linear up, cosine down
    return np.where(s < 0.4, up, 0.5 * (1 + np.cos(np.pi * (s - 0.4) / 0.6)))


def to_go(course: Course, s: Array, quick: float = 1.0) -> Array:
    """The share of the way from chance to the end that is left; 0 at the end."""
    if course.power is not None:
        falls: Array = np.power(1 + 30 * quick * s, -course.power)
        ends = float(falls[-1])
        return (falls - ends) / (1 - ends)
    x = s * quick / course.settled
    tail = ((1 + TAIL * x) ** -1 - (1 + TAIL) ** -1) / (1 - (1 + TAIL) ** -1)
    fast: Array = np.exp(-8 * x)
    return QUICK * fast + (1 - QUICK) * np.maximum(tail, 0)


def counted(error: Array, examples: int | None) -> Array:
    """Errors as they are seen: so many wrong of so many examples."""
    return error if examples is None else np.round(error * examples) / examples


def _colored(count: int, memory: float, rng: Generator) -> Array:
    """Noise of variance 1 (count,) in which a step remembers the one before it."""
    fresh = rng.normal(size=count + REMEMBERED - 1) * (1 - memory**2) ** 0.5
    noise: Array = np.convolve(fresh, memory ** np.arange(REMEMBERED), mode="valid")
    return noise


def _spikes(count: int, chance: float, rng: Generator) -> Array:
    """Jumps of the error, half of which is left at the next step."""
    jumps = np.where(rng.random(count) < chance, rng.exponential(0.08, count), 0.0)
    return jumps + 0.5 * np.append(0.0, jumps[:-1])
