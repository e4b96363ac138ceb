"""Successive halving: of many short trials the best go on, round after round.

K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization", 2016; as Algorithm 1 of Li et al., 2020. A rung waits until all of its
trials are through; see `Asha` for one that does not wait.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from ..errors import StudyError
from ..history import History
from ..number import is_count
from ..trial import Trial
from .base import Resume, Scheduler, Start, Verdict
from .rungs import (
    Bracket,
    check_rungs,
    full_length,
    next_of_rounds,
    paused_at_budget,
    rungs,
)


@dataclass(frozen=True)
class SuccessiveHalving(Scheduler):
    """Runs `trials` to the first rung, the best 1/`factor` of them to the next, ...

    By default as many begin a round that one comes to the full length. Then another
    round begins, and also while slots are free because a rung is not full yet. The
    trial's note says which round it belongs to.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> history = danlu.History(space, danlu.Metric("loss"), max_steps=9)
    >>> danlu.schedulers.SuccessiveHalving().next(history, numpy.random.default_rng(0))
    Start(budget=1, params=None, parent=None, note={'round': 0, 'bracket': 2})

    Raises:
        StudyError: a setting is impossible.
    """

    trials: int | None = None
    min_steps: int = 1
    factor: int = 3  # eta of the paper

    def __post_init__(self) -> None:
        check_rungs("SuccessiveHalving", self.min_steps, self.factor)
        if self.trials is not None and not is_count(self.trials):
            raise StudyError(
                f"SuccessiveHalving needs trials >= 1, got {self.trials!r}"
            )

    def next(self, history: History, rng: Generator) -> Start | Resume | None:
        """The next of the first round that has something to do.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        steps = self.rungs(history)
        size = self.trials or self.factor ** (len(steps) - 1)
        return next_of_rounds([Bracket(size, steps, self.factor)], history)

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To pause at the rung that is the trial's budget, else to continue."""
        return paused_at_budget(trial, history)

    def rungs(self, history: History) -> tuple[int, ...]:
        """The steps at which trials are paused, and the full length.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        full = full_length("SuccessiveHalving", history)
        return rungs(full, self.min_steps, self.factor)
