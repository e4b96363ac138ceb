"""Training programs that misbehave: each costs its own trial, and nothing else."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import danlu
from danlu import State, Study
from danlu.errors import ExecutorError, StudyHalted
from danlu.executors import Limits, Local
from danlu.trial import Trial
from tests.studies import bowl as bowl_study

GRACE_S = 0.5
# Each runs as the first of two trials; the second one is well-behaved.
WELL = "echo step=1 loss=1"


def study(**changes: Any) -> Study:
    return bowl_study(**{"trials": 2, "max_steps": None, **changes})


def first_of_two(
    folder: Path, script: str, *, time_s: float | None = None
) -> tuple[Trial, list[str]]:
    """The trial of a bad program, once a good one has been run after it."""
    messages: list[str] = []
    words = ["sh", "-c", f"if [ $DANLU_TRIAL = 0 ]; then {script}\nelse {WELL}; fi"]
    limits = Limits(time_s=time_s, grace_s=GRACE_S)
    with danlu.open(folder / "tuning.db") as project:
        history = project.run(
            study(),
            Local(words, limits=limits),
            watch=lambda progress: messages.extend(progress.messages),
        )
        assert project.holdings("bowl") == []
    assert history.trials[1].state is State.COMPLETED
    return history.trials[0], messages


def processes_of(folder: Path) -> list[psutil.Process]:
    """Processes that work in `folder`, a moment after its study has ended."""
    deadline_s = time.monotonic() + 60
    while left := [own for own in psutil.process_iter() if _is_of(own, folder)]:
        if time.monotonic() > deadline_s:
            break
        time.sleep(0.05)
    return left


def _is_of(process: psutil.Process, folder: Path) -> bool:
    try:
        return str(folder) in process.environ().get("DANLU_FOLDER", "")
    except psutil.Error:
        return False


def test_a_program_that_does_not_exist_is_an_error_at_once(tmp_path: Path) -> None:
    began_s = time.monotonic()
    with danlu.open(tmp_path / "tuning.db") as project:
        with pytest.raises(ExecutorError, match="no program 'nowhere': not on PATH"):
            project.run(study(), ["nowhere", "--lr", "{x}"])

        assert project.holdings("bowl") == []
        history = project.run(study(), ["sh", "-c", WELL])
    assert [trial.state for trial in history.trials] == [State.COMPLETED] * 2
    assert time.monotonic() - began_s < 60


def test_a_script_that_does_not_exist_stops_the_study_with_its_output(
    tmp_path: Path,
) -> None:
    with danlu.open(tmp_path / "tuning.db") as project:
        with pytest.raises(StudyHalted, match="trials 0, 1, 2 failed") as halted:
            project.run(study(trials=9), [sys.executable, "nowhere.py"])

        assert "No such file or directory" in str(halted.value)
        assert len(project.history("bowl").trials) == 3


def test_one_that_exits_at_once_has_failed_and_says_how(tmp_path: Path) -> None:
    trial, messages = first_of_two(tmp_path, "echo no data >&2; exit 3")

    assert (trial.state, trial.reason) == (State.FAILED, "exit code 3: no data")
    assert trial.attempt == 2
    assert messages[0] == "trial 0 failed, tried again: exit code 3: no data"


def test_one_that_exits_well_and_says_nothing_has_failed(tmp_path: Path) -> None:
    trial, _ = first_of_two(tmp_path, "exit 0")

    assert trial.reason == "ended without reporting 'loss', or anything at all"


def test_one_that_prints_megabytes_is_read_to_its_metric(tmp_path: Path) -> None:
    flood = "yes | head -c 20000000; head -c 9000000 /dev/zero; echo"
    trial, _ = first_of_two(tmp_path, f"{flood}; echo step=1 loss=0.5")

    assert trial.state is State.COMPLETED
    assert trial.curves["loss"].last == 0.5


def test_one_that_never_stops_printing_is_ended_by_its_limit(tmp_path: Path) -> None:
    trial, _ = first_of_two(tmp_path, "echo step=1 loss=1; yes", time_s=1.0)

    assert trial.state is State.INFEASIBLE
    assert trial.reason == "out of time: longer than the time limit"
    assert len(trial.curves["loss"]) == 1


def test_one_that_never_stops_reporting_is_ended_by_its_limit(tmp_path: Path) -> None:
    lines = """yes '{"step": 1, "loss": 0.5}' | head -n 200000 > $DANLU_REPORT; yes"""
    trial, _ = first_of_two(tmp_path, f"{lines} >/dev/null", time_s=1.0)

    assert trial.reason == "out of time: longer than the time limit"
    assert trial.curves["loss"].values.tolist() == [0.5]


def test_one_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    deaf = "trap '' TERM; while :; do sleep 0.1; done"
    trial, _ = first_of_two(tmp_path, deaf, time_s=0.5)

    assert trial.reason == "out of time: longer than the time limit"
    assert processes_of(tmp_path) == []


FORKS = """
import os, sys, time
for depth in range(3):      # a child, a grandchild, and one in a session of its own
    if os.fork():
        break
    os.setsid()
