"""Runs trials as jobs of a Slurm cluster: one job for each start of a trial."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ExecutorError
from .base import Event, Executor, Exited, Launch, Outcome, Reported
from .checkpoint_place import checked_root, located, placed
from .ended import Ended, write_json
from .handover import prepare
from .limits import Limits
from .local import Local, Train
from .outcome import tail_of
from .running import Running
from .slurm_job import ENDED_FILE, NOTE_FILE, Note, read_job_ended, read_note
from .slurm_queue import PATIENCE_S, LocalQueue, Queue, SlurmQueue, last_words, submit
from .task import Task, task_of

FILES_LOOK_S = 0.5  # how often the files of running trials are looked at
FORCE_S = 30.0  # beyond the grace, before a job is ended by force
KILL_LOOK_S = 1.0


class Slurm(Executor):
    """Runs a Python function or a command, each trial in a Slurm job of its own.

    `slots` jobs are in the queue or running at once. A job may take `time_min`; a trial
    that needs longer, or whose job is preempted, goes on from its checkpoint in another
    one. `parameters` are submitit's, such as `{"gpus_per_node": 1, "mem_gb": 16,
    "slurm_account": "vision"}`. The rest is as in `Local`. The trials' folders and this
    Python must be at the same path on all nodes; `checkpoints` may be elsewhere. Jobs
    outlive a loop that is killed: the next one follows them. With `cluster="local"`
    they run on this machine alone.

    >>> import danlu
    >>> executor = danlu.executors.Slurm(["python", "train.py", "{args}"], slots=16,
    ...                                  partition="gpu", time_min=240)
    >>> executor.slots
    16

    Raises:
        ExecutorError: a setting is impossible.
    """

    def __init__(
        self,
        train: Train,
        *,
        slots: int = 1,
        partition: str | None = None,
        time_min: int = 60,
        parameters: Mapping[str, Any] | None = None,
        cluster: str = "slurm",
        limits: Limits | None = None,
        pattern: str | None = None,
        workdir: str | Path | None = None,
        checkpoints: str | Path | None = None,
    ) -> None:
        self._files = Local(
            train, slots=slots, limits=limits, pattern=pattern, workdir=workdir
        )
        self._checkpoints = checked_root(checkpoints)
        self.slots = slots
        self.limits = limits or Limits()
        self._train = train
        self._pattern = pattern
        self._workdir = str(Path(workdir or os.getcwd()).absolute())
        self._queue = _queue(cluster)
        self._parameters = _stated(partition, time_min, self.limits, parameters or {})
        self._task: Task | None = None
        self._jobs: dict[int, _Job] = {}
        self._left: dict[int, tuple[Path, Note]] = {}
        self._looked_s = self._asked_s = 0.0

    def open(self) -> None:
        """Makes sure that there are submitit and a queue."""
        try:
            import submitit  # noqa: F401
        except ImportError:
            raise ExecutorError(
                "submitit is missing: pip install 'danlu[slurm]'"
            ) from None
        self._queue.check()
        if self._task is None:
            self._task = task_of(
                self._train,
                limits=self.limits,
                pattern=self._pattern,
                workdir=self._workdir,
            )

    def start(self, launch: Launch) -> None:
        """Submits a job, or follows the one of an earlier loop that still runs."""
        self.open()
        if self._task is None:
            return
        launch = placed(launch, self._checkpoints)
        number, folder = launch.trial.number, launch.folder
        self._left.pop(number, None)
        note = read_note(folder)
        if note is not None and self._lives(note.job):
            if note.fits(launch) and not (folder / "stop").exists():
                self._follow(launch, note)
                return
            self._end(note.job)
        prepare(launch)
        (folder / ENDED_FILE).unlink(missing_ok=True)
        running = self._files.begun(launch)
        job = submit(self._queue, self._task, launch, self._parameters)
        attempt, budget = launch.trial.attempt, launch.trial.budget
        note = Note(job, attempt, attempt, budget, running.output_offset)
        write_json(folder / NOTE_FILE, asdict(note))
        self._jobs[number] = _Job(note, running)

    def poll(self, deliver: Callable[[Event], None], wait_s: float) -> None:
        """Hands over what is new; returns as soon as there was something."""
        deadline = time.monotonic() + wait_s
        while not self._look(deliver):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(FILES_LOOK_S, left_s))

    def stop(self, number: int) -> None:
        """Asks a trial to end; a job that still waits is withdrawn."""
        job = self._jobs.get(number)
        if job is None or job.force_at_s is not None:
            return
        job.force_at_s = time.monotonic() + self.limits.grace_s + FORCE_S
        with suppress(OSError):
            (job.running.launch.folder / "stop").touch()
        self._queue.withdraw(job.note.job)

    def kill(self, number: int) -> None:
        """Kills a trial's job."""
        job = self._jobs.get(number)
        if job is None:
            return
        with suppress(OSError):
            (job.running.launch.folder / "stop").touch()
        job.force_at_s = time.monotonic() + FORCE_S
        self._queue.kill(job.note.job)

    def recover(self, launch: Launch) -> Sequence[Event]:
        """What a trial left behind whose loop has died.

        A job that still waits or runs is left alone: the next start follows it.
        """
        launch = located(launch)
        folder, note = launch.folder, read_note(launch.folder)
        if note is None:
            return self._files.recover(launch)
        if self._lives(note.job):
            if note.fits(launch):
                self._left[launch.trial.number] = folder, note
                return ()
            self._end(note.job)
        events = self._files.recover(launch)
        told: list[Event] = [e for e in events if isinstance(e, Reported)]
        if launch.trial.attempt == note.followed_as:
            ended = read_job_ended(folder, note.attempt)
            if ended is not None:
                outcome = Outcome(ended.outcome)
                told.append(_exited(launch, note, outcome, ended.reason))
        return told

    def close(self) -> None:
        """Kills every job, also those that were found and not started again."""
        for job in self._jobs.values():
            self._queue.kill(job.note.job)
        for folder, note in self._left.values():
            if read_note(folder) == note:  # else another loop follows it
                self._queue.kill(note.job)
        self._jobs.clear()
        self._left.clear()

    def _follow(self, launch: Launch, note: Note) -> None:
        """Goes on with a job of an earlier attempt; its reports are read once more."""
        note = replace(note, followed_as=launch.trial.attempt)
        write_json(launch.folder / NOTE_FILE, asdict(note))
        running = self._files.reread(launch, note.offset)
        self._jobs[launch.trial.number] = _Job(note, running)

    def _look(self, deliver: Callable[[Event], None]) -> bool:
        """Delivers what is new; whether there was something."""
        now_s = time.monotonic()
        if now_s - self._looked_s < FILES_LOOK_S:
            return False
        self._looked_s = now_s
        self._ask_queue(now_s)
        delivered = False
        for number, job in list(self._jobs.items()):
            self._force(job, now_s)
            exited = self._ending(job, now_s)
            if exited is not None:
                job.running.ended = Ended(number, job.note.attempt, 0)
                del self._jobs[number]
            reported = job.running.reported()
            if reported is not None:
                deliver(reported)
            if exited is not None:
                deliver(exited)
            delivered |= reported is not None or exited is not None
        return delivered

    def _ask_queue(self, now_s: float) -> None:
        """Notes since when jobs are not in the queue any more."""
        ending = any(job.force_at_s is not None for job in self._jobs.values())
        wait_s = min(KILL_LOOK_S, self._queue.look_s) if ending else self._queue.look_s
        if not self._jobs or now_s - self._asked_s < wait_s:
            return
        self._asked_s = now_s
        living = self._queue.living()
        for job in self._jobs.values():
            if living is not None:
                is_there = job.note.job in living
                job.gone_s = None if is_there else job.gone_s or now_s

    def _force(self, job: _Job, now_s: float) -> None:
        if job.force_at_s is not None and now_s > job.force_at_s:
            job.force_at_s = now_s + FORCE_S
            self._queue.kill(job.note.job)

    def _ending(self, job: _Job, now_s: float) -> Exited | None:
        """How a job ended: as it says itself, or when it is gone as the queue says."""
        launch, note = job.running.launch, job.note
        ended = read_job_ended(launch.folder, note.attempt)
        if ended is not None:
            return _exited(launch, note, Outcome(ended.outcome), ended.reason)
        if job.gone_s is None:
            return None
        if job.force_at_s is not None:
            return _exited(launch, note, Outcome.PREEMPTED, "stopped on request")
        if now_s - job.gone_s < self._queue.late_s:
            return None
        outcome, reason = self._queue.fate(note.job)
        said = last_words(launch.folder, note.job)
        return _exited(launch, note, outcome, f"{reason}: {said}" if said else reason)

    def _lives(self, job: str) -> bool:
        living = self._queue.living()
        for wait_s in PATIENCE_S:
            if living is not None:
                break
            time.sleep(wait_s)
            living = self._queue.living()
        if living is None:
            raise ExecutorError("Slurm does not answer: `squeue --me` says why")
        return job in living

    def _end(self, job: str) -> None:
        """Kills a job and waits until it is gone: two must not write for one trial."""
        self._queue.kill(job)
        deadline = time.monotonic() + FORCE_S
        while self._lives(job):
            if time.monotonic() > deadline:
                raise ExecutorError(
                    f"Slurm job {job} of an earlier start does not end: "
                    f"`scancel {job}`, then go on"
                )
            time.sleep(KILL_LOOK_S)


@dataclass
class _Job:
    """A job that is followed; since when it is gone, and when it is ended by force."""

    note: Note
    running: Running
    gone_s: float | None = None
    force_at_s: float | None = None


def _exited(launch: Launch, note: Note, outcome: Outcome, reason: str) -> Exited:
    tail = tail_of(launch.folder / "output.log", note.offset)
    return Exited(launch.trial.number, outcome, reason, tail)


def _queue(cluster: str) -> Queue:
    if cluster not in ("slurm", "local"):
        raise ExecutorError(f"cluster is 'slurm' or 'local', got {cluster!r}")
    return SlurmQueue() if cluster == "slurm" else LocalQueue()


def _stated(
    partition: str | None, time_min: int, limits: Limits, given: Mapping[str, Any]
) -> dict[str, Any]:
    """What is asked of submitit for every job."""
    if type(time_min) is not int or time_min < 1:
        raise ExecutorError(f"time_min is a whole number from 1, got {time_min!r}")
    stated: dict[str, Any] = {
        "name": "danlu",
        "timeout_min": time_min,
        # How long before its end a job is told: the trial's grace, and some to save.
        "slurm_signal_delay_s": int(limits.grace_s) + 30,
    }
    if partition is not None:
        stated["slurm_partition"] = partition
    stated |= given
    # Slurm would start the job again under the old attempt: that is up to the loop.
    further = {"no_requeue": True, **given.get("slurm_additional_parameters", {})}
    return {**stated, "slurm_additional_parameters": further}
