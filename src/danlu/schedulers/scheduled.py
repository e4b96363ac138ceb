"""A schedule of params, such as PBT finds, trained again from its beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.random import Generator

from ..errors import StudyError
from ..history import History
from ..trial import State, Trial
from .base import Resume, Scheduler, Start, Verdict


@dataclass(frozen=True)
class Scheduled(Scheduler):
    """Trains by a schedule of params; each stretch goes on from the one before.

    `schedule` is what `danlu trial show N --json` has under that name: mappings with
    `from_step` and `params`, in order. Each stretch is a trial, begun from the
    checkpoint of the one before, so that any program can follow a schedule that goes on
    from checkpoints. With `trials` a multiple of its length it is trained again, on
    other seeds. Without a schedule every trial runs to its end.

    >>> import danlu, numpy
    >>> schedule = [{"from_step": 0, "params": {"lr": 0.1}},
    ...             {"from_step": 5, "params": {"lr": 0.01}}]
    >>> space = danlu.SearchSpace({"lr": danlu.Float(1e-4, 1.0, log=True)})
    >>> history = danlu.History(space, danlu.Metric("loss"), max_steps=20)
    >>> start = danlu.schedulers.Scheduled(schedule).next(
    ...     history, numpy.random.default_rng(0))
    >>> start.params, start.budget
    ({'lr': 0.1}, 5)

    Raises:
        StudyError: the schedule does not begin at 0, or its steps do not rise.
    """

    schedule: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        try:
            steps = [int(stretch["from_step"]) for stretch in self.schedule]
            _ = [dict(stretch["params"]) for stretch in self.schedule]
        except (KeyError, TypeError, ValueError):
            raise StudyError(
                "a schedule is a list of mappings with `from_step` and `params`, got "
                f"{self.schedule!r}"
            ) from None
        if steps and (steps[0] != 0 or steps != sorted(set(steps))):
            raise StudyError(f"a schedule's steps begin at 0 and rise, got {steps}")
        object.__setattr__(self, "schedule", tuple(self.schedule))

    def next(self, history: History, rng: Generator) -> Start | Resume | None:
        """The stretch after one that is done, else the first one again."""
        if not self.schedule:
            return Start()
        begun = {trial.parent for trial in history.trials}
        for trial in history.trials:
            place = trial.scheduler_note.get("stretch")
            is_done = trial.state is State.PAUSED and not trial.waiting
            if place is not None and is_done and trial.number not in begun:
                return self._stretch(int(place) + 1, trial.number)
        return self._stretch(0, None)

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To pause at the end of a stretch, else to continue."""
        ends = trial.budget is not None and trial.budget != history.max_steps
        if "stretch" in trial.scheduler_note and ends:
            return Verdict.PAUSE if trial.step >= trial.budget else Verdict.CONTINUE  # type: ignore[operator]
        return Verdict.CONTINUE

    def _stretch(self, place: int, parent: int | None) -> Start | None:
        if place >= len(self.schedule):
            return None
        is_last = place + 1 == len(self.schedule)
        until = None if is_last else int(self.schedule[place + 1]["from_step"])
        params = dict(self.schedule[place]["params"])
        note = {"stretch": place, "from": -1 if parent is None else parent}
        return Start(until, params, parent, note)