else:
    if os.fork():
        os._exit(0)
open(os.environ["DANLU_FOLDER"] + f"/pid.{os.getpid()}", "w").close()
if depth == 0:
    print("step=1 loss=1", flush=True)
    time.sleep(0.5)
    sys.exit(0)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="daemons are found on Linux alone")
def test_children_and_daemons_die_with_their_trial(tmp_path: Path) -> None:
    (tmp_path / "forks.py").write_text(FORKS)
    with danlu.open(tmp_path / "tuning.db") as project:
        history = project.run(study(trials=1), [sys.executable, f"{tmp_path}/forks.py"])
        forked = list(project.trial_folder("bowl", 0).glob("pid.*"))

    assert history.trials[0].state is State.COMPLETED
    assert len(forked) >= 3
    assert processes_of(tmp_path) == []


def test_children_of_one_that_is_ended_die_with_it(tmp_path: Path) -> None:
    forks = "(trap '' TERM; sleep 600) & (setsid sleep 600) & sleep 600"
    trial, _ = first_of_two(tmp_path, forks, time_s=0.5)

    assert trial.state is State.INFEASIBLE
    assert processes_of(tmp_path) == []


def test_a_process_with_half_a_letter_in_its_name_hurts_nobody(tmp_path: Path) -> None:
    program = (
        tmp_path / "a训练模型们"
    )  # the kernel keeps 15 bytes: 4 letters and a part
    program.symlink_to("/bin/sleep")
    trial, _ = first_of_two(tmp_path, f"(setsid {program} 600) & {WELL}; sleep 0.3")

    assert (trial.state, trial.attempt) == (State.COMPLETED, 1)


def test_one_that_removes_its_folder_loses_what_was_in_it_alone(tmp_path: Path) -> None:
    script = f"{WELL}; sleep 0.5; rm -rf $DANLU_FOLDER; sleep 0.2"
    trial, _ = first_of_two(tmp_path, script)

    assert trial.state is State.COMPLETED


@pytest.mark.parametrize("thing", ["mkdir", "mkfifo"])
def test_one_whose_report_file_is_no_file_is_complained_of(
    tmp_path: Path, thing: str
) -> None:
    trial, messages = first_of_two(tmp_path, f"{thing} $DANLU_REPORT; {WELL}")

    assert trial.state is State.COMPLETED  # what it printed counts
    assert messages[0].startswith("trial 0: reports.jsonl cannot be read: I")


def test_one_that_writes_its_report_file_anew_each_time_loses_nothing(
    tmp_path: Path,
) -> None:
    write = """printf '{"step": %d, "loss": %d}\\n' $s $s > $DANLU_REPORT; sleep 0.3"""
    trial, _ = first_of_two(tmp_path, f"for s in 1 2 3; do {write}; done")

    assert trial.curves["loss"].steps.tolist() == [1, 2, 3]


def test_one_that_fills_its_reports_with_bytes_is_complained_of_briefly(
    tmp_path: Path,
) -> None:
    noise = "head -c 3000000 /dev/urandom > $DANLU_REPORT"
    good = """printf '\\n{"step": 1, "loss": 1}\\n' >> $DANLU_REPORT"""
    trial, messages = first_of_two(tmp_path, f"{noise}; {good}")

    assert trial.curves["loss"].values.tolist() == [1.0]
    assert len(messages) <= 21


def test_a_function_that_kills_its_process_has_failed(tmp_path: Path) -> None:
    with danlu.open(tmp_path / "tuning.db") as project:
        (trial,) = project.run(
            study(trials=1), lambda trial: os.kill(os.getpid(), 11)
        ).trials

    assert (trial.state, trial.reason) == (State.FAILED, "killed by SIGSEGV")
