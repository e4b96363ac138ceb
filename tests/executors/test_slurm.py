"""Slurm jobs: with submitit's processes of this machine, and with Slurm where it is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import danlu
from danlu.errors import ExecutorError
from danlu.executors import Event, Exited, Launch, Limits, Reported, Slurm
from danlu.executors.slurm_queue import SlurmQueue, submit
from danlu.testing import check_executor
from danlu.trial import Trial

pytest.importorskip("submitit")
# submitit leaves the processes that it started to themselves.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

HANG_S = 90.0
GRACE = Limits(grace_s=3)
PRINTS = "for step in 1 2 3; do echo step=$step loss={x}; done"
COUNTS = """
step=$(cat "$DANLU_CHECKPOINT/step" 2>/dev/null || echo 0)
while [ $step -lt {last} ]; do
  step=$((step + 1)); echo $step > "$DANLU_CHECKPOINT/step"
  echo "{\\"step\\": $step, \\"loss\\": 1}" >> "$DANLU_REPORT"
  sleep {pause}
done
"""


def train(trial: Any) -> None:
    for step in (1, 2, 3):
        trial.report(step, loss=trial.params["x"])


def has_slurm() -> bool:
    if shutil.which("sinfo") is None:
        return False
    said = subprocess.run(
        ["sinfo", "-h", "-t", "idle,mix"], capture_output=True, check=False
    )
    return bool(said.stdout.strip())


CLUSTERS = [
    "local",
    pytest.param(
        "slurm",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(
                not has_slurm(), reason="no Slurm with a node free here"
            ),
        ],
    ),
]


class Desk:
    """One executor, and what it told."""

    def __init__(self, executor: Slurm, folder: Path) -> None:
        self.executor = executor
        self.folder = folder
        self.events: list[Event] = []

    def launch(self, attempt: int = 1, **params: Any) -> Launch:
        trial = Trial(0, params, attempt=attempt)
        return Launch("s", trial, "loss", self.folder / "0")

    def steps(self) -> list[int]:
        told = [event.reports for event in self.events if isinstance(event, Reported)]
        return [report.step for reports in told for report in reports]

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + HANG_S
        while not holds():
            assert time.monotonic() < deadline, f"hangs; told so far: {self.events}"
            self.executor.poll(self.events.append, 0.5)

    def finish(self) -> Exited:
        self.until(lambda: self.events and isinstance(self.events[-1], Exited))
        last = self.events[-1]
        assert isinstance(last, Exited)
        return last


Desks = Callable[..., Desk]


@pytest.fixture(params=CLUSTERS)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desks]:
    """Makes executors on a cluster, and closes them."""
    made: list[Slurm] = []

    def make(program: str | Callable[..., Any], **settings: Any) -> Desk:
        train = ["bash", "-c", program] if isinstance(program, str) else program
        settings = {"limits": GRACE, "cluster": request.param, **settings}
        made.append(Slurm(train, **settings))
        return Desk(made[-1], tmp_path)

    yield make
    for executor in made:
        executor.close()


@pytest.mark.parametrize("program", [train, ["bash", "-c", PRINTS]])
def test_slurm_holds_the_contract(program: Any, tmp_path: Path) -> None:
    check_executor(lambda: Slurm(program, slots=2, cluster="local"), tmp_path)


def test_a_failure_is_told_with_its_last_words(desk: Desks) -> None:
    bench = desk("echo something is wrong; exit 3")
    bench.executor.start(bench.launch())

    exited = bench.finish()

    assert ("failed", "exit code 3: something is wrong") == (
        exited.outcome.value,
        exited.reason,
    )


def test_exit_code_75_is_a_preemption(desk: Desks) -> None:
    bench = desk("exit 75")
    bench.executor.start(bench.launch())

    assert "preempted" == bench.finish().outcome.value


def test_a_program_that_is_not_there_is_told(desk: Desks) -> None:
    bench = desk(train)
    bench.executor = Slurm(["no-such-program"], cluster="local")
    bench.executor.start(bench.launch())

    assert "no program 'no-such-program'" in bench.finish().reason


def test_a_stopped_trial_ends_within_its_grace(desk: Desks) -> None:
    bench = desk(COUNTS)
    bench.executor.start(bench.launch(last=1000, pause=0.2))
    bench.until(bench.steps)

    bench.executor.stop(0)

    assert "preempted" == bench.finish().outcome.value


def test_a_killed_trial_is_gone_when_that_is_told(desk: Desks) -> None:
    bench = desk("trap '' TERM; echo step=1 loss=1; sleep 600")
    bench.executor.start(bench.launch())
    bench.until(bench.steps)

    bench.executor.kill(0)

    assert "preempted" == bench.finish().outcome.value


def test_another_executor_follows_a_job_that_still_runs(desk: Desks) -> None:
    first = desk(COUNTS)
    launch = first.launch(last=12, pause=0.2)
    first.executor.start(launch)
    first.until(first.steps)
    first.executor._jobs.clear()  # its loop dies here

    second = desk(COUNTS)
    second.executor.open()
    left = second.executor.recover(launch)
    second.executor.start(second.launch(attempt=2, last=12, pause=0.2))
    exited = second.finish()

    assert ([], "done") == (list(left), exited.outcome.value)
    assert list(range(1, 13)) == second.steps()


def test_a_job_that_the_loop_does_not_know_of_leaves_the_trial_alone(
    desk: Desks,
) -> None:
    bench = desk(COUNTS)
    launch = bench.launch(last=15, pause=0.2)
    bench.executor.start(launch)
    queue, task = bench.executor._queue, bench.executor._task
    assert task is not None
    submit(queue, task, launch, bench.executor._parameters)  # as if sbatch had lied

    assert "done" == bench.finish().outcome.value
    assert list(range(1, 16)) == bench.steps()


def test_the_end_of_a_job_whose_loop_had_died_is_found(desk: Desks) -> None:
    first = desk(COUNTS)
    launch = first.launch(last=3, pause=0)
    first.executor.start(launch)
    ended = launch.folder / "job_ended.json"
    deadline = time.monotonic() + HANG_S
    while not ended.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    first.executor._jobs.clear()

    second = desk(COUNTS)
    second.events += second.executor.recover(launch)

    assert ("done", [1, 2, 3]) == (second.finish().outcome.value, second.steps())


def test_a_job_that_is_left_and_not_taken_up_is_ended(desk: Desks) -> None:
    first = desk(COUNTS)
    launch = first.launch(last=1000, pause=0.2)
    first.executor.start(launch)
    first.until(first.steps)
    job = first.executor._jobs.pop(0).note.job

    second = desk(COUNTS)
    second.executor.recover(launch)
    second.executor.close()

    deadline = time.monotonic() + HANG_S
    while job in (second.executor._queue.living() or ()):
        assert time.monotonic() < deadline, "the job goes on"
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.skipif(not has_slurm(), reason="no Slurm with a node free here")
def test_what_slurm_refuses_is_told(tmp_path: Path) -> None:
    bench = Desk(Slurm(train, partition="moon"), tmp_path)

    with pytest.raises(ExecutorError, match=r"invalid partition .*: moon"):
        bench.executor.start(bench.launch())


@pytest.mark.slow
@pytest.mark.skipif(not has_slurm(), reason="no Slurm with a node free here")
def test_a_job_that_slurm_ends_is_preempted_and_goes_on(tmp_path: Path) -> None:
    bench = Desk(Slurm(["bash", "-c", COUNTS], limits=GRACE), tmp_path)
    bench.executor.start(bench.launch(last=1000, pause=0.2))
    bench.until(bench.steps)

    job = bench.executor._jobs[0].note.job
    subprocess.run(["scancel", job], check=True)

    assert "preempted" == bench.finish().outcome.value
    bench.events.clear()
    saved = int((tmp_path / "0" / "checkpoint" / "step").read_text())
    bench.executor.start(bench.launch(attempt=2, last=saved + 3, pause=0.2))
    assert "done" == bench.finish().outcome.value
    assert [saved + 1, saved + 2, saved + 3] == bench.steps()
    bench.executor.close()


@pytest.mark.slow
@pytest.mark.skipif(not has_slurm(), reason="no Slurm with a node free here")
@pytest.mark.parametrize(
    ("program", "outcome"), [(COUNTS, "preempted"), ("sleep 600", "out of time")]
)
def test_when_a_job_is_told_that_its_time_is_over(
    program: str, outcome: str, tmp_path: Path
) -> None:
    bench = Desk(Slurm(["bash", "-c", program], limits=GRACE), tmp_path)
    bench.executor.start(bench.launch(last=1000, pause=0.2))
    pid = tmp_path / "0" / "process.json"
    bench.until(lambda: pid.exists() and (program != COUNTS or bench.steps()))

    job = bench.executor._jobs[0].note.job
    subprocess.run(["scancel", "--signal=USR2", job], check=True)

    assert outcome == bench.finish().outcome.value
    bench.executor.close()


def test_a_study_is_run_to_its_end(tmp_path: Path) -> None:
    study = danlu.Study("s", "Where?", "loss", {"x": danlu.Float(0, 1)}, trials=3)

    with danlu.open(tmp_path / "t.db") as project:
        history = project.run(study, Slurm(train, slots=3, cluster="local"))

    assert ["completed"] * 3 == [trial.state.value for trial in history.trials]


STUDY = """
import sys, danlu
from danlu.executors import Slurm
study = danlu.Study("s", "Where?", "loss", {"x": danlu.Float(0, 1)}, trials=1,
                    fixed={"last": 15, "pause": 0.2})
with danlu.open(sys.argv[1]) as project:
    project.run(study, Slurm(["bash", "-c", sys.argv[2]], cluster="local"))
    trial = project.history(study).trials[0]
    print(trial.state.value, trial.step)
"""


def test_a_job_survives_its_loop(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STUDY, str(tmp_path / "t.db"), COUNTS]
    reports = tmp_path / "t.trials" / "s" / "0" / "reports.jsonl"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as loop:
        deadline = time.monotonic() + HANG_S
        while not reports.exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.kill(loop.pid, signal.SIGKILL)

    said = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "completed 15\n" == said.stdout
    assert 15 == len(reports.read_text().splitlines())  # no step was trained twice


@pytest.mark.parametrize(
    "settings", [{"time_min": 0}, {"time_min": 1.5}, {"cluster": "moon"}, {"slots": 0}]
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ExecutorError, match=f"{next(iter(settings))}"):
        Slurm(train, **settings)


def test_without_slurm_that_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ExecutorError, match="no Slurm here"):
        Slurm(train).open()
    assert SlurmQueue().living() is None
