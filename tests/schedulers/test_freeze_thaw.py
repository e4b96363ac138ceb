"""Who is thawed, who is stopped, and that it pays."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from danlu.errors import StudyError
from danlu.history import History
from danlu.ledger import Ledger
from danlu.metric import Metric
from danlu.schedulers import (
    Asha,
    CurveStop,
    FreezeThaw,
    Full,
    Resume,
    Scheduler,
    Start,
    Verdict,
)
from danlu.space import Array
from danlu.trial import Curve, State, Trial
from tests.schedulers.one_slot import SPACE, jobs, known

RNG = np.random.default_rng(0)
FULL = 27
T = np.arange(1.0, FULL + 1.0)


def along(number: int, low: float, last: int, state: State = State.PAUSED) -> Trial:
    """A trial on the curve low + 0.5 / t."""
    curve = Curve.of({step: low + 0.5 / step for step in range(1, last + 1)})
    return Trial(
        number, {"x": 0.5}, state, index=number, budget=last, curves={"loss": curve}
    )


def asked(*trials: Trial, planned: int | None = None) -> object:
    return FreezeThaw().next(known(*trials, max_steps=FULL, planned=planned), RNG)


def test_the_first_three_are_new() -> None:
    assert Start(1) == asked()
    assert Start(1) == asked(along(0, 0.1, 1), along(1, 0.2, 1))


def test_the_trial_that_may_get_the_lowest_goes_on_to_the_next_piece() -> None:
    frozen = [along(0, 0.4, 3), along(1, 0.2, 3), along(2, 0.6, 3)]

    assert Resume(1, 5) == asked(*frozen, planned=3)


def test_a_trial_that_is_behind_but_falls_faster_is_thawed() -> None:
    ended = [along(n, 0.3 + 0.01 * n, FULL, State.COMPLETED) for n in range(6)]
    flat = replace(along(6, 0.0, 3), curves={"loss": Curve.of({1: 0.34, 3: 0.34})})
    steep = replace(
        along(7, 0.0, 3), curves={"loss": Curve.of({1: 1.4, 2: 0.8, 3: 0.5})}
    )

    assert Resume(7, 5) == asked(*ended, flat, steep, planned=8)


def test_once_no_more_are_to_come_who_has_no_chance_is_left() -> None:
    ended = [along(n, 0.1 + 0.01 * n, FULL, State.COMPLETED) for n in range(6)]
    behind = [along(n, 0.9, 14) for n in range(6, 9)]

    assert None is asked(*ended, *behind, planned=9)


def test_new_trials_get_one_of_the_four_rungs_shares() -> None:
    few = [along(n, 0.1 * n, 5) for n in range(4)]  # 4 of their 20 steps are first ones
    many = [along(n, 0.1 * n, 3) for n in range(4)]  # 4 of 12

    assert Start(1) == asked(*few)
    assert Resume(0, 5) == asked(*many)


def test_running_waiting_and_diverged_trials_are_not_thawed() -> None:
    frozen = [along(0, 0.5, 3), along(1, 0.4, 3)]
    running = replace(along(2, 0.1, 3), state=State.RUNNING)
    waiting = replace(along(2, 0.1, 3), waiting=True)
    diverged = replace(along(2, 0.1, 3), state=State.INFEASIBLE)

    found = [asked(*frozen, own, planned=3) for own in (running, waiting, diverged)]
    numbers = {own.number for own in found if isinstance(own, Resume)}
    assert numbers <= {0, 1}
    assert Resume(1, 5) == found[-1]


def test_a_short_study_trains_somebody_to_the_end() -> None:
    done = jobs(FreezeThaw(), lambda n, step: n + 1 / step, trials=2, max_steps=9)

    assert (0, 9) in done


def test_trials_that_are_all_the_same_are_trained_too() -> None:
    done = jobs(FreezeThaw(), lambda n, step: 1.0, trials=4, max_steps=9)

    assert {0, 1, 2, 3} == {number for number, _ in done}
    assert 9 == max(budget for _, budget in done)


def test_nothing_is_left_to_do_where_all_diverged() -> None:
    done = jobs(FreezeThaw(), lambda n, step: math.nan, trials=5, max_steps=9)

    assert [(number, 1) for number in range(5)] == done


@pytest.mark.parametrize("own", [FreezeThaw, CurveStop])
def test_both_need_the_length_of_a_full_training(own: Any) -> None:
    with pytest.raises(StudyError, match=f"{own.__name__} needs the length"):
        own().rungs(known(max_steps=None))


@pytest.mark.parametrize("settings", [{"chance": 0.0}, {"top": 0}, {"min_trials": 0}])
def test_a_faulty_setting_says_what_is_wrong(settings: Any) -> None:
    with pytest.raises(StudyError, match="CurveStop needs"):
        CurveStop(**settings)
    with pytest.raises(StudyError, match="FreezeThaw needs min_steps >= 1"):
        FreezeThaw(min_steps=0)


def verdict(own: Trial, *others: Trial, rule: CurveStop | None = None) -> str:
    history = known(*others, own, max_steps=FULL)
    return (rule or CurveStop()).judge(own, history).value


def test_a_curve_without_a_chance_is_stopped_and_only_where_it_is_looked_at() -> None:
    others = [along(n, 0.1 + 0.02 * n, FULL, State.COMPLETED) for n in range(6)]
    bad = {last: along(9, 0.9, last, State.RUNNING) for last in (9, 10, 11)}

    verdicts = [verdict(own, *others) for own in bad.values()]
    assert ["continue", "stop", "continue"] == verdicts


def test_too_few_others_stop_nobody() -> None:
    others = [along(n, 0.1, FULL, State.COMPLETED) for n in range(4)]
    bad = along(9, 0.9, 10, State.RUNNING)

    assert "continue" == verdict(bad, *others)
    assert "stop" == verdict(bad, *others, rule=CurveStop(min_trials=4))


def test_whoever_may_come_among_the_top_goes_on() -> None:
    others = [along(n, 0.05 + 0.15 * n, FULL, State.COMPLETED) for n in range(6)]
    middling = along(9, 0.4, 10, State.RUNNING)

    assert "stop" == verdict(middling, *others)
    assert "continue" == verdict(middling, *others, rule=CurveStop(top=5))


def test_the_end_of_a_training_is_not_stopped() -> None:
    others = [along(n, 0.1, FULL, State.COMPLETED) for n in range(6)]

    assert "continue" == verdict(along(9, 0.9, FULL, State.RUNNING), *others)


# Studies with a known truth: curves of random trials, of which one is the best.


def mixed(rng: Generator) -> Array:
    """Power laws of many speeds: who leads early is often not the best."""
    speed = rng.uniform(0.2, 1.5)
    return np.asarray(
        rng.gamma(2.0, 0.15) + rng.uniform(0.3, 1.0) * T**-speed + 0.02 * speed
    )


def trained(scheduler: Scheduler, curves: Array, trainings: float) -> Ledger:
    """A study on those curves that takes the steps of so many full trainings."""
    ledger, left = Ledger(), round(trainings * FULL)
    history = History(SPACE, Metric("loss"), ledger, max_steps=FULL)
    while left > 0:
        choice = scheduler.next(history, RNG)
        assert choice is not None
        number = choice.number if isinstance(choice, Resume) else len(ledger)
        own = ledger.find(number) or Trial(number, {"x": 0.5}, index=number)
        first = own.step
        own = replace(own, state=State.RUNNING, budget=choice.budget or FULL)
        state = State.COMPLETED
        for last in range(first + 1, (choice.budget or FULL) + 1):
            curve = Curve(np.arange(1, last + 1), curves[number, :last])
            own = own.with_curves({"loss": curve})
            ledger.keep(own)
            said = scheduler.judge(own, history)
            if said is not Verdict.CONTINUE:
                state = State.PAUSED if said is Verdict.PAUSE else State.STOPPED
                break
        ledger.keep(replace(own, state=state))
        left -= own.step - first
    return ledger


def mean_best(
    scheduler: Scheduler,
    family: Callable[[Generator], Array],
    *,
    trainings: float,
    studies: int = 3,
) -> float:
    found = []
    for study in range(studies):
        rng = np.random.default_rng(study)
        losses = np.array([family(rng) for _ in range(400)])
        ledger = trained(scheduler, losses, trainings)
        found.append(min(own.curves["loss"].values.min() for own in ledger))
    return float(np.mean(found))


def test_thawing_finds_better_than_asha_and_full_trainings() -> None:
    own = mean_best(FreezeThaw(), mixed, trainings=8)

    assert own < mean_best(Asha(), mixed, trainings=8)
    assert own < mean_best(Full(), mixed, trainings=8)


def test_stopping_by_curves_finds_better_than_full_trainings() -> None:
    own = mean_best(CurveStop(), mixed, trainings=10)

    assert own < mean_best(Full(), mixed, trainings=10)
