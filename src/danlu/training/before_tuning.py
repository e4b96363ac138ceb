"""The pre-flight as a whole: faults, the range of the rate, and what both took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from . import preflight
from .finding import Finding
from .program import Program
from .rate_picture import range_svg
from .rate_range import RateRange, rate_range
from .study_plan import searched_rates


@dataclass(frozen=True)
class Preflight:
    """What was found before tuning, and what it took.

    `found` is None where a fault made it useless to look for a rate. `updates` counts
    every update of every optimizer, `trainings` the same in full trainings: None where
    the probe does not say how many updates a full training makes.

    >>> Preflight((), None, updates=0, seconds=0.0, trainings=None).faults
    ()
    """

    findings: tuple[Finding, ...]
    found: RateRange | None
    updates: int
    seconds: float
    trainings: float | None

    @property
    def faults(self) -> tuple[str, ...]:
        """What must be put right before anything is tuned, a sentence each."""
        said = [own.message for own in self.findings if own.level == "warning"]
        if self.found is not None and self.found.verdict in ("fault", "flat"):
            said.append(self.found.message)
        return tuple(said)

    @property
    def rates(self) -> tuple[float, float] | None:
        """The lowest and the highest learning rate worth searching, None if unknown."""
        return None if self.found is None else searched_rates(self.found)

    @property
    def message(self) -> str:
        """What the range test says, in one sentence."""
        return "No rate was sought." if self.found is None else self.found.message

    def picture(self) -> str:
        """The range test as an SVG; empty text where no rate was sought."""
        return "" if self.found is None else range_svg(self.found)


@dataclass
class Count:
    """How many updates were made so far."""

    updates: int = field(default=0)


@contextmanager
def counted() -> Iterator[Count]:
    """Counts the updates of all optimizers of torch while it is open.

    Those of a `Joined` are one update.

    >>> import torch
    >>> weight = torch.nn.Parameter(torch.ones(1))
    >>> with counted() as count:
    ...     torch.optim.SGD([weight], 0.1).step()
    >>> count.updates
    1
    """
    count = Count()

    def add(optimizer: Optimizer, *_: Any) -> None:
        count.updates += not getattr(optimizer, "is_followed", False)

    hook = register_optimizer_step_post_hook(add)
    try:
        yield count
    finally:
        hook.remove()


def before_tuning(program: Program, updates: int | None = None) -> Preflight:
    """Looks for faults and for the rate; a full training makes `updates`.

    Whether it learns is looked at last, at the rate that was found: at one that is far
    too low, which is what a program often begins with, it takes up to three times as
    many updates to say.
    """
    before_s = time.monotonic()
    found = None
    with counted() as count:
        findings = preflight.check(program, preflight.BEFORE_LEARNING)
        if not any(preflight.is_fatal(own) for own in findings):
            found = rate_range(program)
            trained = _at(program, found.suggestion)
            findings += preflight.check(trained, preflight.LEARNING)
    seconds = time.monotonic() - before_s
    trainings = None if updates is None else count.updates / updates
    return Preflight(findings, found, count.updates, seconds, trainings)


def _at(program: Program, rate: float | None) -> Program:
    """The program at that rate, if there is one and its params have a rate."""
    if rate is None or "lr" not in program.params:
        return program
    return replace(program, params={**program.params, "lr": rate})
