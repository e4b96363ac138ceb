"""Trials in this process: a call for each, its reports delivered at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from danlu.errors import ExecutorError
from danlu.executors import Event, Exited, Inline, Launch, Outcome, Reported
from danlu.trial import Report, Trial


def launch(folder: Path, budget: int | None = None) -> Launch:
    trial = Trial(3, {"x": 0.5}, seed=7, budget=budget)
    return Launch("s", trial, "loss", folder / "s" / "3")


def events_of(train: Callable[[Any], Any], folder: Path) -> list[Event]:
    executor = Inline(train)
    executor.start(launch(folder))
    events: list[Event] = []
    executor.poll(events.append, 0.0)
    return events


def test_reports_come_one_by_one_and_then_the_exit(tmp_path: Path) -> None:
    def train(trial: Any) -> None:
        for step in (1, 2):
            trial.report(step, loss=trial.params["x"] / step)

    expected = [
        Reported(3, (Report(1, {"loss": 0.5}),)),
        Reported(3, (Report(2, {"loss": 0.25}),)),
        Exited(3, Outcome.DONE),
    ]
    assert events_of(train, tmp_path) == expected


@pytest.mark.parametrize(
    ("result", "metrics"),
    [(0.5, {"loss": 0.5}), ({"loss": 1, "time": 2}, {"loss": 1.0, "time": 2.0})],
)
def test_what_is_returned_is_reported(
    tmp_path: Path, result: object, metrics: dict[str, float]
) -> None:
    events = events_of(lambda trial: result, tmp_path)
    assert events == [Reported(3, (Report(1, metrics),)), Exited(3, Outcome.DONE)]


def test_what_is_returned_belongs_to_the_last_step(tmp_path: Path) -> None:
    def train(trial: Any) -> float:
        trial.report(8, other=1.0)
        return 0.5

    assert events_of(train, tmp_path)[1] == Reported(3, (Report(8, {"loss": 0.5}),))


@pytest.mark.parametrize("result", ["0.5", [0.5], True, {1: 0.5}, {"loss": None}])
def test_another_result_fails_with_a_clear_reason(
    tmp_path: Path, result: object
) -> None:
    [exited] = events_of(lambda trial: result, tmp_path)
    assert isinstance(exited, Exited)
    assert exited.outcome is Outcome.FAILED
    assert "return a number, a mapping of metric to number, or nothing" in exited.reason


def test_an_exception_is_a_failure_with_its_traceback(tmp_path: Path) -> None:
    [exited] = events_of(lambda trial: 1 / 0, tmp_path)
    assert isinstance(exited, Exited)
    assert exited.outcome is Outcome.FAILED
    assert exited.reason == "ZeroDivisionError: division by zero"
    assert exited.tail.startswith("Traceback")


class OutOfMemoryError(RuntimeError):
    """Bears the name that torch gives to its own."""


@pytest.mark.parametrize("error", [MemoryError(), OutOfMemoryError("CUDA")])
def test_no_memory_is_out_of_memory(tmp_path: Path, error: Exception) -> None:
    def train(trial: Any) -> None:
        raise error

    [exited] = events_of(train, tmp_path)
    assert isinstance(exited, Exited)
    assert exited.outcome is Outcome.OUT_OF_MEMORY


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(0, Outcome.DONE), (75, Outcome.PREEMPTED), (2, Outcome.FAILED)],
)
def test_sys_exit_ends_the_trial_alone(
    tmp_path: Path, code: int, outcome: Outcome
) -> None:
    def train(trial: Any) -> None:
        raise SystemExit(code)

    [exited] = events_of(train, tmp_path)
    assert isinstance(exited, Exited)
    assert exited.outcome is outcome


def test_ctrl_c_reaches_the_loop(tmp_path: Path) -> None:
    def train(trial: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        events_of(train, tmp_path)


def test_stop_makes_the_report_answer_false(tmp_path: Path) -> None:
    answers = []

    def train(trial: Any) -> None:
        answers.append(trial.report(1, loss=0.5))

    executor = Inline(train)
    executor.start(launch(tmp_path))
    executor.poll(lambda event: executor.stop(3), 0.0)
    assert answers == [False]


def test_kill_ends_the_function_in_its_report(tmp_path: Path) -> None:
    def train(trial: Any) -> None:
        while True:
            trial.report(1, loss=0.5)

    executor = Inline(train)
    executor.start(launch(tmp_path))
    events: list[Event] = []

    def deliver(event: Event) -> None:
        events.append(event)
        executor.kill(3)

    executor.poll(deliver, 0.0)
    assert events[-1] == Exited(3, Outcome.PREEMPTED, "stopped on request")


def test_a_report_is_in_the_file_before_it_is_delivered(tmp_path: Path) -> None:
    lines: list[object] = []

    def deliver(event: Event) -> None:
        text = (tmp_path / "s" / "3" / "reports.jsonl").read_text(encoding="utf-8")
        lines.append(json.loads(text))

    executor = Inline(lambda trial: 0.5)
    executor.start(launch(tmp_path))
    executor.poll(deliver, 0.0)
    assert lines[0] == {"step": 1, "loss": 0.5}


def test_what_was_reported_can_be_recovered(tmp_path: Path) -> None:
    events_of(lambda trial: 0.5, tmp_path)
    recovered = Inline(print).recover(launch(tmp_path))
    assert list(recovered) == [Reported(3, (Report(1, {"loss": 0.5}),))]


def test_only_a_function_can_be_run(tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match="Inline runs a Python function"):
        Inline("train.py")  # type: ignore[arg-type]
