"""Plays recorded trainings back on a clock that jumps from event to event.

For tests, benchmarks and questions like what another scheduler would have done: the
loop is the real one, only nothing is trained and nobody waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from ..errors import ExecutorError
from ..trial import Report, Trial
from .base import Event, Executor, Exited, Launch, Outcome, Reported


@dataclass(frozen=True)
class Recording:
    """What a training reported, the seconds it had taken by then, and how it ended.

    >>> import danlu
    >>> reports = (danlu.Report(1, {"loss": 0.5}), danlu.Report(2, {"loss": 0.4}))
    >>> danlu.executors.Recording(reports, (10.0, 20.0)).outcome.value
    'done'

    Raises:
        ExecutorError: there are not as many times as reports, or one falls.
    """

    reports: tuple[Report, ...]
    seconds: tuple[float, ...]
    outcome: Outcome = Outcome.DONE
    reason: str = ""

    def __post_init__(self) -> None:
        if len(self.reports) != len(self.seconds):
            raise ExecutorError(
                f"a recording of {len(self.reports)} reports needs as many times, got "
                f"{len(self.seconds)}"
            )
        if list(self.seconds) != sorted(self.seconds):
            raise ExecutorError("the times of a recording rise: sort its reports")

    @staticmethod
    def of(metric: str, losses: Mapping[int, float], step_s: float = 1.0) -> Recording:
        """The recording of one metric, by step, with `step_s` seconds for each step.

        >>> import danlu
        >>> danlu.executors.Recording.of("loss", {1: 0.5, 2: 0.4}, 60.0).seconds
        (60.0, 120.0)
        """
        steps = sorted(losses)
        reports = tuple(Report(step, {metric: losses[step]}) for step in steps)
        return Recording(reports, tuple(step_s * step for step in steps))


class Simulated(Executor):
    """Plays for each trial the recording that `find` gives for it, `slots` at a time.

    A trial that was paused goes on from the step that it had reached, as a program with
    checkpoints does. `clock_s` says what time it would be, `busy_s` for how long slots
    were in use, `steps` how many steps were trained.

    >>> import danlu
    >>> def find(trial):
    ...     return danlu.executors.Recording.of("loss", {1: trial.params["x"]}, 60.0)
    >>> with danlu.open(":memory:") as project:
    ...     study = danlu.Study("s", "Where is the minimum?", "loss",
    ...                         {"x": danlu.Float(0, 1)}, trials=10)
    ...     executor = danlu.executors.Simulated(find, slots=2)
    ...     _ = project.run(study, executor)
    >>> executor.clock_s, executor.busy_s
    (300.0, 600.0)

    Raises:
        ExecutorError: there is not a single slot.
    """

    def __init__(self, find: Callable[[Trial], Recording], slots: int = 1) -> None:
        if slots < 1:
            raise ExecutorError(f"Simulated needs slots >= 1, got {slots}")
        self.slots = slots
        self.clock_s = 0.0
        self.busy_s = 0.0
        self.steps = 0
        self._find = find
        self._turn = count()
        self._lives: dict[int, _Life] = {}
        self._coming: list[tuple[float, int, _Life, Event]] = []

    def open(self) -> None:
        """Nothing has to get ready."""

    def start(self, launch: Launch) -> None:
        """Begins to play a trial's recording, after the step that it has reached."""
        trial = launch.trial
        recording = self._find(trial)
        life = _Life(trial.number, self.clock_s, trial.step)
        self._lives[trial.number] = life
        at_s = self.clock_s
        for after_s, report in _due(recording, trial):
            at_s = self.clock_s + after_s
            self._plan(at_s, life, Reported(trial.number, (report,)))
        exited = Exited(trial.number, Outcome.DONE)
        if trial.budget is None or _is_short(recording, trial.budget):
            exited = Exited(trial.number, recording.outcome, recording.reason)
        self._plan(at_s, life, exited)

    def poll(self, deliver: Callable[[Event], None], wait_s: float) -> None:
        """Jumps from event to event until a trial has ended: its slot is free then."""
        while self._coming:
            at_s, _, life, event = heappop(self._coming)
            if self._lives.get(life.number) is not life:
                continue  # stopped, or started anew since
            self.clock_s = at_s
            if isinstance(event, Exited):
                del self._lives[life.number]
                self.busy_s += at_s - life.since_s
                deliver(event)
                return
            self.steps += event.reports[-1].step - life.step
            life.step = event.reports[-1].step
            deliver(event)

    def stop(self, number: int) -> None:
        """Ends a trial at once; a program would take a moment to heed it."""
        life = self._lives.get(number)
        if life is None:
            return
        self._lives[number] = ended = _Life(number, life.since_s, life.step)
        exited = Exited(number, Outcome.PREEMPTED, "stopped on request")
        self._plan(self.clock_s, ended, exited)

    def kill(self, number: int) -> None:
        """Ends a trial at once."""
        self.stop(number)

    def recover(self, launch: Launch) -> Sequence[Event]:
        """Nothing: what was not reported was not played."""
        return ()

    def close(self) -> None:
        """Forgets what is still to come."""
        self._coming.clear()
        self._lives.clear()

    def _plan(self, at_s: float, life: _Life, event: Event) -> None:
        heappush(self._coming, (at_s, next(self._turn), life, event))


@dataclass(eq=False)
class _Life:
    """One start of a trial: since when it runs, and the step that it has reached."""

    number: int
    since_s: float
    step: int


def _due(recording: Recording, trial: Trial) -> Iterator[tuple[float, Report]]:
    """The reports up to the budget that are new, with the seconds until each."""
    began_s = 0.0
    for report, at_s in zip(recording.reports, recording.seconds, strict=True):
        if trial.step and report.step <= trial.step:
            began_s = at_s
        elif trial.budget is None or report.step <= trial.budget:
            yield at_s - began_s, report


def _is_short(recording: Recording, budget: int) -> bool:
    """Whether a training ended before a budget, or just there."""
    return not recording.reports or recording.reports[-1].step <= budget
