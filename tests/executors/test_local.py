"""Trials in processes: functions, commands, limits, and what they leave behind."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from danlu.errors import ExecutorError
from danlu.executors import Exited, Limits, Local, Outcome
from danlu.trial import Report

GONE_WITHIN_S = 60.0  # only to detect what hangs
SLEEPER = ["bash", "-c", "echo loss=1; exec sleep 1000"]


def bash(script: str) -> list[str]:
    return ["bash", "-c", script]


def gone(pid: int) -> bool:
    """Whether a process ends within a time that only a leak exceeds."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def pids_in(path: Path, count: int) -> list[int]:
    deadline = time.monotonic() + GONE_WITHIN_S
    while True:
        lines = path.read_text().split() if path.exists() else []
        if len(lines) == count:
            return [int(line) for line in lines]
        assert time.monotonic() < deadline, f"{len(lines)} of {count} pids in {path}"
        time.sleep(0.01)


# Functions


def test_a_lambda_runs(workshop: Any) -> None:
    bench = workshop.bench(lambda trial: trial.params["x"] ** 2)
    assert bench.run(x=3.0).outcome is Outcome.DONE
    assert bench.reports() == [Report(1, {"loss": 9.0})]


def test_a_function_uses_what_surrounds_it(workshop: Any) -> None:
    shift = 10

    def train(trial: Any) -> None:
        for step in (1, 2):
            trial.report(step, loss=trial.params["x"] + shift + step)

    bench = workshop.bench(train)
    bench.run(x=0.0)
    assert bench.reports() == [Report(1, {"loss": 11.0}), Report(2, {"loss": 12.0})]


def test_a_function_of_a_main_module_runs(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import danlu, json, pathlib\n"
        "factor = 3\n"
        "def train(trial):\n"
        "    return trial.params['x'] * factor\n"
        "if __name__ == '__main__':\n"
        "    executor = danlu.executors.Local(train)\n"
        "    trial = danlu.Trial(0, {'x': 2})\n"
        f"    folder = pathlib.Path({str(tmp_path)!r}) / '0'\n"
        "    launch = danlu.executors.Launch('s', trial, 'loss', folder)\n"
        "    executor.start(launch)\n"
        "    events = []\n"
        "    while not any(hasattr(event, 'outcome') for event in events):\n"
        "        executor.poll(events.append, 1.0)\n"
        "    executor.close()\n"
        "    print(events[0].reports[0].metrics['loss'], events[-1].outcome)\n"
    )
    command = [sys.executable, "-W", "error", str(script)]
    assert subprocess.check_output(command, text=True) == "6.0 done\n"


def test_torch_is_imported_once(workshop: Any) -> None:
    pytest.importorskip("torch")

    def train(trial: Any) -> float:
        import os
        import sys

        is_there = float("torch" in sys.modules)
        import torch

        value = float(torch.rand(1))
        trial.report(1, is_there=is_there, parent=os.getppid(), loss=value)
        return value

    bench = workshop.bench(train)
    for number in range(3):
        bench.run(number)

    told = [bench.reports(number)[0].metrics for number in range(3)]
    assert [1.0] * 3 == [own["is_there"] for own in told]
    assert len({own["parent"] for own in told}) == 1


