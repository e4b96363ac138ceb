"""The example programs, in several languages, do what the protocol asks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from danlu.executors import Outcome

PROGRAMS = Path(__file__).parents[2] / "examples" / "programs"


def steps_of_two_budgets(bench: Any, **params: Any) -> list[int]:
    """The steps reported by a trial with budget 3 that is resumed to budget 5."""
    launch = bench.launch(**params)
    for attempt, budget in ((1, 3), (2, 5)):
        trial = replace(launch.trial, budget=budget, attempt=attempt)
        bench.executor.start(replace(launch, trial=trial))
        bench.events.append(None)
        while bench.events[-1] is None or not hasattr(bench.events[-1], "outcome"):
            bench.executor.poll(bench.events.append, 10.0)
        assert bench.events.pop().outcome is Outcome.DONE, bench.text()
    told = [event.reports for event in bench.events if event is not None]
    return [report.step for reports in told for report in reports]


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def command_of(language: str, folder: Path) -> Sequence[str]:
    if language == "bash":
        return ["bash", str(PROGRAMS / "train.sh")]
    if language == "javascript":
        needs("node")
        return ["node", str(PROGRAMS / "train.js")]
    if language == "pytorch":
        pytest.importorskip("torch")
        return [sys.executable, str(PROGRAMS / "train_torch.py")]
    if language == "population":
        pytest.importorskip("torch")
        return [sys.executable, str(PROGRAMS / "train_population.py")]
    needs("g++")
    source, binary = str(PROGRAMS / "train.cpp"), str(folder / "train")
    subprocess.run(["g++", "-std=c++17", "-o", binary, source], check=True)
    return [binary]


@pytest.mark.parametrize(
    "language", ["bash", "javascript", "c++", "pytorch", "population"]
)
def test_a_program_runs_to_its_budget_and_goes_on_from_its_checkpoint(
    workshop: Any, tmp_path: Path, language: str
) -> None:
    bench = workshop.bench(command_of(language, tmp_path))
    assert steps_of_two_budgets(bench, lr=0.1, width=8) == [1, 2, 3, 4, 5]


def test_a_program_of_the_reference_trainer_goes_on_from_its_checkpoint(
    workshop: Any,
) -> None:
    pytest.importorskip("torch")
    bench = workshop.bench([sys.executable, str(PROGRAMS / "train_fit.py")])
    steps = steps_of_two_budgets(bench, lr=0.1, epochs=6, optimizer="nesterov")

    # What was saved is reported again: it may not have been before.
    assert [1, 2, 3, 4, 5] == sorted(set(steps))
    assert len(steps) <= 6
