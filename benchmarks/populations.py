"""Populations that train in simulated time, to time what a scheduler of them decides.

Trials are trained by a few slots, each at a speed of its own, so that members of a
population without generations stand at many different steps. Nothing waits or sleeps.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from danlu import Curve, Float, History, Metric, SearchSpace, State, Trial
from danlu.ledger import Ledger
from danlu.schedulers import Scheduler, Start

SLOTS = 4  # fewer than members: that many wait whenever a slot is free
TIMED = 40  # trials: a child and the members that go on with it cost very differently
_METRIC = Metric("loss")
_SPACE = SearchSpace({"x": Float(0, 1)})


def decided(
    scheduler: Scheduler, grown_by: Scheduler, trials: int, max_steps: int
) -> Iterator[float]:
    """CPU milliseconds of each `next` while the last of `trials` trials are begun.

    Until then it is `grown_by` that decides, a cheaper one that knows the same notes.
    """
    ledger, rng, clock = Ledger(), np.random.default_rng(0), 0.0
    history = History(_SPACE, _METRIC, ledger, max_steps=max_steps, planned=trials)
    running: list[tuple[float, int]] = []
    while len(ledger) < trials:
        is_timed = len(ledger) > trials - TIMED
        began_s = time.process_time()
        choice = (scheduler if is_timed else grown_by).next(history, rng)
        if is_timed:
            yield 1e3 * (time.process_time() - began_s)
        if choice is None and not running:
            return
        if isinstance(choice, Start):
            trial = _begun(choice, ledger, rng)
        elif choice is not None:
            trial = ledger[choice.number]
            trial = replace(trial, state=State.RUNNING, budget=choice.budget)
        if choice is not None:
            ledger.keep(trial)
            takes = ((trial.budget or max_steps) - trial.step) * rng.lognormal(0, 0.5)
            heapq.heappush(running, (clock + takes, trial.number))
        if choice is None or len(running) == SLOTS:
            clock, number = heapq.heappop(running)
            ledger.keep(_trained(ledger[number], max_steps, rng))


def _begun(start: Start, ledger: Ledger, rng: np.random.Generator) -> Trial:
    """A new trial, from its parent's checkpoint where it has one."""
    parent = None if start.parent is None else ledger[start.parent]
    return Trial(
        len(ledger),
        start.params or {"x": float(rng.random())},
        budget=start.budget,
        parent=start.parent,
        first_step=0 if parent is None else parent.step,
        scheduler_note=start.note,
    )


def _trained(trial: Trial, max_steps: int, rng: np.random.Generator) -> Trial:
    """The trial at the end of its budget, with a report for every step."""
    last = trial.budget or max_steps
    steps = np.arange(trial.first_step + 1, last + 1)
    before = trial.curves["loss"].values if "loss" in trial.curves else np.zeros(0)
    after = _SPACE.encode(trial.params)[0] + rng.random(len(steps) - len(before))
    curve = Curve(steps, np.concatenate([before, after]))
    state = State.COMPLETED if last == max_steps else State.PAUSED
    return replace(trial.with_curves({"loss": curve}), state=state)