@pytest.mark.parametrize("slots", [1, 2])
def test_a_module_that_computes_when_imported_does_not_hang_its_trials(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slots: int
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    (tmp_path / f"computes{slots}.py").write_text(
        "import torch\n"
        "x = torch.randn(500, 500)\n"
        "y = (x @ x).exp().sum()\n"
        "def train(trial):\n"
        "    print(torch.get_num_threads())\n"
        "    return (x @ x).relu().mean()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(f"computes{slots}")
    bench = workshop.bench(module.train, Limits(time_s=20, grace_s=0.1), slots=slots)
    assert bench.run().outcome is Outcome.DONE
    assert bench.text() == "2\n"


def test_the_same_seed_gives_the_same_numbers(workshop: Any) -> None:
    def train(trial: Any) -> dict[str, float]:
        import random

        import numpy as np

        return {"loss": random.random(), "other": float(np.random.random())}

    first, second = workshop.bench(train), workshop.bench(train)
    for bench in (first, second):
        bench.run(5)
        bench.run(6)
    assert first.reports(5) == second.reports(5)
    assert first.reports(5) != first.reports(6)


def test_an_exception_is_a_failure_with_its_last_lines(workshop: Any) -> None:
    def train(trial: Any) -> None:
        print("about to fail")
        raise KeyError("lr")

    exited = workshop.bench(train).run()
    assert exited.outcome is Outcome.FAILED
    assert exited.reason == "exit code 1: KeyError: 'lr'"
    assert exited.tail.splitlines()[0] == "about to fail"


def test_a_result_that_is_no_number_is_a_failure(workshop: Any) -> None:
    exited = workshop.bench(lambda trial: "low").run()
    assert exited.outcome is Outcome.FAILED
    assert "the training function returned 'low'" in exited.reason


def test_memory_error_is_out_of_memory(workshop: Any) -> None:
    def train(trial: Any) -> None:
        raise MemoryError

    assert workshop.bench(train).run().outcome is Outcome.OUT_OF_MEMORY


def test_a_stopped_function_runs_its_finally(workshop: Any) -> None:
    def train(trial: Any) -> None:
        import time

        try:
            trial.report(1, loss=1.0)
            time.sleep(1000)
        finally:
            print("cleaned up")

    bench = workshop.bench(train)
    bench.start()
    bench.until_reported()
    bench.executor.stop(0)
    exited = bench.finish()
    assert (exited.outcome, exited.reason) == (Outcome.PREEMPTED, "stopped on request")
    assert bench.text() == "cleaned up\n"


def test_threads_of_a_function_may_finish(workshop: Any) -> None:
    def train(trial: Any) -> None:
        import threading
        import time

        def save() -> None:
            time.sleep(0.1)
            print("saved")

        threading.Thread(target=save).start()

    bench = workshop.bench(train)
    bench.run()
    assert bench.text() == "saved\n"


def test_a_function_that_cannot_be_loaded_is_an_error(workshop: Any) -> None:
    bench = workshop.bench(lambda trial: 1, preload=["no_such_module"])
    with pytest.raises(ExecutorError, match="No module named 'no_such_module'"):
        bench.start()


def test_a_module_that_kills_the_process_server_is_an_error(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly.py").write_text(
        "import os; print('alas', flush=True); os._exit(3)"
    )
    monkeypatch.syspath_prepend(tmp_path)
    bench = workshop.bench(lambda trial: 1, preload=["deadly"])
    with pytest.raises(ExecutorError, match="the process server died: alas"):
        bench.start()


# Commands


def test_a_command_gets_its_params_and_reports_to_its_file(workshop: Any) -> None:
    script = 'echo "{\\"step\\": $DANLU_BUDGET, \\"loss\\": {x}}" >> "$DANLU_REPORT"'
    bench = workshop.bench(bash(script.replace("$DANLU_BUDGET", "2")))
    assert bench.run(x=0.5).outcome is Outcome.DONE
    assert bench.reports() == [Report(2, {"loss": 0.5})]


def test_the_environment_describes_the_trial(workshop: Any, tmp_path: Path) -> None:
    bench = workshop.bench(bash("env | grep ^DANLU_ | sort; cat $DANLU_PARAMS; pwd"))
    bench.run(4, lr=0.1, name="a b")
    folder = tmp_path / "4"
    expected = [
        "DANLU_ATTEMPT=1",
        "DANLU_BUDGET=",
        f"DANLU_CHECKPOINT={folder}/checkpoint",
        "DANLU_CHECKPOINTS=",
        f"DANLU_FOLDER={folder}",
        "DANLU_METRIC=loss",
        f"DANLU_PARAMS={folder}/params.json",
        "DANLU_PARAM_LR=0.1",
        "DANLU_PARAM_NAME=a b",
        f"DANLU_REPORT={folder}/reports.jsonl",
        "DANLU_SEED=4",
        f"DANLU_STOP={folder}/stop",
        "DANLU_STUDY=s",
        "DANLU_TRIAL=4",
        '{"lr": 0.1, "name": "a b"}' + os.getcwd(),
    ]
    assert bench.text(4).splitlines() == expected


def test_any_text_reaches_the_program(workshop: Any) -> None:
    params = {"a": "é 学'\"; $(rm) \n", "b": 2**70, "c": "\0", "d": "\ud800"}

    def train(trial: Any) -> float:
        return float(trial.params == params)

    bench = workshop.bench(train)
    bench.run(**params)
    assert bench.reports() == [Report(1, {"loss": 1.0})]


def test_text_that_no_command_line_can_hold_fails_the_trial(workshop: Any) -> None:
    exited = workshop.bench(["echo", "{a}"]).run(a="x\0y")
    assert exited.outcome is Outcome.FAILED
    assert "cannot start 'echo': embedded null byte" in exited.reason


def test_metrics_are_read_from_the_output(workshop: Any) -> None:
    bench = workshop.bench(bash("echo step=3 loss=0.5; echo bye"))
    bench.run()
    assert bench.reports() == [Report(3, {"loss": 0.5})]


def test_the_output_does_not_count_beside_the_file(workshop: Any) -> None:
    script = (
        """echo '{"step": 1, "loss": 2}' >> $DANLU_REPORT; sleep 0.1; echo loss=9"""
    )
    bench = workshop.bench(bash(script))
    bench.run()
    assert bench.reports() == [Report(1, {"loss": 2.0})]


def test_what_python_prints_is_seen_at_once(workshop: Any) -> None:
    program = "import time; print('loss=1'); time.sleep(1000)"
    bench = workshop.bench([sys.executable, "-c", program])
    bench.start()
    bench.until_reported()
    assert bench.exited() is None


def test_a_pattern_reads_the_output(workshop: Any) -> None:
    pattern = r"epoch (?P<step>\d+): (?P<metric>\S+)"
    bench = workshop.bench(bash("echo epoch 2: 0.25"), pattern=pattern)
    bench.run()
    assert bench.reports() == [Report(2, {"loss": 0.25})]


def test_bad_lines_are_complained_of(workshop: Any) -> None:
    script = (
        """echo bad >> $DANLU_REPORT; echo '{"step":1,"loss":2}' >> $DANLU_REPORT"""
    )
    bench = workshop.bench(bash(script))
    bench.run()
    complaints = [text for event in bench.events[:-1] for text in event.complaints]
    assert complaints == ["reports.jsonl line 1: not JSON: 'bad'"]
    assert bench.reports() == [Report(1, {"loss": 2.0})]


def test_a_last_line_without_its_end_is_not_lost(workshop: Any) -> None:
    bench = workshop.bench(bash("""printf '{"step":1,"loss":2}' >> $DANLU_REPORT"""))
    bench.run()
    assert bench.reports() == [Report(1, {"loss": 2.0})]


@pytest.mark.parametrize(
    ("script", "outcome", "reason"),
    [
        ("exit 3", Outcome.FAILED, "exit code 3"),
        ("exit 75", Outcome.PREEMPTED, "exit code 75: preempted"),
        ("kill -SEGV $$", Outcome.FAILED, "killed by SIGSEGV"),
        ("kill -KILL $$", Outcome.FAILED, "killed by SIGKILL"),
        (
            "echo std::bad_alloc; exit 1",
            Outcome.OUT_OF_MEMORY,
            "std::bad_alloc",
        ),
    ],
)
def test_an_exit_has_its_reason(
    workshop: Any, script: str, outcome: Outcome, reason: str
) -> None:
    exited = workshop.bench(bash(script)).run()
    assert (exited.outcome, exited.reason) == (outcome, reason)


def test_a_program_that_does_not_exist_is_an_error_at_once(workshop: Any) -> None:
    bench = workshop.bench(["pyhton", "train.py"])
    with pytest.raises(ExecutorError, match="no program 'pyhton': not on PATH"):
        bench.start()


def test_a_script_that_does_not_exist_shows_what_its_shell_says(workshop: Any) -> None:
    exited = workshop.bench([sys.executable, "no_such_script.py"]).run()
    assert exited.outcome is Outcome.FAILED
    assert "can't open file" in exited.tail


def test_an_unknown_name_is_an_error_before_anything_starts(workshop: Any) -> None:
    bench = workshop.bench(["echo", "{lrr}"])
    with pytest.raises(ExecutorError, match="did you mean 'lr'"):
        bench.start(lr=0.1)
    assert not (bench.folder / "0").exists()


def test_megabytes_of_output_are_kept_in_the_file_alone(workshop: Any) -> None:
    bench = workshop.bench(bash("yes 0123456789 | head -c 20000000; echo loss=0.5"))
    exited = bench.run()
    assert bench.reports() == [Report(1, {"loss": 0.5})]
    assert (bench.folder / "0" / "output.log").stat().st_size == 20_000_009
    assert len(exited.tail) < 8192


def test_input_is_empty(workshop: Any) -> None:
    assert workshop.bench(["cat"]).run().outcome is Outcome.DONE


def test_a_second_start_does_not_tell_the_first_ones_reports_again(
    workshop: Any,
) -> None:
    bench = workshop.bench(bash("echo loss=$DANLU_ATTEMPT"))
    bench.run()
    bench.events.clear()
    bench.executor.start(bench.launch(attempt=2))
    bench.finish()
    assert bench.reports() == [Report(1, {"loss": 2.0})]


def test_a_folder_that_cannot_be_written_is_an_error(workshop: Any) -> None:
    bench = workshop.bench(["true"])
    (bench.folder / "0").write_text("a file is in the way")
    with pytest.raises(ExecutorError, match="cannot write in the trial's folder"):
        bench.start()


# Ending


def test_stop_touches_the_stop_file_and_terminates(workshop: Any) -> None:
    bench = workshop.bench(SLEEPER)
    bench.start()
    bench.until_reported()
    bench.executor.stop(0)
    exited = bench.finish()
    assert (exited.outcome, exited.reason) == (Outcome.PREEMPTED, "stopped on request")
    assert (bench.folder / "0" / "stop").exists()


@pytest.mark.parametrize("train", [["sleep", "1000"], lambda trial: time.sleep(1000)])
def test_stop_right_after_the_start_is_not_lost(workshop: Any, train: Any) -> None:
    bench = workshop.bench(train, slots=8)
    for number in range(8):
        bench.start(number)
        bench.executor.stop(number)
    ends = [bench.finish(number).outcome for number in range(8)]
    assert ends == [Outcome.PREEMPTED] * 8


def test_what_ignores_sigterm_is_killed_after_the_grace(workshop: Any) -> None:
    script = "trap '' TERM; echo loss=1; while true; do sleep 0.05; done"
    bench = workshop.bench(bash(script), Limits(grace_s=0.2))
    bench.start()
    bench.until_reported()
    bench.executor.stop(0)
    assert bench.finish().outcome is Outcome.PREEMPTED
    assert json.loads((bench.folder / "0" / "exit.json").read_text())["code"] == -9


def test_a_program_may_end_well_after_stop(workshop: Any) -> None:
    script = "trap 'echo saved; exit 0' TERM; echo loss=1; while :; do sleep 0.05; done"
    bench = workshop.bench(bash(script))
    bench.start()
    bench.until_reported()
    bench.executor.stop(0)
    assert bench.finish().outcome is Outcome.DONE


def test_kill_does_not_wait(workshop: Any) -> None:
    bench = workshop.bench(bash("trap '' TERM; echo loss=1; while :; do sleep 1; done"))
    bench.start()
    bench.until_reported()
    bench.executor.kill(0)
    assert bench.finish().outcome is Outcome.PREEMPTED


def test_stopping_what_has_ended_does_nothing(workshop: Any) -> None:
    bench = workshop.bench(["true"])
    bench.run()
    bench.executor.stop(0)
    bench.executor.kill(0)
    assert bench.exited() is not None


def test_the_time_limit_ends_a_trial(workshop: Any) -> None:
    exited = workshop.bench(["sleep", "1000"], Limits(time_s=0.2)).run()
    assert exited == Exited(0, Outcome.OUT_OF_TIME, "longer than the time limit", "")


def test_the_memory_limit_ends_a_trial(workshop: Any) -> None:
    program = "import time; block = bytearray(300 * 2**20); time.sleep(1000)"
    command = ["bash", "-c", f"{sys.executable} -c '{program}'; true"]
    exited = workshop.bench(command, Limits(memory_bytes=200 * 2**20)).run()
    assert exited.outcome is Outcome.OUT_OF_MEMORY
    assert exited.reason == "more than the memory limit"


def test_nothing_of_a_trial_outlives_it(workshop: Any, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = (
        f"sleep 1000 & echo $! >> {pids};"  # in its group
        f"setsid sleep 1000 & echo $! >> {pids};"  # in a session of its own
        f"(setsid bash -c 'echo $$ >> {pids}; sleep 1000 & echo $! >> {pids}; wait' &);"
        f"while [ $(wc -l < {pids}) -lt 4 ]; do sleep 0.01; done"
    )
    bench = workshop.bench(bash(script))
    assert bench.run().outcome is Outcome.DONE
    assert [gone(pid) for pid in pids_in(pids, 4)] == [True] * 4


def test_a_daemon_of_a_function_does_not_outlive_it(
    workshop: Any, tmp_path: Path
) -> None:
    path = str(tmp_path / "pids")

    def train(trial: Any) -> None:
        import os
        import time

        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                with open(path, "w") as file:
                    file.write(str(os.getpid()))
                time.sleep(1000)
            os._exit(0)
        while not os.path.exists(path):
            time.sleep(0.01)

    bench = workshop.bench(train)
    bench.run()
    [pid] = pids_in(tmp_path / "pids", 1)
    assert gone(pid)


def test_the_daemon_of_a_trial_that_runs_is_left_alone(
    workshop: Any, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    daemon = f"(setsid bash -c 'echo $$ >> {pids}; exec sleep 1000' &)"
    script = f"if [ $DANLU_TRIAL = 0 ]; then {daemon}; echo loss=1; exec sleep 1000; fi"
    bench = workshop.bench(bash(script), slots=2)
    bench.start(0)
    bench.until_reported(0)
    [pid] = pids_in(pids, 1)
    bench.run(1)
    assert psutil.pid_exists(pid)
    bench.executor.close()
    assert gone(pid)


def test_close_ends_everything(workshop: Any, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    bench = workshop.bench(bash(f"echo $$ >> {pids}; exec sleep 1000"), slots=2)
    bench.start(0)
    bench.start(1)
    started = pids_in(pids, 2)
    bench.executor.close()
    assert [gone(pid) for pid in started] == [True, True]


# Sharing the machine


def test_slots_run_at_once(workshop: Any, tmp_path: Path) -> None:
    other = f"{tmp_path}/$((1 - DANLU_TRIAL))/here"
    script = f"touch $DANLU_FOLDER/here; while [ ! -e {other} ]; do sleep 0.01; done"
    bench = workshop.bench(bash(script), slots=2)
    bench.start(0)
    bench.start(1)
    assert {bench.finish(n).outcome for n in (0, 1)} == {Outcome.DONE}


def test_gpus_are_handed_out(workshop: Any) -> None:
    script = "echo gpu $CUDA_VISIBLE_DEVICES; sleep 0.3"
    settings = {"slots": 3, "gpus": ["0", "1"], "gpus_per_trial": 0.5}
    bench = workshop.bench(bash(script), **settings)
    for number in range(3):
        bench.start(number)
    for number in range(3):
        bench.finish(number)
    texts = [bench.text(number) for number in range(3)]
    assert texts == ["gpu 0\n", "gpu 1\n", "gpu 0\n"]


def test_a_function_sees_its_gpu(workshop: Any) -> None:
    def train(trial: Any) -> int:
        import os

        return int(os.environ["CUDA_VISIBLE_DEVICES"])

    bench = workshop.bench(train, gpus=["5"])
    bench.run()
    assert bench.reports() == [Report(1, {"loss": 5.0})]


def test_cores_are_shared_out(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    bench = workshop.bench(bash("echo loss=$OMP_NUM_THREADS"), slots=1000)
    bench.run()
    assert bench.reports() == [Report(1, {"loss": 1.0})]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"slots": 0}, "slots is a whole number from 1"),
        ({"slots": 3, "gpus": ["0"]}, "enough for 1"),
        ({"pattern": "("}, "is no pattern"),
        ({"pattern": "loss"}, "has no group"),
        ({"workdir": "/no/such/folder"}, "is not a folder"),
    ],
)
def test_an_impossible_setting_is_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ExecutorError, match=message):
        Local(["true"], **settings)


@pytest.mark.parametrize("train", ["python train.py", [], 3, None])
def test_train_is_a_function_or_words(train: Any) -> None:
    with pytest.raises(ExecutorError, match="a Python function or a list of words"):
        Local(train)


# Crashes


def test_a_dead_process_server_fails_its_trials_and_is_replaced(workshop: Any) -> None:
    bench = workshop.bench(SLEEPER)
    bench.start(0)
    bench.until_reported(0)
    facts = json.loads((bench.folder / "0" / "process.json").read_text())
    os.kill(psutil.Process(facts["pid"]).ppid(), signal.SIGKILL)
    assert bench.finish(0).outcome is Outcome.FAILED
    assert gone(facts["pid"])
    bench.start(1)
    bench.until_reported(1)


def test_nothing_outlives_a_main_process_that_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    main = (
        "import danlu, pathlib, time\n"
        f"command = ['bash', '-c', 'echo $$ >> {pids}; sleep 1000 & echo $! >> {pids};"
        f" setsid sleep 1000 & echo $! >> {pids}; wait']\n"
        "executor = danlu.executors.Local(command, slots=2)\n"
        "for number in (0, 1):\n"
        f"    folder = pathlib.Path({str(tmp_path)!r}) / str(number)\n"
        "    trial = danlu.Trial(number, {})\n"
        "    launch = danlu.executors.Launch('s', trial, 'loss', folder)\n"
        "    executor.start(launch)\n"
        "while True:\n"
        "    executor.poll(print, 1.0)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", main])
    started = pids_in(pids, 6)
    server = psutil.Process(started[0]).ppid()
    process.kill()
    process.wait()
    assert [gone(pid) for pid in [*started, server]] == [True] * 7
    assert not (tmp_path / "0" / "exit.json").exists()


