"""Jobs in Slurm's queue: submitted through submitit, asked about, ended.

submitit can also run jobs on this machine alone, without Slurm: `LocalQueue`.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from ..errors import ExecutorError
from .base import Launch, Outcome
from .slurm_job import run_job
from .task import Task

ANSWER_WITHIN_S = 30.0
PATIENCE_S = (2.0, 5.0, 10.0)  # between tries when Slurm's controller does not answer
_NO_ANSWER = re.compile("timed out|contact|connect|temporar", re.IGNORECASE)
# Jobs in these states have ended; Slurm still lists them for a while.
_ENDED = {"BF", "CA", "CD", "DL", "F", "NF", "OOM", "PR", "RV", "TO"}
_OUTCOMES = {
    "PREEMPTED": Outcome.PREEMPTED,
    "NODE_FAIL": Outcome.PREEMPTED,
    "BOOT_FAIL": Outcome.PREEMPTED,
    "CANCELLED": Outcome.PREEMPTED,
    "REVOKED": Outcome.PREEMPTED,
    "TIMEOUT": Outcome.OUT_OF_TIME,
    "DEADLINE": Outcome.OUT_OF_TIME,
    "OUT_OF_MEMORY": Outcome.OUT_OF_MEMORY,
}
_REFUSALS = (
    subprocess.SubprocessError,
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    NameError,
)


class Queue(ABC):
    """Where jobs wait and run; a job's id is text.

    `look_s` is how often it is fair to ask about jobs, `late_s` how long what a job
    wrote on another node may take to be seen here.
    """

    cluster: str
    look_s: float
    late_s: float

    @abstractmethod
    def check(self) -> None:
        """Raises ExecutorError where there is no such queue."""

    @abstractmethod
    def living(self) -> set[str] | None:
        """The ids of all jobs that wait or run; None when that cannot be told now."""

    @abstractmethod
    def withdraw(self, job: str) -> None:
        """Takes a job out of the queue, if it has not begun."""

    @abstractmethod
    def kill(self, job: str) -> None:
        """Ends a job by force."""

    @abstractmethod
    def fate(self, job: str) -> tuple[Outcome, str]:
        """What became of a job that ended without a word."""


class SlurmQueue(Queue):
    """The queue of the Slurm cluster that this machine belongs to."""

    cluster = "slurm"
    look_s = 10.0
    late_s = 20.0

    def check(self) -> None:
        """Makes sure that Slurm answers."""
        if _said("squeue", "--version") is None:
            raise ExecutorError(
                "no Slurm here: `squeue` is missing; start danlu on a login node of "
                "the cluster"
            )

    def living(self) -> set[str] | None:
        """All jobs of this user that have not ended."""
        said = _said("squeue", "--noheader", "--me", "--format=%i %t")
        if said is None:
            return None
        jobs = [line.split() for line in said.splitlines() if line.strip()]
        return {job for job, state in jobs if state not in _ENDED}

    def withdraw(self, job: str) -> None:
        """Cancels a job that waits."""
        _said("scancel", "--state=PENDING", job)

    def kill(self, job: str) -> None:
        """Kills a job's processes, and cancels it."""
        _said("scancel", "--signal=KILL", job)
        _said("scancel", job)

    def fate(self, job: str) -> tuple[Outcome, str]:
        """What the controller, or the accounting, says of a job."""
        shown = _said("scontrol", "--oneliner", "show", "job", job) or ""
        found = re.search(r"\bJobState=(\w+)", shown)
        state = found[1] if found else ""
        if not state:
            listed = _said("sacct", "-nXP", "--format=State", "--jobs", job) or ""
            state = listed.split()[0] if listed.split() else "nothing of it any more"
        reason = f"Slurm job {job} ended without a word; Slurm says {state}"
        return _OUTCOMES.get(state, Outcome.FAILED), reason


class LocalQueue(Queue):
    """Jobs as processes of this machine, by submitit alone; a job's id is its pid."""

    cluster = "local"
    look_s = 0.3
    late_s = 1.0

    def check(self) -> None:
        """Nothing is needed."""

    def living(self) -> set[str] | None:
        """The controllers of jobs that run."""
        found = set()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                is_dead = process.status() == psutil.STATUS_ZOMBIE
                if not is_dead and "submitit.local._local" in process.cmdline():
                    found.add(str(process.pid))
        return found

    def withdraw(self, job: str) -> None:
        """Nothing waits here."""

    def kill(self, job: str) -> None:
        """Kills the controller and all below it."""
        if job not in (self.living() or ()):
            return
        with suppress(psutil.Error):
            controller = psutil.Process(int(job))
            for process in [*controller.children(recursive=True), controller]:
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL)

    def fate(self, job: str) -> tuple[Outcome, str]:
        """Nothing more is known of it."""
        return Outcome.FAILED, f"job {job} ended without a word"


def submit(
    queue: Queue, task: Task, launch: Launch, parameters: Mapping[str, Any]
) -> str:
    """The id of a new job that runs the trial.

    Raises:
        ExecutorError: it was refused; the message says why.
    """
    waits = iter(PATIENCE_S)
    while True:
        try:
            return _submitted(queue.cluster, task, launch, parameters)
        except _REFUSALS as error:
            said = " ".join(str(error).split())[-500:]
            wait_s = next(waits, None) if _NO_ANSWER.search(said) else None
            if wait_s is None:
                raise ExecutorError(
                    f"the job of trial {launch.trial.number} was refused: {said}; "
                    f"asked for {dict(parameters)}"
                ) from error
            time.sleep(wait_s)


def last_words(folder: Path, job: str) -> str:
    """The last line that submitit kept of a job itself, empty when there is none."""
    with suppress(OSError):
        path = folder / "job" / f"{job}_0_log.err"
        lines = path.read_text(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1][:300] if said else ""
    return ""


def _submitted(
    cluster: str, task: Task, launch: Launch, parameters: Mapping[str, Any]
) -> str:
    import submitit

    executor = submitit.AutoExecutor(folder=launch.folder / "job", cluster=cluster)
    executor.update_parameters(**parameters)
    return str(executor.submit(run_job, task, launch).job_id)


def _said(*words: str) -> str | None:
    """What a command of Slurm's printed; None if it failed or did not answer."""
    try:
        ended = subprocess.run(
            words, capture_output=True, text=True, timeout=ANSWER_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout if ended.returncode == 0 else None
