from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from danlu.errors import StudyError
from danlu.schedulers import Resume, Start, SuccessiveHalving
from danlu.schedulers.rungs import rungs
from danlu.trial import State, Trial
from tests.schedulers.one_slot import jobs, known, paused

RNG = np.random.default_rng(0)
NOTE = {"round": 0, "bracket": 2}


def member(number: int, loss: float, budget: int = 1) -> Trial:
    return replace(paused(number, loss, budget), scheduler_note=NOTE)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((81, 1, 3), (1, 3, 9, 27, 81)),
        ((256, 1, 4), (1, 4, 16, 64, 256)),  # Li et al. (2020), section 4.1
        ((52, 1, 3), (2, 6, 17, 52)),
        ((52, 4, 3), (6, 17, 52)),
        ((2, 1, 3), (2,)),
        ((2, 5, 3), (2,)),
    ],
)
def test_rungs_go_down_from_the_full_length(facts: Any, expected: Any) -> None:
    assert expected == rungs(*facts)


def test_rungs_rise_whatever_the_full_length() -> None:
    for full in range(1, 500):
        for factor in (2, 3, 4, 5):
            found = rungs(full, 1, factor)
            assert found == tuple(sorted(set(found)))
            assert found[0] >= 1
            assert found[-1] == full


def test_a_round_runs_nine_then_three_then_one() -> None:
    done = jobs(SuccessiveHalving(), lambda n, step: n % 7, trials=9, max_steps=9)

    first = [(n, 1) for n in range(9)]
    assert [*first, (0, 3), (7, 3), (1, 3), (0, 9)] == done


def test_a_rung_waits_for_all_of_its_trials() -> None:
    round_ = [member(n, 0.1 * n) for n in range(9)]
    round_[8] = replace(round_[8], state=State.RUNNING, curves={})

    waits = SuccessiveHalving().next(known(*round_, planned=9), RNG)
    another = SuccessiveHalving().next(known(*round_, planned=18), RNG)

    assert waits is None
    assert Start(1, note={"round": 1, "bracket": 2}) == another


def test_a_failed_trial_is_replaced() -> None:
    round_ = [member(n, 0.1 * n) for n in range(9)]
    round_[8] = replace(round_[8], state=State.FAILED)

    assert Start(1, note=NOTE) == SuccessiveHalving().next(known(*round_), RNG)


def test_diverged_trials_are_not_promoted() -> None:
    done = jobs(
        SuccessiveHalving(),
        lambda n, step: math.nan if n else 1.0,
        trials=9,
        max_steps=9,
    )

    assert [(0, 3), (0, 9)] == done[9:]


def test_the_last_round_makes_do_with_the_trials_that_are_left() -> None:
    done = jobs(SuccessiveHalving(), lambda n, step: -n, trials=13, max_steps=9)

    assert [(12, 3), (12, 9)] == done[-2:]
    assert 9 + 3 + 1 + 4 + 1 + 1 == len(done)


def test_who_was_stopped_by_hand_is_not_waited_for() -> None:
    round_ = [member(n, 0.1 * n) for n in range(9)]
    round_[0] = replace(round_[0], state=State.STOPPED)

    assert Resume(1, 3) == SuccessiveHalving().next(known(*round_), RNG)


@pytest.mark.parametrize("trials", [0, -1])
def test_a_round_of_nobody_is_refused(trials: int) -> None:
    with pytest.raises(StudyError, match=f"needs trials >= 1, got {trials}"):
        SuccessiveHalving(trials)
