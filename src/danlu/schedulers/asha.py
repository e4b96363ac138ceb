"""Asynchronous successive halving (Li et al., 2020), by promotion and by stopping.

L. Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020. A
free slot never waits: it goes to the best trial that deserves a promotion, else to a
new one.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from ..history import History
from ..trial import Trial
from .base import Resume, Scheduler, Start, Verdict
from .rungs import check_rungs, full_length, is_last, paused_at_budget, promotion, rungs


@dataclass(frozen=True)
class Asha(Scheduler):
    """Promotes the top 1/`factor` of each rung, whenever a slot is free (Algorithm 2).

    Trials are paused at the rungs and go on from their checkpoints. No more than one in
    `factor` goes on, even where each new trial is better than those before: it waits
    for more of them. The lowest rung is at `min_steps` or somewhat above, so that the
    highest is the study's `max_steps`. At the end of a study the best of each rung goes
    on, however few they are.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> def paused(number, loss):
    ...     return danlu.Trial(number, {"x": 0.5}, danlu.State.PAUSED, budget=1,
    ...                        curves={"loss": danlu.Curve.of({1: loss})})
    >>> trials = [paused(0, 0.3), paused(1, 0.1), paused(2, 0.2)]
    >>> history = danlu.History(space, danlu.Metric("loss"), trials, max_steps=9)
    >>> danlu.schedulers.Asha().next(history, numpy.random.default_rng(0))
    Resume(number=1, budget=3)

    Raises:
        StudyError: a setting is impossible.
    """

    min_steps: int = 1
    factor: int = 3  # the paper's eta; it uses 4, and 3 in Hyperband: little differs

    def __post_init__(self) -> None:
        check_rungs("Asha", self.min_steps, self.factor)

    def next(self, history: History, rng: Generator) -> Start | Resume | None:
        """The best promotion that is due in the highest rung, else a new trial.

        With fewer than `factor` trials at a rung none is in the top 1/`factor`. So that
        a short study trains somebody to the end, the best goes on when no more come.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        steps = self.rungs(history)
        found = promotion(history, steps, self.factor)
        if found is None and is_last(history):
            return promotion(history, steps, self.factor, least=1)
        return found or Start(steps[0])

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To pause at the rung that is the trial's budget, else to continue."""
        return paused_at_budget(trial, history)

    def rungs(self, history: History) -> tuple[int, ...]:
        """The steps at which trials are paused, and the full length.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        return rungs(full_length("Asha", history), self.min_steps, self.factor)


@dataclass(frozen=True)
class AshaStop(Scheduler):
    """Stops a trial that is not in the top 1/`factor` of the rung that it comes to.

    For programs without checkpoints: nothing is paused, and a trial that goes on at the
    first rungs for want of others to compare with is not called back.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> def trial(number, loss):
    ...     return danlu.Trial(number, {"x": 0.5},
    ...                        curves={"loss": danlu.Curve.of({1: loss})})
    >>> good, bad = trial(0, 0.1), trial(1, 0.9)
    >>> history = danlu.History(space, danlu.Metric("loss"), [good, bad], max_steps=9)
    >>> danlu.schedulers.AshaStop().judge(bad, history).value
    'stop'

    Raises:
        StudyError: a setting is impossible.
    """

    min_steps: int = 1
    factor: int = 3

    def __post_init__(self) -> None:
        check_rungs("AshaStop", self.min_steps, self.factor)

    def next(self, history: History, rng: Generator) -> Start:
        """A new trial with the full budget."""
        return Start()

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To stop at a rung where enough others were better, else to continue.

        It is decided once, at the first report at or beyond the rung.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        steps = self.rungs(history)
        curve = trial.curves.get(history.metric.name)
        if curve is None or not len(curve) or curve.steps[-1] != trial.step:
            return Verdict.CONTINUE
        before = int(curve.steps[-2]) if len(curve) > 1 else -1
        passed = [rung for rung in steps[:-1] if before < rung <= trial.step]
        if not passed:
            return Verdict.CONTINUE
        return self._at_rung(trial, passed[-1], history)

    def rungs(self, history: History) -> tuple[int, ...]:
        """The steps at which trials are stopped, and the full length.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        return rungs(full_length("AshaStop", history), self.min_steps, self.factor)

    def _at_rung(self, trial: Trial, steps: int, history: History) -> Verdict:
        loss = history.loss(trial, steps)
        losses = history.losses(steps)
        if loss is None:
            return Verdict.CONTINUE
        came = (losses == losses).sum()  # nan is not equal to itself
        better = (losses < loss).sum()
        return (
            Verdict.STOP if better >= max(1, came // self.factor) else Verdict.CONTINUE
        )
