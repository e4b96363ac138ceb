"""Population-based training in which nobody waits for the others of a generation.

M. Jaderberg et al., "Population Based Training of Neural Networks", arXiv:1711.09846,
Algorithm 1: each member looks by itself, whenever it is ready, whether to go on from a
better one. It is compared at its own step, with all who have come so far, since who is
further on has the lower loss for that reason alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from operator import attrgetter

from numpy.random import Generator

from ..errors import StudyError
from ..history import History
from ..trial import State, Trial
from .base import Resume, Scheduler, Start, Verdict
from .explore import explored
from .population import Population, came_to, lines, loss_at, member_of
from .rungs import at_rung, full_length, may_start, paused_at_budget

_DEAD = (State.INFEASIBLE, State.FAILED)

Standing = list[tuple[float, Trial]]  # with the loss at a step, best first


@dataclass(frozen=True)
class AsyncPbt(Scheduler):
    """As `Pbt`, for members whose steps take different times: there are no generations.

    After every `interval` steps a member rests, and goes on at once unless it is among
    the last `share` of those who have come so far, of whom there are 1 / `share` at
    least. Then it is replaced by a child of one of the first `share`, as soon as one of
    these rests, and the child goes on from where its parent is. What comes out depends
    on how long each training takes.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"lr": danlu.Float(1e-4, 1.0, log=True)})
    >>> def member(number, loss, step):
    ...     return danlu.Trial(number, {"lr": 0.01}, danlu.State.PAUSED, budget=step,
    ...                        scheduler_note={"member": number, "after": -1},
    ...                        curves={"loss": danlu.Curve.of({5: loss, step: loss})})
    >>> history = danlu.History(space, danlu.Metric("loss"),
    ...                         [member(0, 0.9, 5), member(1, 0.2, 10)], max_steps=100)
    >>> scheduler = danlu.schedulers.AsyncPbt(population=2)
    >>> child = scheduler.next(history, numpy.random.default_rng(0))
    >>> child.parent, child.budget, child.note
    (1, 15, {'member': 0, 'after': 0})

    Raises:
        StudyError: a setting is impossible.
    """

    population: int = 20
    interval: int | None = None
    share: float = 0.2
    resample: float = 0.25

    def __post_init__(self) -> None:
        if not 0 <= self.resample <= 1:
            raise StudyError(
                f"AsyncPbt needs 0 <= resample <= 1, got {self.resample!r}"
            )
        self._population()

    def next(self, history: History, rng: Generator) -> Start | Resume | None:
        """A member to begin, a child to replace one, or a member to go on.

        Children come first, so that parents are copied where they stand, and then who
        is behind, so that members share slots that are too few.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        interval = self._population().steps(history)
        length = full_length("AsyncPbt", history)
        line_of, starts = lines(history), may_start(history)
        latest = {number: own[-1] for number, own in line_of.items()}
        if starts and len(latest) < self.population:
            number = next(n for n in range(self.population) if n not in latest)
            return Start(min(interval, length), note=_note(number, None))
        behind = sorted(latest.values(), key=lambda own: (own.step, own.number))
        standing = cache(partial(_standing, history, line_of))  # many are at one step
        every = [
            (trial, self._parents(trial, latest, standing) if starts else None)
            for trial in behind
        ]
        for trial, parents in every:
            resting = [own for own in parents or () if _rests(own)]
            if resting:
                parent = resting[rng.integers(len(resting))]
                params = explored(history.space, parent.params, rng, self.resample)
                budget = min(parent.step + interval, length)
                note = _note(member_of(trial), trial)
                return Start(budget, params, parent.number, note)
        for trial, parents in every:
            if parents is None and _rests(trial):
                return Resume(trial.number, min(trial.step + interval, length))
        return self._anew(latest, min(interval, length)) if starts else None

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To pause at the end of an interval, else to continue."""
        return paused_at_budget(trial, history)

    def _parents(
        self,
        trial: Trial,
        latest: Mapping[int, Trial],
        standing: Callable[[int], Standing],
    ) -> list[Trial] | None:
        """Whose checkpoint is to replace a member, best first; None if it goes on.

        They may run still, and are then waited for.
        """
        dead = trial.state in _DEAD
        if not (dead or _rests(trial)):
            return None
        step = (trial.budget or trial.step) if dead else trial.step
        ranked = standing(step)
        least = min(self.population, math.ceil(1 / self.share))
        if not (dead or len(ranked) >= least):
            return None
        count = min(max(1, round(self.share * len(ranked))), max(1, len(ranked) // 2))
        if not dead and all(own is not trial for _, own in ranked[-count:]):
            return None
        loss = next((value for value, own in ranked if own is trial), math.inf)
        better = [
            latest[member_of(own)] for value, own in ranked[:count] if value < loss
        ]
        return [own for own in better if not own.state.ended] or None

    def _anew(self, latest: dict[int, Trial], budget: int) -> Start | None:
        """A member begun anew when none is left alive, None if some have succeeded."""
        states = {own.state for own in latest.values()}
        if State.COMPLETED in states or not all(state.ended for state in states):
            return None
        oldest = min(latest.values(), key=lambda trial: trial.number)
        return Start(budget, note=_note(member_of(oldest), oldest))

    def _population(self) -> Population:
        return Population("AsyncPbt", self.population, self.interval, self.share)


def _note(member: int, after: Trial | None) -> dict[str, int]:
    """Which member a trial trains, and after which trial; -1 for the first."""
    return {"member": member, "after": -1 if after is None else after.number}


def _rests(trial: Trial) -> bool:
    """Whether a member waits at the end of an interval."""
    return trial.budget is not None and at_rung(trial, trial.budget)


def _standing(
    history: History, line_of: Mapping[int, list[Trial]], step: int
) -> Standing:
    """Who trained each member to `step`, with the loss there, best first.

    A trial that died on the way has the loss inf. Members that have not come so far,
    and those that went past it with the checkpoint of another, are left out.
    """
    came = (came_to(own, step, attrgetter("first_step")) for own in line_of.values())
    ranked = [
        (loss_at(history, trial, step), trial)
        for trial in came
        if trial is not None and (trial.step >= step or trial.state in _DEAD)
    ]
    return sorted(ranked, key=lambda own: (own[0], own[1].number))
