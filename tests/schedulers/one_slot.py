"""A study of one slot, in which only the scheduler's choices are looked at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from danlu.domain import Float
from danlu.history import History
from danlu.metric import Metric
from danlu.schedulers import Resume, Scheduler, Start, Verdict
from danlu.space import SearchSpace
from danlu.trial import Curve, State, Trial

SPACE = SearchSpace({"x": Float(0, 1)})
Loss = Callable[[int, int], float]


def known(
    *trials: Trial, max_steps: int | None = 9, planned: int | None = None
) -> History:
    metric = Metric("loss")
    return History(SPACE, metric, trials, max_steps=max_steps, planned=planned)


def paused(number: int, loss: float, budget: int = 1) -> Trial:
    """A trial that waits at the rung `budget`."""
    curves = {"loss": Curve.of({budget: loss})}
    return Trial(number, {"x": 0.5}, State.PAUSED, budget=budget, curves=curves)


def jobs(
    scheduler: Scheduler, loss: Loss, *, trials: int, max_steps: int
) -> list[tuple[int, int]]:
    """What is run, in order: numbers of trials, and the steps that they are run to."""
    done: list[tuple[int, int]] = []
    own: list[Trial] = []
    while (choice := asked(scheduler, own, trials, max_steps)) is not None:
        if isinstance(choice, Start):
            note = choice.note
            own.append(Trial(len(own), {"x": 0.5}, index=len(own), scheduler_note=note))
        number = choice.number if isinstance(choice, Resume) else len(own) - 1
        budget = choice.budget or max_steps
        own[number] = trained(own[number], budget, loss, max_steps)
        history = known(*own, max_steps=max_steps)
        running = replace(own[number], state=State.RUNNING)
        if own[number].state is State.PAUSED:
            assert scheduler.judge(running, history) is Verdict.PAUSE
        done.append((number, budget))
    return done


def asked(
    scheduler: Scheduler, trials: list[Trial], planned: int, max_steps: int
) -> Start | Resume | None:
    """The scheduler's choice, None when it is a trial too many."""
    history = known(*trials, max_steps=max_steps, planned=planned)
    choice = scheduler.next(history, np.random.default_rng(0))
    return None if isinstance(choice, Start) and len(trials) == planned else choice


def trained(trial: Trial, budget: int, loss: Loss, max_steps: int) -> Trial:
    """The trial at its budget, or where it diverged."""
    points = {step: loss(trial.number, step) for step in range(1, budget + 1)}
    state = State.COMPLETED if budget == max_steps else State.PAUSED
    if not all(map(math.isfinite, points.values())):
        state = State.INFEASIBLE
    curves = {"loss": Curve.of(points)}
    return replace(trial, state=state, budget=budget, curves=curves)
