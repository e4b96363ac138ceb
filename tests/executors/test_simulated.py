from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

import danlu
from danlu import State
from danlu.client import LiveTrial
from danlu.errors import ExecutorError
from danlu.executors import Inline, Outcome, Recording, Simulated
from danlu.schedulers import Asha, Full, Hyperband, Median, Scheduler
from danlu.testing import check_executor
from danlu.trial import Report, Trial
from tests.studies import bowl


def loss(x: float, step: int) -> float:
    return x**2 + (1 + math.sin(9 * x)) / step


def recorded(trial: Trial) -> Recording:
    x = float(trial.params["x"] or 0)
    losses = {step: loss(x, step) for step in range(1, 10)}
    return Recording.of("loss", losses, step_s=1 + x)


def run(study: danlu.Study, executor: danlu.Executor, folder: Path) -> danlu.History:
    with danlu.open(":memory:", folder) as project:
        return project.run(study, executor)


def one(steps: dict[int, float]) -> Callable[[Trial], Recording]:
    return lambda trial: Recording.of("loss", steps)


def test_it_holds_the_contract_of_an_executor(tmp_path: Path) -> None:
    steps = {1: 0.3, 2: 0.2, 3: 0.1}

    check_executor(lambda: Simulated(one(steps)), tmp_path)
    check_executor(lambda: Simulated(one(steps), slots=3), tmp_path)


@pytest.mark.parametrize(
    "scheduler",
    [Full(), Median(min_trials=2), Asha(), Hyperband()],
    ids=lambda own: type(own).__name__,
)
def test_a_simulated_study_is_the_real_one(
    scheduler: Scheduler, tmp_path: Path
) -> None:
    def train(trial: LiveTrial) -> None:
        for step in range(1, (trial.budget or 9) + 1):
            if not trial.report(step, loss=loss(float(trial.params["x"] or 0), step)):
                return

    study = bowl(scheduler=scheduler, trials=12, max_steps=9)

    real = run(study, Inline(train), tmp_path / "real")
    simulated = run(study, Simulated(recorded), tmp_path / "simulated")

    assert len(real.trials) == len(simulated.trials)
    for expected, found in zip(real.trials, simulated.trials, strict=True):
        assert expected.params == found.params
        assert expected.curves == found.curves
        assert (expected.state, expected.reason) == (found.state, found.reason)


def test_slots_share_the_work(tmp_path: Path) -> None:
    study = bowl(trials=8, max_steps=9)
    alone, four = Simulated(one({9: 0.1})), Simulated(one({9: 0.1}), slots=4)

    run(study, alone, tmp_path)
    run(study, four, tmp_path)

    assert (72.0, 72.0) == (alone.clock_s, alone.busy_s)
    assert (18.0, 72.0) == (four.clock_s, four.busy_s)
    assert alone.steps == four.steps == 72


def test_a_promoted_trial_pays_only_for_what_is_new(tmp_path: Path) -> None:
    steps = dict.fromkeys(range(1, 10), 0.1)
    study = bowl(scheduler=Asha(), trials=9, max_steps=9)
    executor = Simulated(one(steps))

    history = run(study, executor, tmp_path)

    assert executor.steps == executor.clock_s == sum(t.step for t in history.trials)


def test_a_recorded_end_is_the_end_of_the_trial(tmp_path: Path) -> None:
    reports = (Report(1, {"loss": 0.5}),)
    ended = Recording(reports, (1.0,), Outcome.OUT_OF_MEMORY, "too wide")

    history = run(bowl(trials=2), Simulated(lambda trial: ended), tmp_path)

    assert {State.INFEASIBLE} == {trial.state for trial in history.trials}
    assert "out of memory: too wide" == history.trials[0].reason


def test_a_faulty_recording_says_what_is_wrong() -> None:
    report = Report(1, {"loss": 0.5})

    with pytest.raises(ExecutorError, match="of 1 reports needs as many times, got 2"):
        Recording((report,), (1.0, 2.0))
    with pytest.raises(ExecutorError, match="times of a recording rise"):
        Recording((report, Report(2, {"loss": 0.5})), (2.0, 1.0))
    with pytest.raises(ExecutorError, match="needs slots >= 1, got 0"):
        Simulated(one({}), slots=0)
