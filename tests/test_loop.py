"""The flow of a study: what is started, what becomes of it, what is refused."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import danlu
from danlu import Float, Kind, State, settle
from danlu.client import LiveTrial
from danlu.errors import SamplerError, StudyHalted
from danlu.executors import Event, Executor, Exited, Inline, Launch, Outcome, Reported
from danlu.project import Project
from danlu.samplers import Fixed, Grid
from danlu.schedulers import Median
from danlu.storage.base import Claim
from danlu.storage.sql import open_storage
from danlu.trial import Report
from tests.studies import bowl as study

Train = Callable[[LiveTrial], object]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with danlu.open(tmp_path / "tuning.db") as opened:
        yield opened


def bowl(trial: LiveTrial) -> None:
    for step in (1, 2, 3):
        x = trial.params["x"]
        assert isinstance(x, float)
        if not trial.report(step, loss=x**2 + 1 / step):
            return


def states(history: danlu.History) -> Mapping[State, int]:
    return Counter(trial.state for trial in history.trials)


def test_every_trial_is_run_to_its_end_with_all_that_it_reported(
    project: Project,
) -> None:
    history = project.run(study(), Inline(bowl))

    assert states(history) == {State.COMPLETED: 10}
    assert [trial.number for trial in history.trials] == list(range(10))
    assert all(trial.step == 3 for trial in history.trials)
    assert all(
        trial.budget == 3 and trial.seconds is not None for trial in history.trials
    )
    assert history.best is min(history.trials, key=lambda t: t.curves["loss"].last)


def test_a_study_that_is_done_runs_nothing_more(project: Project) -> None:
    project.run(study(), Inline(bowl))

    history = project.run(study(), Inline(_never))

    assert len(history.trials) == 10


def _never(trial: LiveTrial) -> None:
    raise AssertionError("nothing was left to run")


def test_more_trials_of_the_same_study_continue_its_sequence(project: Project) -> None:
    project.run(study(trials=4), Inline(bowl))
    grown = project.run(study(trials=10), Inline(bowl))
    with danlu.open(":memory:") as other:
        whole = other.run(study(trials=10), Inline(bowl))

    assert [t.params for t in grown.trials] == [t.params for t in whole.trials]


def test_scientific_values_are_tried_evenly_each_with_its_own_sequence(
    project: Project,
) -> None:
    space = {"opt": danlu.Choice(["adam", "sgd"]), "x": Float(0, 1)}

    history = project.run(
        study(space=space, scientific=["opt"], trials=16), Inline(bowl)
    )

    by_arm = {
        opt: [t.params["x"] for t in history.trials if t.params["opt"] == opt]
        for opt in ("adam", "sgd")
    }
    assert [len(xs) for xs in by_arm.values()] == [8, 8]
    assert by_arm["adam"] != by_arm["sgd"]
    for xs in by_arm.values():  # 8 points of a net: one in each eighth
        assert sorted(int(8 * float(str(x))) for x in xs) == list(range(8))


def test_the_baseline_is_run_once_on_a_seed_of_its_own_and_never_stopped(
    project: Project,
) -> None:
    planned = study(baseline={"x": 1.0}, trials=8, scheduler=Median(1, 1))

    project.run(planned, Inline(bowl))
    history = project.run(planned, Inline(bowl))

    baselines = [t for t in history.trials if t.kind is Kind.BASELINE]
    assert [(t.params, t.state) for t in baselines] == [({"x": 1.0}, "completed")]
    assert len(history.trials) == 9
    assert len({trial.seed for trial in history.trials}) == 9
    assert State.STOPPED in states(history)


def test_a_stopped_trial_ends_early_and_says_why(project: Project) -> None:
    points = [{"x": 0.1}] * 5 + [{"x": 1.0}]
    planned = study(sampler=Fixed(points), trials=6, scheduler="median")

    stopped = project.run(planned, Inline(bowl)).trials[5]

    assert (stopped.state, stopped.step) == (State.STOPPED, 1)
    assert stopped.reason == "stopped early by median at step 1"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_diverged_trial_is_infeasible_ends_at_once_and_says_why(
    project: Project, bad: float
) -> None:
    def diverge(trial: LiveTrial) -> None:
        trial.report(1, loss=0.5, extra=math.nan)
        assert not trial.report(2, loss=bad)

    history = project.run(study(trials=2), Inline(diverge))

    assert states(history) == {State.INFEASIBLE: 2}
    assert history.trials[0].reason == f"diverged: loss is {bad} at step 2"
    assert history.best is None


def test_out_of_memory_is_infeasible(project: Project) -> None:
    def hungry(trial: LiveTrial) -> None:
        raise MemoryError("no room for 10 GiB")

    trial = project.run(study(trials=1), Inline(hungry)).trials[0]

    assert trial.state is State.INFEASIBLE
    assert "out of memory" in trial.reason
    assert "10 GiB" in trial.reason


def test_a_failed_trial_is_tried_again_on_the_same_params(project: Project) -> None:
    seen = []

    def flaky(trial: LiveTrial) -> None:
        seen.append((trial.number, trial.params["x"], trial.seed))
        if len(seen) == 1:
            raise OSError("the disk is away")
        bowl(trial)

    history = project.run(study(trials=2), Inline(flaky))

    assert seen[0] == seen[1]
    assert states(history) == {State.COMPLETED: 2}
    assert (history.trials[0].attempt, history.trials[0].failures) == (2, 1)


def test_a_study_halts_after_three_trials_failed_in_the_same_way(
    project: Project,
) -> None:
    def broken(trial: LiveTrial) -> None:
        raise ValueError(f"no file for trial {trial.number}")

    with pytest.raises(StudyHalted, match="trials 0, 1, 2 failed in the same way") as e:
        project.run(study(), Inline(broken))

    assert 'raise ValueError(f"no file' in str(e.value)  # the tail of the output
    assert states(project.history("bowl")) == {State.FAILED: 3}


def test_failures_of_different_kinds_do_not_halt_a_study(project: Project) -> None:
    kinds = [ValueError, OSError, KeyError]

    def broken(trial: LiveTrial) -> None:
        raise kinds[trial.number % 3]("broken")

    assert states(project.run(study(trials=6), Inline(broken))) == {State.FAILED: 6}


def test_a_program_that_never_reports_the_metric_has_failed(project: Project) -> None:
    def silent(trial: LiveTrial) -> None:
        trial.report(1, accuracy=0.9, f1=0.8)

    trial = project.run(study(trials=1), Inline(silent)).trials[0]

    assert trial.state is State.FAILED
    assert trial.reason == (
        "ended without reporting 'loss'; it reported 'accuracy', 'f1'"
    )


def test_a_grid_that_ends_before_the_study_leaves_no_gap(project: Project) -> None:
    planned = study(sampler=Grid(4), trials=10)

    history = project.run(planned, Inline(bowl))

    assert [trial.number for trial in history.trials] == [0, 1, 2, 3]
    assert project.holdings("bowl") == []


def test_a_grid_is_not_cut_into_arms(project: Project) -> None:
    adam, sgd = {"x": Float(0, 1)}, {"x": Float(0, 1), "m": Float(0, 1)}
    space = {"opt": danlu.Choice({"adam": adam, "sgd": sgd})}
    planned = study(space=space, scientific=["opt"], sampler=Grid(2), trials=20)

    history = project.run(planned, Inline(bowl))

    assert len(history.trials) == 2 + 4


def test_a_sampler_that_raises_loses_no_number(project: Project) -> None:
    planned = study(sampler=Fixed([{"x": 0.5}, {"y": 0.5}]))

    with pytest.raises(danlu.SpaceError):
        project.run(planned, Inline(bowl))

    assert [trial.number for trial in project.history("bowl").trials] == [0]
    assert project.holdings("bowl") == []


def test_queued_params_come_first(project: Project) -> None:
    planned = project.plan(study(trials=3))
    project.add(planned, {"x": 0.25})

    history = project.run(planned, Inline(bowl))

    assert history.trials[0].params == {"x": 0.25}
    assert states(history) == {State.COMPLETED: 3}


def test_an_ended_trial_can_be_run_again(project: Project) -> None:
    def broken(trial: LiveTrial) -> None:
        raise ValueError("broken")

    project.run(study(trials=1), Inline(broken))
    project.requeue("bowl", 0)

    history = project.run(study(trials=1), Inline(bowl))

    assert states(history) == {State.COMPLETED: 1}
    assert history.trials[0].reason == ""


def test_a_trial_stopped_from_outside_is_let_go(
    project: Project, tmp_path: Path
) -> None:
    seen = []

    def watched(trial: LiveTrial) -> None:
        for step in range(1, 200):
            if trial.number == 0 and step == 2:
                with danlu.open(tmp_path / "tuning.db") as other:
                    other.end("bowl", 0, "not needed")
            seen.append((trial.number, step))
            threading.Event().wait(0.01)
            if not trial.report(step, loss=1.0):
                return

    history = project.run(study(trials=1, max_steps=200), Inline(watched))

    assert history.trials[0].state is State.STOPPED
    assert history.trials[0].reason == "not needed"
    assert len(seen) < 150


def test_watchers_are_told_of_messages_and_of_the_end(project: Project) -> None:
    seen: list[danlu.Progress] = []

    project.run(study(trials=2), Inline(bowl), watch=seen.append)

    assert seen[-1].running == ()
    assert len(seen[-1].history.trials) == 2
    assert not any(progress.stopping for progress in seen)


@pytest.mark.parametrize("presses", [1, 2, 3])
def test_ctrl_c_leaves_a_study_that_can_be_continued(
    project: Project, presses: int
) -> None:
    def interrupted(trial: LiveTrial) -> None:
        if trial.number == 1 and trial.attempt == 1:
            for _ in range(presses):
                os.kill(os.getpid(), signal.SIGINT)
        bowl(trial)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        project.run(study(trials=4), Inline(interrupted))
    left = states(project.history("bowl"))
    history = project.run(study(trials=4), Inline(bowl))

    assert State.RUNNING not in left
    assert left[State.COMPLETED] == (2 if presses == 1 else 1)
    assert states(history) == {State.COMPLETED: 4}
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_ends_running_trials_and_exits_with_143(project: Project) -> None:
    def terminated(trial: LiveTrial) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        bowl(trial)

    with pytest.raises(SystemExit) as ended:
        project.run(study(trials=4), Inline(terminated))

    assert ended.value.code == 143
    assert states(project.history("bowl")) == {State.PAUSED: 1}
    assert project.history("bowl").trials[0].reason == "interrupted"


def test_an_unknown_sampler_is_named_before_anything_runs(project: Project) -> None:
    with pytest.raises(danlu.DanluError, match="did you mean 'random'"):
        project.run(study(sampler="randon"), Inline(_never))


def test_levels_for_unknown_names_are_refused(project: Project) -> None:
    with pytest.raises(SamplerError, match="'y'"):
        project.run(study(sampler=Grid({"y": 3})), Inline(_never))


class Asleep(Executor):
    """Reports of a trial that another loop has taken and begun again meanwhile."""

    slots = 2

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def __init__(self, database: str) -> None:
        self._database, self._polls = database, 0
        self.killed: list[int] = []

    def start(self, launch: Launch) -> None:
        pass

    def poll(self, deliver: Callable[[Event], None], wait_s: float) -> None:
        self._polls += 1
        if self._polls == 1:
            self._taken_by_another()
            deliver(Exited(0, Outcome.DONE))  # which lets the loop see what is new
        if self._polls > 2:
            raise KeyboardInterrupt
        deliver(Reported(1, (Report(self._polls, {"loss": 0.5}),)))

    def _taken_by_another(self) -> None:
        storage = open_storage(self._database)
        claim = Claim("elsewhere|b|0|1|1|x", 60.0)
        for held in storage.holdings(1):
            assert storage.take(1, held, claim)
            trial = storage.trial(1, held.number)
            assert trial is not None
            queued = settle.queued(trial, "it was asleep")
            begun = replace(
                queued, state=State.RUNNING, attempt=queued.attempt + 1, waiting=False
            )
            assert storage.move(1, trial, queued)
            assert storage.move(1, queued, begun, claim=claim)

    def stop(self, number: int) -> None:
        pass

    def kill(self, number: int) -> None:
        self.killed.append(number)

    def recover(self, launch: Launch) -> tuple[()]:
        return ()


def test_a_loop_that_was_asleep_does_not_report_for_who_took_its_trials(
    project: Project, tmp_path: Path
) -> None:
    executor = Asleep(str(tmp_path / "tuning.db"))

    with pytest.raises(KeyboardInterrupt):
        project.run(study(trials=2), executor)

    trial = project.history("bowl").trials[1]
    assert 1 in executor.killed
    assert (State.RUNNING, {}) == (trial.state, dict(trial.curves))
