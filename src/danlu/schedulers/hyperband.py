"""Hyperband: several brackets of successive halving, from bold to careful.

L. Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization",
JMLR 2018, Algorithm 1; without waiting as in section 3.3 of L. Li et al., "A System for
Massively Parallel Hyperparameter Tuning", MLSys 2020. How far short runs can be trusted
is not known beforehand: each bracket spends about the same, and trusts them less.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from ..history import History
from ..trial import Trial
from .base import Resume, Scheduler, Start, Verdict
from .rungs import (
    Bracket,
    check_rungs,
    full_length,
    is_last,
    next_of_rounds,
    paused_at_budget,
    promotion,
    rungs,
)


@dataclass(frozen=True)
class Hyperband(Scheduler):
    """Runs the brackets s = s_max, ..., 0 one after another, again and again.

    A free slot does not wait for a rung to be full: it begins the next bracket. The
    trial's note says which round and bracket it belongs to.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> history = danlu.History(space, danlu.Metric("loss"), max_steps=81)
    >>> danlu.schedulers.Hyperband().next(history, numpy.random.default_rng(0)).note
    {'round': 0, 'bracket': 4}

    Raises:
        StudyError: a setting is impossible.
    """

    min_steps: int = 1
    factor: int = 3  # eta; 3 or 4 are the paper's own advice (section 3.6)

    def __post_init__(self) -> None:
        check_rungs("Hyperband", self.min_steps, self.factor)

    def next(self, history: History, rng: Generator) -> Start | Resume | None:
        """The next of the first bracket that has something to do.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        full = full_length("Hyperband", history)
        return next_of_rounds(brackets(full, self.min_steps, self.factor), history)

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To pause at the rung that is the trial's budget, else to continue."""
        return paused_at_budget(trial, history)

    def rungs(self, history: History) -> tuple[int, ...]:
        """The steps at which trials are paused, and the full length.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        return rungs(full_length("Hyperband", history), self.min_steps, self.factor)


@dataclass(frozen=True)
class AsyncHyperband(Scheduler):
    """Hyperband whose brackets are asynchronous: nobody waits for a rung to be full.

    New trials go to the brackets in turn, as many as the table says. Each competes with
    those of its own bracket.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> history = danlu.History(space, danlu.Metric("loss"), max_steps=81)
    >>> danlu.schedulers.AsyncHyperband().next(history, numpy.random.default_rng(0))
    Start(budget=1, params=None, parent=None, note={'bracket': 4})

    Raises:
        StudyError: a setting is impossible.
    """

    min_steps: int = 1
    factor: int = 3

    def __post_init__(self) -> None:
        check_rungs("AsyncHyperband", self.min_steps, self.factor)

    def next(self, history: History, rng: Generator) -> Start | Resume | None:
        """A promotion that is due in some bracket, else a new trial.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        full = full_length("AsyncHyperband", history)
        table = brackets(full, self.min_steps, self.factor)
        members = history.groups(_bracket_of)
        least = 1 if is_last(history) else 0
        for own in table:
            among = members.get(own.s, {}).keys()
            found = promotion(
                history, own.rungs, self.factor, members=among, least=least
            )
            if found is not None:
                return found
        if least:
            return None
        turn = _at(table, sum(map(len, members.values())))
        return Start(turn.rungs[0], note={"bracket": turn.s})

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To pause at the rung that is the trial's budget, else to continue."""
        return paused_at_budget(trial, history)

    def rungs(self, history: History) -> tuple[int, ...]:
        """The steps at which trials are paused, and the full length.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        full = full_length("AsyncHyperband", history)
        return rungs(full, self.min_steps, self.factor)


def brackets(max_steps: int, min_steps: int, factor: int) -> tuple[Bracket, ...]:
    """The brackets of Hyperband, boldest first.

    n = ceil(B / R * eta^s / (s + 1)) trials begin bracket s, with B = (s_max + 1) R.
    Li et al. (2018), Algorithm 1, lines 1 to 4.

    >>> [(own.trials, own.rungs[0]) for own in brackets(81, 1, 3)]
    [(81, 1), (34, 3), (15, 9), (8, 27), (5, 81)]
    """
    steps = rungs(max_steps, min_steps, factor)
    most = len(steps)  # s_max + 1
    sizes = [-(-most * factor**s // (s + 1)) for s in range(most)]
    return tuple(
        Bracket(sizes[s], steps[most - 1 - s :], factor) for s in reversed(range(most))
    )


def _bracket_of(trial: Trial) -> int | None:
    """The bracket that a trial's note names, None for a trial of no bracket."""
    bracket = trial.scheduler_note.get("bracket")
    return None if bracket is None else int(bracket)


def _at(table: tuple[Bracket, ...], place: int) -> Bracket:
    """The bracket of the trial number `place`, when they go to brackets in turn."""
    place %= sum(own.trials for own in table)
    for own in table:
        if place < own.trials:
            break
        place -= own.trials
    return own
