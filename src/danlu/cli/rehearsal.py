"""One trial for a few steps in a temporary folder, to see what a program does."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..executors.base import Event, Executor, Exited, Launch, Outcome
from ..trial import Trial
from .programs import executor_of, middle

if TYPE_CHECKING:
    from ..studyfile import StudyFile

_SEED = 0
_GRACE_S = 5.0  # nothing is lost when a rehearsal is ended by force


@dataclass
class Rehearsal:
    """What was seen: metrics, steps with their times, and how it ended.

    `at_s` maps a step to the seconds from the start to its report. `finished` means
    that the program ended by itself, `cut_short` that time was up.
    """

    ok: bool = True
    reason: str = ""
    tail: str = ""
    seconds: float = 0.0
    finished: bool = False
    cut_short: bool = False
    metrics: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    at_s: dict[int, float] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """The last step that was reported."""
        return max(self.at_s, default=0)

    def trial_s(self, max_steps: int | None) -> float | None:
        """How long a whole trial takes, None where nothing tells.

        >>> Rehearsal(at_s={1: 3.0, 3: 4.0}).trial_s(11)
        8.0
        """
        if max_steps is None or not self.steps:
            return self.seconds if self.finished else None
        first, last = min(self.at_s), self.steps
        if last == first:
            step_s = self.seconds / max(1, last)
        else:
            step_s = (self.at_s[last] - self.at_s[first]) / (last - first)
        return self.at_s[first] + step_s * max(0, max_steps - first)


def rehearse(file: StudyFile, steps: int, patience_s: float) -> Rehearsal:
    """Runs the program once for `steps` steps, or until patience ends."""
    study = file.study
    budget = None if study.max_steps is None else min(steps, study.max_steps)
    trial = Trial(0, middle(study), budget=budget, seed=_SEED)
    names = tuple(dimension.name for dimension in study.search_space.dimensions)
    with tempfile.TemporaryDirectory(prefix="danlu-check-") as folder:
        place = Path(folder) / "0"
        launch = Launch(study.name, trial, study.objective.name, place, names)
        grace_s = min(file.program.grace_s, _GRACE_S)
        executor = executor_of(replace(file.program, grace_s=grace_s))
        try:
            return _watched(executor, launch, steps, patience_s)
        finally:
            executor.close()


def _watched(
    executor: Executor, launch: Launch, steps: int, patience_s: float
) -> Rehearsal:
    seen, exits = Rehearsal(), []
    began_s = time.monotonic()
    stopped = False

    def deliver(event: Event) -> None:
        if isinstance(event, Exited):
            exits.append(event)
            return
        seen.complaints += event.complaints
        for report in event.reports:
            seen.at_s.setdefault(report.step, time.monotonic() - began_s)
            seen.metrics += [n for n in report.metrics if n not in seen.metrics]

    executor.start(launch)
    while not exits:
        executor.poll(deliver, 0.1)
        if stopped or exits:
            continue
        seen.cut_short = time.monotonic() - began_s > patience_s
        if seen.cut_short or len(seen.at_s) >= steps:
            stopped = True
            executor.stop(launch.trial.number)
    seen.seconds = time.monotonic() - began_s
    _close(seen, exits[0], stopped)
    return seen


def _close(seen: Rehearsal, exited: Exited, stopped: bool) -> None:
    """Notes how the program ended; being ended by us is no failure."""
    seen.finished = exited.outcome is Outcome.DONE and not stopped
    seen.ok = stopped or exited.outcome is Outcome.DONE
    seen.reason = exited.reason or exited.outcome.value
    seen.tail = exited.tail