def test_a_trial_whose_loop_died_is_ended_and_its_reports_are_recovered(
    workshop: Any,
) -> None:
    script = """echo '{"step":1,"loss":2}' >> $DANLU_REPORT; exec sleep 1000"""
    bench = workshop.bench(bash(script))
    bench.start()
    bench.until_reported()
    pid = json.loads((bench.folder / "0" / "process.json").read_text())["pid"]
    other = workshop.bench(bash(script))
    [reported] = other.executor.recover(other.launch())
    assert reported.reports == (Report(1, {"loss": 2.0}),)
    assert gone(pid)


def test_an_end_that_nobody_heard_of_is_recovered(workshop: Any) -> None:
    command = bash("echo loss=0.5; exit 3")
    bench = workshop.bench(command)
    bench.run()
    other = workshop.bench(command)
    recovered = other.executor.recover(other.launch())
    assert recovered == bench.events


def test_the_end_of_an_earlier_attempt_is_none_of_this_one(workshop: Any) -> None:
    bench = workshop.bench(["true"])
    bench.run()
    assert bench.executor.recover(bench.launch(attempt=2)) == []


def test_a_process_that_only_has_the_same_number_is_left_alone(
    workshop: Any, tmp_path: Path
) -> None:
    bystander = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    bench = workshop.bench(["true"])
    bench.run()
    path = tmp_path / "0" / "process.json"
    facts = json.loads(path.read_text()) | {"pid": bystander.pid, "started_s": 1.0}
    path.write_text(json.dumps(facts))
    bench.executor.recover(bench.launch())
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_program_that_prints_for_ever_fails_before_it_fills_the_disk(
    workshop: Any,
) -> None:
    bench = workshop.bench(["yes"], Limits(output_bytes=1_000_000, grace_s=0.1))

    exited = bench.run()

    assert exited.outcome is Outcome.FAILED
    assert exited.reason == "printed more than the limit on its output"


def test_a_loop_that_polls_before_its_first_trial_can_start_one_later(
    workshop: Any,
) -> None:
    bench = workshop.bench(["echo", "step=1", "loss=0.5"])
    bench.executor.open()
    for _ in range(20):  # until the process server has said that it is ready
        bench.executor.poll(bench.events.append, 0.1)

    assert bench.run(x=0.5).outcome is Outcome.DONE
