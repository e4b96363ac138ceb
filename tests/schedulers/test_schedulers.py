from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from danlu.domain import Float
from danlu.errors import StudyError
from danlu.history import History
from danlu.metric import Metric
from danlu.schedulers import Full, Median, Scheduler, Start
from danlu.space import SearchSpace
from danlu.trial import Curve, State, Trial

SPACE = SearchSpace({"x": Float(0, 1)})
SCHEDULERS = [Full(), Median(), Median(min_steps=3, min_trials=2)]
every_scheduler = pytest.mark.parametrize("scheduler", SCHEDULERS, ids=str)


def trial(
    number: int,
    points: dict[int, float],
    state: State = State.COMPLETED,
    first_step: int = 0,
) -> Trial:
    curves = {"loss": Curve.of(points)} if points else {}
    return Trial(number, {"x": 0.5}, state, curves=curves, first_step=first_step)


def history(*trials: Trial, maximize: bool = False) -> History:
    return History(SPACE, Metric("loss", maximize), trials)


def verdict(judged: Trial, *others: Trial, **settings: Any) -> str:
    known = history(*others, judged)
    return Median(**settings).judge(judged, known).value


def others(*losses: float, step: int = 1) -> list[Trial]:
    return [trial(number, {step: loss}) for number, loss in enumerate(losses)]


@every_scheduler
def test_a_free_slot_gets_a_new_trial_of_full_length(scheduler: Scheduler) -> None:
    known = history(*others(0.1, 0.2))

    assert Start() == scheduler.next(known, np.random.default_rng(0))


@every_scheduler
def test_the_first_trial_is_never_stopped(scheduler: Scheduler) -> None:
    alone = trial(0, {1: 9.0, 5: math.nan}, State.RUNNING)

    assert "continue" == scheduler.judge(alone, history(alone)).value


@every_scheduler
def test_a_trial_without_the_metric_goes_on(scheduler: Scheduler) -> None:
    silent = trial(9, {}, State.RUNNING)

    known = history(*others(*[0.1] * 9), silent)

    assert "continue" == scheduler.judge(silent, known).value


def test_full_never_stops() -> None:
    worst = trial(9, {1: 9.0}, State.RUNNING)

    assert "continue" == Full().judge(worst, history(*others(*[0.1] * 9), worst)).value


def test_a_trial_above_the_median_is_stopped_and_one_at_it_goes_on() -> None:
    known = others(0.1, 0.2, 0.3, 0.4, 0.5)

    assert "stop" == verdict(trial(9, {1: 0.31}, State.RUNNING), *known)
    assert "continue" == verdict(trial(9, {1: 0.3}, State.RUNNING), *known)


def test_with_a_metric_to_maximize_a_trial_below_the_median_is_stopped() -> None:
    low = trial(9, {1: 0.29}, State.RUNNING)

    known = history(*others(0.1, 0.2, 0.3, 0.4, 0.5), low, maximize=True)

    assert "stop" == Median().judge(low, known).value


def test_nobody_is_stopped_before_enough_others_reached_the_step() -> None:
    far = others(0.1, 0.1, 0.1, 0.1, step=3)
    near = trial(4, {2: 0.1})

    assert "continue" == verdict(trial(9, {3: 0.9}, State.RUNNING), *far, near)
    assert "stop" == verdict(trial(9, {3: 0.9}, State.RUNNING), *far, trial(4, {3: 1}))


def test_nobody_is_stopped_before_the_least_number_of_steps() -> None:
    known = [trial(n, {1: 0.1, 3: 0.1}) for n in range(5)]
    settings = {"min_steps": 3}

    early = trial(9, {2: 0.9}, State.RUNNING)
    late = trial(9, {2: 0.9, 3: 0.9}, State.RUNNING)

    assert "continue" == verdict(early, *known, **settings)
    assert "stop" == verdict(late, *known, **settings)


def test_what_the_others_reached_later_does_not_count() -> None:
    known = [trial(n, {1: 0.9, 5: 0.1}) for n in range(5)]

    assert "continue" == verdict(trial(9, {1: 0.5}, State.RUNNING), *known)


def test_one_bad_evaluation_stops_nobody() -> None:
    known = [trial(n, {1: 0.5, 2: 0.4}) for n in range(5)]

    assert "continue" == verdict(trial(9, {1: 0.3, 2: 0.9}, State.RUNNING), *known)


def test_stopped_and_running_trials_count_as_far_as_they_came() -> None:
    known = [
        *(trial(n, {1: 0.1}, State.RUNNING) for n in range(3)),
        *(trial(n, {1: 0.1}, State.STOPPED) for n in range(3, 5)),
    ]

    assert "stop" == verdict(trial(9, {1: 0.5}, State.RUNNING), *known)


@pytest.mark.parametrize("settings", [{"min_steps": -1}, {"min_trials": 0}])
def test_a_faulty_setting_says_what_is_wrong(settings: Any) -> None:
    with pytest.raises(StudyError, match="Median needs min_steps >= 0"):
        Median(**settings)
