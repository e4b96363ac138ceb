"""The far side of the Slurm executor: what runs in a job, one trial on its node.

Slurm sends its signals to every process of a job. Here they are held back and looked
at, so that the trial has its grace, and how it ended is written down in its folder.
"""

from __future__ import annotations

import json
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import ExecutorError
from .base import Event, Exited, Launch, Outcome, Reported
from .checkpoint_place import has_checkpoint
from .ended import write_json
from .task import Task, local_for

LOOK_S = 0.5
TIME_IS_OVER = signal.SIGUSR2  # submitit has Slurm send it before a job's time is over
NOTE_FILE = "job.json"
ENDED_FILE = "job_ended.json"
NOTED_WITHIN_S = 60.0  # of the job's start: the loop may be slow, or dead


@dataclass(frozen=True)
class JobEnded:
    """How the job of one attempt ended, as the trial's folder keeps it."""

    attempt: int
    outcome: str
    reason: str


@dataclass(frozen=True)
class Note:
    """Which job runs a trial, as `job.json` in its folder keeps it.

    `attempt` is the trial's when the job was submitted, `followed_as` the one of the
    loop that follows it; `offset` is where its output begins.
    """

    job: str
    attempt: int
    followed_as: int
    budget: int | None
    offset: int

    def fits(self, launch: Launch) -> bool:
        """Whether the job does what is to be done now."""
        ended = read_job_ended(launch.folder, self.attempt)
        return ended is None and self.budget == launch.trial.budget


def run_job(task: Task, launch: Launch) -> None:
    """Runs a trial to its end, and writes down how it ended."""
    sent = _Sent()
    if not _is_wanted(launch):
        return
    try:
        outcome, reason = _Job(task, launch, sent).run()
    except ExecutorError as error:
        outcome, reason = Outcome.FAILED, str(error)
    ended = JobEnded(launch.trial.attempt, outcome.value, reason)
    write_json(launch.folder / ENDED_FILE, asdict(ended))


def read_note(folder: Path) -> Note | None:
    """Which job runs a trial, None where none was submitted."""
    try:
        return Note(**json.loads((folder / NOTE_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def read_job_ended(folder: Path, attempt: int) -> JobEnded | None:
    """How this attempt's job ended, None if it has not told."""
    try:
        text = (folder / ENDED_FILE).read_text(encoding="utf-8")
        ended = JobEnded(**json.loads(text))
    except (OSError, ValueError, TypeError):
        return None
    return ended if ended.attempt == attempt else None


def _is_wanted(launch: Launch) -> bool:
    """Whether the loop knows this job: one whose submission went wrong ends at once."""
    import submitit

    own, attempt = submitit.JobEnvironment().job_id, launch.trial.attempt
    deadline = time.monotonic() + NOTED_WITHIN_S
    while time.monotonic() < deadline:
        note = read_note(launch.folder)
        if note is not None and note.attempt >= attempt:
            return note.attempt == attempt and note.job == own
        time.sleep(LOOK_S)
    return False


class _Sent:
    """Which of Slurm's two signals this job was sent.

    Both stay blocked, which processes started from here inherit: the process server
    would die of them. Another thread, such as NumPy's, may get them all the same.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        watched = (signal.SIGTERM, TIME_IS_OVER)
        for number in watched:
            signal.signal(number, lambda number, frame: self._seen.add(number))
        signal.pthread_sigmask(signal.SIG_BLOCK, watched)

    def numbers(self) -> set[int]:
        """The signals so far."""
        return {*self._seen, *signal.sigpending()}


class _Job:
    """One trial on this node, and what is asked of it from outside."""

    def __init__(self, task: Task, launch: Launch, sent: _Sent) -> None:
        self._launch = launch
        self._sent = sent
        self._local = local_for(task)
        self._reported = False
        self._exited: Exited | None = None

    def run(self) -> tuple[Outcome, str]:
        if (self._launch.folder / "stop").exists():
            return Outcome.PREEMPTED, "stopped before it began"
        try:
            self._local.start(self._launch)
            while self._exited is None:
                self._local.poll(self._take_in, LOOK_S)
                if self._exited is None and self._asked():
                    self._local.stop(self._launch.trial.number)
                    time.sleep(LOOK_S)
        finally:
            self._local.close()
        return self._judged(self._exited)

    def _take_in(self, event: Event) -> None:
        if isinstance(event, Reported):
            self._reported |= bool(event.reports)
        else:
            self._exited = event

    def _asked(self) -> bool:
        return bool(self._sent.numbers()) or (self._launch.folder / "stop").exists()

    def _judged(self, exited: Exited) -> tuple[Outcome, str]:
        """Why the trial ended: Slurm's reason goes before the program's own."""
        sent = self._sent.numbers()
        if TIME_IS_OVER in sent:
            # One that saves nothing would never come further than this time allows.
            goes_on = self._reported and has_checkpoint(self._launch)
            if goes_on:
                return Outcome.PREEMPTED, "the time of its Slurm job was over"
            return Outcome.OUT_OF_TIME, "longer than a Slurm job, without a checkpoint"
        if signal.SIGTERM in sent:
            return Outcome.PREEMPTED, "Slurm ended its job"
        return exited.outcome, exited.reason
