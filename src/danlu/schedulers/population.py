"""A population that trains in generations: who goes on, and who is replaced by whom.

What PBT and PB2 have in common (Jaderberg et al., 2017; Parker-Holder et al., 2020).
A member is trained by one trial after another: when it is replaced, a new trial begins
from a copy of its parent's checkpoint. All members are paused at the end of a
generation, so that they are compared at the same step, and parents stand still while
they are copied. Fewer slots than members take turns. Everything is read from the
history, so nothing is lost in a crash.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import StudyError
from ..history import History
from ..number import is_count
from ..trial import State, Trial
from .base import Resume, Start
from .rungs import at_rung, full_length, may_start

Ranked = tuple[float, Trial]  # the loss at the end of a generation, and who has it


@dataclass(frozen=True)
class Replacement:
    """The member `number` is to be replaced by a child of one of `parents` at `step`.

    The child's first budget is `budget`, and its note `note`.
    """

    number: int
    step: int
    budget: int
    parents: tuple[Trial, ...]

    @property
    def note(self) -> dict[str, int]:
        """Which member the child trains, and since when."""
        return {"member": self.number, "step": self.step}


@dataclass(frozen=True)
class Population:
    """`size` members, of which the last `share` are replaced after `interval` steps.

    With a `tournament` each meets one other instead, and the worse one is replaced.
    `name` is the scheduler's, for errors.
    """

    name: str
    size: int
    interval: int | None
    share: float
    tournament: bool = False

    def __post_init__(self) -> None:
        if type(self.size) is not int or self.size < 2:
            raise StudyError(f"{self.name} needs population >= 2, got {self.size!r}")
        if self.interval is not None and not is_count(self.interval):
            raise StudyError(f"{self.name} needs interval >= 1, got {self.interval!r}")
        if not 0 < self.share <= 0.5:
            raise StudyError(f"{self.name} needs 0 < share <= 0.5, got {self.share!r}")

    def steps(self, history: History) -> int:
        """The length of a generation.

        By default a twentieth of the full length: many changes of the params, and long
        enough for each to show.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        length = full_length(self.name, history)
        return self.interval or math.ceil(length / 20)

    def next(self, history: History) -> Start | Resume | Replacement | None:
        """What a free slot does: begin a member, replace one, or let one go on.

        None while a generation is not complete, and when all is done. Those who are to
        be replaced come first, so that their parents are copied where they stand.
        """
        interval, length = self.steps(history), full_length(self.name, history)
        latest = members(history)
        starts = may_start(history)
        if starts and len(latest) < self.size:
            number = next(n for n in range(self.size) if n not in latest)
            return Start(min(interval, length), note={"member": number, "step": 0})
        alive = [trial for trial in latest.values() if not trial.state.ended]
        if not alive:
            return self._anew(latest, min(interval, length)) if starts else None
        step = min(trial.budget or length for trial in alive)
        resting = [trial for trial in alive if (trial.budget or length) == step]
        if not all(at_rung(trial, step) for trial in resting):
            return None
        budget = min(step + interval, length)
        found = self._replacement(history, step, budget) if starts else None
        return found or Resume(min(trial.number for trial in resting), budget)

    def _replacement(
        self, history: History, step: int, budget: int
    ) -> Replacement | None:
        """The next member to be replaced at the end of the generation, None if none."""
        latest, ranked = members(history), standing(history, step)
        places = range(len(ranked))
        if self.tournament:  # the last first: who beats them was not yet replaced
            places = places[::-1]
        for place in places:
            loss, trial = ranked[place]
            if latest[member_of(trial)] is not trial:
                continue  # it is replaced already
            if not (_is_dead(trial, step) or at_rung(trial, step)):
                continue
            parents = tuple(
                parent
                for better, parent in self._rivals(history, step, ranked, place)
                if better < loss and at_rung(parent, step)
            )
            if parents:
                return Replacement(member_of(trial), step, budget, parents)
        return None

    def _rivals(
        self, history: History, step: int, ranked: Sequence[Ranked], place: int
    ) -> Sequence[Ranked]:
        """Who may be the parent of a child that replaces the one at `place`."""
        trial = ranked[place][1]
        if self.tournament:
            others = [
                own for own in ranked if own[1] is not trial and at_rung(own[1], step)
            ]
            # The same whenever it is asked for, also by another loop.
            rng = np.random.default_rng([history.seed, member_of(trial), step])
            return [others[rng.integers(len(others))]] if others else ()
        count = min(max(1, round(self.share * len(ranked))), len(ranked) // 2)
        is_last = place >= len(ranked) - count
        return ranked[:count] if is_last or _is_dead(trial, step) else ()

    def _anew(self, latest: dict[int, Trial], budget: int) -> Start | None:
        """A member begun anew when none is left alive, None if some have succeeded."""
        if any(trial.state is State.COMPLETED for trial in latest.values()):
            return None
        oldest = min(latest.values(), key=lambda trial: trial.number)
        return Start(budget, note={"member": member_of(oldest), "step": 0})


def members(history: History) -> dict[int, Trial]:
    """The trial that trains each member now, by the member's number."""
    return {number: own[-1] for number, own in lines(history).items()}


def lines(history: History) -> dict[int, list[Trial]]:
    """The trials that have trained each member, one after another, by its number."""
    every = (
        [own[number] for number in sorted(own)]
        for own in history.groups(_line_of).values()
        if own
    )
    return {member_of(line[-1]): line for line in every}


def came_to(
    own: Sequence[Trial], step: int, since: Callable[[Trial], int]
) -> Trial | None:
    """Who of a line trained its member up to `step`: the last that began before."""
    for trial in reversed(own):
        if since(trial) < step:
            return trial
    return None


def member_of(trial: Trial) -> int:
    """The member that a trial trains."""
    return int(trial.scheduler_note["member"])


def standing(history: History, step: int) -> list[tuple[float, Trial]]:
    """Who trained each member up to `step`, with the loss there, best first.

    A trial that died on the way has the loss inf. One that was replaced at `step` has
    its own, so that nobody else becomes one of the last because it has ended.
    """
    ranked = [
        (loss_at(history, trial, step), trial)
        for own in lines(history).values()
        if (trial := came_to(own, step, _since)) is not None
    ]
    return sorted(ranked, key=lambda own: (own[0], own[1].number))


def loss_at(history: History, trial: Trial, step: int) -> float:
    """The loss of a trial as it is at `step`, inf where it has none.

    The last value and not the best one: it is the checkpoint there that is copied.
    """
    curve = trial.curves.get(history.metric.name)
    if curve is None or not _came_to(trial, step):
        return math.inf
    count = int(curve.steps.searchsorted(step, side="right"))
    value = float(curve.values[count - 1]) if count else math.nan
    if not math.isfinite(value):
        return math.inf
    return -value if history.metric.maximize else value


def _line_of(trial: Trial) -> int | None:
    """The member that a search trial trains, None for a trial of no population."""
    in_line = trial.kind.judged and "member" in trial.scheduler_note
    return member_of(trial) if in_line else None


def _since(trial: Trial) -> int:
    """The step at which a trial took its member over."""
    return int(trial.scheduler_note["step"])


def _came_to(trial: Trial, step: int) -> bool:
    """Whether a trial was alive at `step`: it may have been stopped right there."""
    is_stopped_later = trial.state is State.STOPPED and trial.step >= step
    return is_stopped_later or not _is_dead(trial, step)


def _is_dead(trial: Trial, step: int) -> bool:
    """Whether a trial ended on its way to `step`, or there, and goes no further."""
    if not trial.state.ended or trial.state is State.COMPLETED:
        return False
    return (trial.budget or step) <= step
