from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from danlu.errors import StudyError
from danlu.schedulers import AsyncHyperband, Hyperband, Resume
from danlu.schedulers.hyperband import brackets
from danlu.trial import State, Trial
from tests.schedulers.one_slot import jobs, known, paused

RNG = np.random.default_rng(0)
BOTH = pytest.mark.parametrize("scheduler", [Hyperband(), AsyncHyperband()], ids=str)


def test_the_brackets_are_those_of_the_paper() -> None:
    # Li et al. (2018), Algorithm 1 with R = 81 and eta = 3
    expected = {
        4: [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        3: [(34, 3), (11, 9), (3, 27), (1, 81)],
        2: [(15, 9), (5, 27), (1, 81)],
        1: [(8, 27), (2, 81)],
        0: [(5, 81)],
    }

    found = {
        own.s: list(zip(own.sizes(own.trials), own.rungs, strict=True))
        for own in brackets(81, 1, 3)
    }
    assert expected == found


def test_brackets_of_a_shorter_training() -> None:
    # R = 27: s_max = 3
    expected = [(27, 1), (12, 3), (6, 9), (4, 27)]

    assert expected == [(own.trials, own.rungs[0]) for own in brackets(27, 1, 3)]


def test_what_is_run_is_the_table() -> None:
    done = jobs(Hyperband(), lambda n, step: n % 17, trials=49, max_steps=27)

    to = Counter(budget for _, budget in done)
    assert {1: 27, 3: 9 + 12, 9: 3 + 4 + 6, 27: 1 + 1 + 2 + 4} == to


def test_with_free_slots_the_next_bracket_begins_while_a_rung_fills() -> None:
    note = {"round": 0, "bracket": 2}
    running = [
        Trial(n, {"x": 0.5}, State.RUNNING, budget=1, scheduler_note=note)
        for n in range(9)
    ]

    choice = Hyperband().next(known(*running), RNG)

    assert choice is not None
    assert not isinstance(choice, Resume)
    assert {"round": 0, "bracket": 1} == choice.note


def test_a_trial_competes_within_its_bracket() -> None:
    bold = [paused(n, 0.1 * n) for n in range(3)]
    bold = [replace(own, scheduler_note={"bracket": 2}) for own in bold]
    careful = [paused(n, 5 + n, budget=3) for n in range(3, 6)]
    careful = [replace(own, scheduler_note={"bracket": 1}) for own in careful]
    gone_on = replace(bold[0], budget=3, curves=bold[0].curves)

    choice = AsyncHyperband().next(known(gone_on, *bold[1:], *careful), RNG)

    assert Resume(3, 9) == choice


def test_new_trials_go_to_the_brackets_as_the_table_says() -> None:
    trials: list[Trial] = []
    for number in range(60):
        choice = AsyncHyperband().next(known(*trials, max_steps=27), RNG)
        assert choice is not None
        assert not isinstance(choice, Resume)
        trials.append(Trial(number, {"x": 0.5}, scheduler_note=choice.note))

    begun = [own.scheduler_note["bracket"] for own in trials]
    assert [3] * 27 + [2] * 12 + [1] * 6 + [0] * 4 + [3] * 11 == begun


@BOTH
def test_a_study_shorter_than_a_round_trains_somebody_to_the_end(
    scheduler: Any,
) -> None:
    done = jobs(scheduler, lambda n, step: n, trials=5, max_steps=9)

    assert (0, 9) in done


@pytest.mark.parametrize("settings", [{"min_steps": 0}, {"factor": 1}])
@pytest.mark.parametrize("own", [Hyperband, AsyncHyperband])
def test_a_faulty_setting_says_what_is_wrong(own: Any, settings: Any) -> None:
    with pytest.raises(StudyError, match=f"{own.__name__} needs min_steps >= 1"):
        own(**settings)
