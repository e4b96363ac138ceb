from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from danlu.errors import StudyError
from danlu.schedulers import Asha, AshaStop, Resume, Start
from danlu.trial import Curve, Kind, State, Trial
from tests.schedulers.one_slot import jobs, known, paused

RNG = np.random.default_rng(0)


def running(number: int, points: dict[int, float]) -> Trial:
    return Trial(number, {"x": 0.5}, curves={"loss": Curve.of(points)})


def test_promotions_are_those_of_algorithm_2_worked_by_hand() -> None:
    # Li et al. (2020), the setting of section 3: nine trials, r = 1, R = 9, eta = 3;
    # with the delay of Li et al. (2022), so that 7 waits until nine have come to 1.
    losses = [3.0, 9.0, 9.0, 9.0, 9.0, 2.0, 9.0, 1.0, 9.0]

    done = jobs(Asha(), lambda n, step: losses[n], trials=9, max_steps=9)

    started = [(0, 1), (1, 1), (2, 1), (0, 3)]
    started += [(3, 1), (4, 1), (5, 1), (5, 3)]
    started += [(6, 1), (7, 1), (8, 1), (7, 3), (7, 9)]  # 7 leads both of its rungs
    assert started == done


def test_a_short_study_still_trains_somebody_to_the_end() -> None:
    done = jobs(Asha(), lambda n, step: n, trials=2, max_steps=9)

    assert [(0, 1), (1, 1), (0, 3), (0, 9)] == done


def test_the_highest_rung_with_somebody_to_promote_comes_first() -> None:
    high = [paused(n, 0.1 * n, budget=3) for n in range(3)]
    low = [paused(n, 0.1 * n) for n in range(3, 12)]

    assert Resume(0, 9) == Asha().next(known(*high, *low), RNG)


def test_a_promoted_trial_still_counts_in_the_rungs_that_it_left() -> None:
    promoted = replace(paused(0, 0.1), state=State.RUNNING, budget=3)
    others = [paused(1, 0.2), paused(2, 0.3)]

    assert Start(1) == Asha().next(known(promoted, *others), RNG)
    six = [*others, *(paused(n, 0.9) for n in range(3, 6))]
    assert Resume(1, 3) == Asha().next(known(promoted, *six), RNG)


def test_where_every_trial_is_better_than_the_last_one_in_three_goes_on() -> None:
    done = jobs(Asha(), lambda n, step: -n, trials=27, max_steps=9)

    went_on = {step: sum(own == step for _, own in done) for step in (1, 3, 9)}
    assert {1: 27, 3: 9, 9: 3} == went_on


def test_at_the_end_the_best_of_each_rung_does_not_wait() -> None:
    promoted = replace(paused(0, 0.3), budget=3, state=State.STOPPED)
    rests = [paused(1, 0.1), paused(2, 0.2), paused(3, 0.4)]
    history = replace(known(promoted, *rests), planned=4)

    assert Resume(1, 3) == Asha().next(history, RNG)


def test_a_trial_that_diverged_counts_in_its_rung_and_is_the_last_there() -> None:
    gone = Trial(0, {}, State.INFEASIBLE, budget=1, curves={"loss": Curve.of({})})

    assert Resume(1, 3) == Asha().next(known(gone, paused(1, 9), paused(2, 10)), RNG)


def test_nobody_is_promoted_where_all_diverged() -> None:
    lost = [replace(paused(n, math.nan), state=State.INFEASIBLE) for n in range(9)]

    assert Start(1) == Asha().next(known(*lost), RNG)


def test_failed_and_baseline_trials_take_no_part() -> None:
    others = [paused(0, 0.1), paused(1, 0.2)]
    failed = replace(paused(2, 0.3), state=State.FAILED)
    baseline = replace(paused(2, 0.3), state=State.COMPLETED, kind=Kind.BASELINE)

    assert Start(1) == Asha().next(known(*others, failed), RNG)
    assert Start(1) == Asha().next(known(*others, baseline), RNG)


def test_a_trial_in_the_queue_is_not_promoted_before_its_turn() -> None:
    waiting = replace(paused(0, 0.1), waiting=True)

    assert Start(1) == Asha().next(known(waiting, paused(1, 1), paused(2, 2)), RNG)


def test_a_trial_is_paused_once_the_metric_is_known_at_its_budget() -> None:
    at = replace(running(0, {1: 0.1, 3: 0.1}), budget=3)
    before = replace(running(0, {1: 0.1, 2: 0.1}), budget=3)
    silent = replace(before, curves={"train_loss": Curve.of({3: 0.1})})
    full = replace(at, budget=9, curves={"loss": Curve.of({9: 0.1})})

    verdicts = [Asha().judge(own, known(own)) for own in (at, before, silent, full)]
    assert ["pause", "continue", "continue", "continue"] == verdicts


def test_without_a_full_length_there_are_no_rungs() -> None:
    with pytest.raises(StudyError, match="Asha needs the length of a full training"):
        Asha().next(known(max_steps=None), RNG)


@pytest.mark.parametrize("settings", [{"min_steps": 0}, {"factor": 1}])
@pytest.mark.parametrize("own", [Asha, AshaStop])
def test_a_faulty_setting_says_what_is_wrong(own: Any, settings: Any) -> None:
    with pytest.raises(StudyError, match=f"{own.__name__} needs min_steps >= 1"):
        own(**settings)


def test_stopping_lets_the_top_third_of_a_rung_go_on() -> None:
    others = [running(n, {1: 0.1 * n}) for n in range(5)]

    verdicts = {
        loss: AshaStop().judge(running(9, {1: loss}), known(*others, own)).value
        for loss in (0.05, 0.15, 0.25)
        for own in [running(9, {1: loss})]
    }
    assert {0.05: "continue", 0.15: "stop", 0.25: "stop"} == verdicts


def test_stopping_is_decided_at_the_rungs_only_and_once() -> None:
    others = [running(n, dict.fromkeys(range(1, 10), 0.1)) for n in range(5)]
    bad = dict.fromkeys(range(1, 10), 0.9)

    stopped_at = []
    for step in range(1, 10):
        own = running(9, {at: bad[at] for at in range(1, step + 1)})
        if AshaStop().judge(own, known(*others, own)).value == "stop":
            stopped_at.append(step)

    assert [1, 3] == stopped_at


def test_the_first_to_reach_a_rung_goes_on() -> None:
    alone = running(0, {1: 9.0})

    assert "continue" == AshaStop().judge(alone, known(alone)).value
