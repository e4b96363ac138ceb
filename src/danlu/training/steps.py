"""How many steps to begin with: constant rates until one fits (playbook T6).

Godbole et al. (2023), Deep Learning Tuning Playbook, "Deciding how long to train when
training is not compute-bound": the steps that the fastest constant rate takes to fit
the training set are the first guess of the length of a training.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias

import torch
from torch import nn

from .examples import batch_of, size_of
from .misfits import Misfits, measure_of
from .program import Program, seeded

Verdict: TypeAlias = Literal["ok", "edge", "too short", "flat"]

MOST = 1000  # updates of a trial
# Evenly from a tenth to four times the rate, which is what a plan searches; from the
# middle outward, so that the first trial to fit bounds the others early.
FACTORS = tuple(10**own for own in (-0.2, -0.6, 0.2, -1.0, 0.6))
WATCHED = 512  # training examples, and validation examples, at each look
FIRST_LOOK, GROWTH = 10, 1.1  # a first guess of the steps is asked to a tenth
LATE = 0.75  # of the run: what is best later asks for a longer one (the playbook)
CERTAIN = 3.0  # standard errors
PIECES = 8  # of the watched examples at least, to tell how far a mean is certain


@dataclass(frozen=True)
class Look:
    """What a trial was like after `step` updates.

    `misfit` is the share of training examples that it gets wrong, or its loss on them
    where they have no classes; `error` is the standard error of that; `val` is the
    validation loss.

    >>> Look(10, misfit=0.5, error=0.02, val=None).step
    10
    """

    step: int
    misfit: float
    error: float
    val: float | None


@dataclass(frozen=True)
class ConstantRate:
    """One training at a constant rate: what it was like from time to time.

    >>> ConstantRate(0.1, (Look(10, 0.5, 0.0, None), Look(11, 0.0, 0.0, None))).best
    Look(step=11, misfit=0.0, error=0.0, val=None)
    """

    rate: float
    looks: tuple[Look, ...]

    @property
    def best(self) -> Look | None:
        """Where it fitted best, None where nothing was finite."""
        return min(self.looks, key=lambda look: look.misfit, default=None)

    def reaches(self, misfit: float) -> int | None:
        """The first step at which it was as good, None if it never was."""
        trained = (own for own in self.looks if own.step > 0)
        return next((own.step for own in trained if own.misfit <= misfit), None)


@dataclass(frozen=True)
class Steps:
    """How many steps the fastest constant rate takes to fit the training set.

    `rate` is that rate. `best_at` is where in its run the validation loss was lowest, a
    share of the run; None without validation examples. `fits` is what counts as
    fitting: the lowest misfit of all trials and one standard error of it.

    >>> Steps("flat", "No rate trains.", None, None, None, None, ()).steps
    """

    verdict: Verdict
    message: str
    steps: int | None
    rate: float | None
    best_at: float | None
    fits: float | None
    trials: tuple[ConstantRate, ...]


def steps_to_fit(program: Program, rate: float, *, most: int = MOST) -> Steps:
    """Trains at constant rates around `rate` and says which fits first, and when.

    A trial ends after `most` updates, or where another one was done: where no training
    example is wrong any more.

    >>> import torch
    >>> X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    >>> program = Program(
    ...     model=lambda params: torch.nn.Linear(4, 2),
    ...     optimizer=lambda model, params: torch.optim.SGD(
    ...         model.parameters(), params["lr"]),
    ...     loss=lambda model, batch: torch.nn.functional.cross_entropy(
    ...         model(batch[0]), batch[1]),
    ...     train=(X, (X[:, 0] > 0).long()))
    >>> found = steps_to_fit(program, 1.0, most=200)
    >>> found.fits, found.steps is not None
    (0.0, True)

    Raises:
        ValueError: the rate is no number above 0, or there are too few steps.
    """
    if not (rate > 0 and math.isfinite(rate)) or most < 2 * FIRST_LOOK:
        raise ValueError(
            f"steps needs a rate above 0 and most >= {2 * FIRST_LOOK}, got "
            f"rate={rate}, most={most}"
        )
    trials: list[ConstantRate] = []
    room = most
    misfits = measure_of(program, _pieces(program, "train"))
    for factor in FACTORS:
        trials.append(_trained(program, factor * rate, room, misfits))
        done = trials[-1].reaches(0.0)
        room = room if done is None else done
    trials.sort(key=lambda own: own.rate)
    return judged_steps(trials, most)


def judged_steps(trials: Sequence[ConstantRate], most: int) -> Steps:
    """What trials say together that could train for `most` steps.

    >>> slow = ConstantRate(0.1, (Look(0, 0.9, 0.0, None), Look(20, 0.4, 0.0, None)))
    >>> fast = ConstantRate(0.2, (Look(0, 0.9, 0.0, None), Look(20, 0.0, 0.0, None)))
    >>> judged_steps([slow, fast, slow], most=100).steps
    20
    """
    known = [(own.best, own) for own in trials if own.best is not None]
    if not any(_learns(own.looks[0], best) for best, own in known):
        says = "No constant rate fits the training examples any better: a fault."
        return Steps("flat", says, None, None, None, None, tuple(trials))
    lowest, _ = min(known, key=lambda pair: pair[0].misfit)
    # The one-standard-error rule: Breiman et al. (1984), section 3.4.3.
    fits = lowest.misfit + lowest.error
    reached = [(step, own) for _, own in known if (step := own.reaches(fits))]
    steps, fastest = min(reached, key=lambda pair: pair[0])
    verdict, message = _verdict(trials, fastest, steps, fits, most)
    best_at = _best_at(fastest)
    if best_at is not None:
        message += f" Its validation loss is lowest at {best_at:.0%} of its run."
    return Steps(verdict, message, steps, fastest.rate, best_at, fits, tuple(trials))


def _learns(start: Look, best: Look) -> bool:
    """Whether it got better by more than the choice of examples explains."""
    return start.misfit - best.misfit > CERTAIN * math.hypot(start.error, best.error)


def _verdict(
    trials: Sequence[ConstantRate],
    fastest: ConstantRate,
    steps: int,
    fits: float,
    most: int,
) -> tuple[Verdict, str]:
    if fits > 0.0 and steps > LATE * most:
        return "too short", (
            f"No constant rate fits the training set within {most} steps; that of "
            f"{fastest.rate:.2g} still gets better there: allow more."
        )
    says = f"A constant rate of {fastest.rate:.2g} fits first, after {steps} steps"
    rates = [own.rate for own in trials]
    if fastest.rate in (min(rates), max(rates)):
        side = "smaller" if fastest.rate == min(rates) else "larger"
        return "edge", (
            f"{says}. That is the edge of the sweep: a {side} rate may need fewer."
        )
    return "ok", f"{says}."


def _best_at(trial: ConstantRate) -> float | None:
    known = [(own.val, own.step) for own in trial.looks if own.val is not None]
    if not known:
        return None
    return min(known)[1] / trial.looks[-1].step


def _trained(
    program: Program, rate: float, room: int, misfits: Misfits
) -> ConstantRate:
    """One trial of `room` updates; it ends where nothing is wrong, or not finite."""
    model, optimizer = program.build({"lr": rate})
    looks = [_looked(program, model, 0, misfits)]
    due = set(_due(room))
    with seeded(program.seed):
        batches = islice(program.batches(), room)
        for step, batch in enumerate(batches, start=1):
            (program.step or program.update)(model, optimizer, batch)
            if step not in due:
                continue
            looks.append(_looked(program, model, step, misfits))
            if looks[-1].misfit == 0.0:
                break
            if not math.isfinite(looks[-1].misfit):
                looks.pop()
                break
    return ConstantRate(rate, tuple(looks))


def _due(room: int) -> Iterator[int]:
    """The steps to look at: each a tenth later than the one before, and the last."""
    step = FIRST_LOOK
    while step < room:
        yield step
        step = max(step + 1, math.ceil(step * GROWTH))
    yield room


def _looked(program: Program, model: nn.Module, step: int, misfits: Misfits) -> Look:
    model.eval()
    with torch.no_grad(), seeded(program.seed):
        parts = [misfits(program, model, own) for own in _pieces(program, "train")]
        val = [program.value(model, own) for own in _pieces(program, "val")]
    model.train()
    each = torch.cat(parts)
    error = float(each.std()) / math.sqrt(len(each))
    mean_val = sum(val) / len(val) if val else None
    return Look(step, float(each.mean()), error, mean_val)


def _pieces(program: Program, part: str) -> Iterator[Any]:
    """The examples that are looked at, always the same, in pieces of like size."""
    source = program.train if part == "train" else program.val
    if source is None:
        return
    draw = torch.Generator().manual_seed(program.seed)
    order = torch.randperm(size_of(source), generator=draw)[:WATCHED]
    size = max(1, min(program.batch_size, len(order) // PIECES))
    for places in order.split(size):
        yield batch_of(source, places.tolist(), program.device)
