"""What a process knows of a study: everything once, its own unsaved reports too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from danlu import Choice, Float, State, Study
from danlu.domain import Domain
from danlu.errors import TrialError
from danlu.memory import Memory, arm_seed
from danlu.storage.base import Claim, Storage
from danlu.storage.sql import open_storage
from danlu.trial import Kind, Report, Trial

CLAIM = Claim("somebody", None)


def study(trials: int = 8) -> Study:
    space: dict[str, Domain] = {"opt": Choice(["adam", "sgd"]), "x": Float(0, 1)}
    return Study("s", "?", "loss", space, trials, scientific=["opt"])


def filled(storage: Storage, number: int, opt: str = "adam") -> Trial:
    """A running trial, written as another process would."""
    storage.reserve(1, Kind.SEARCH, CLAIM)
    trial = Trial(number, {"opt": opt, "x": number / 10}, index=number)
    storage.fill(1, trial)
    return trial


@pytest.fixture
def storage() -> Storage:
    opened = open_storage(":memory:")
    opened.add_study("s", {})
    return opened


@pytest.fixture
def memory(storage: Storage) -> Memory:
    return Memory(study(), storage, 1)


def test_what_others_wrote_is_known_after_a_refresh(
    memory: Memory, storage: Storage
) -> None:
    filled(storage, 0)
    storage.report(1, 0, 1, [Report(1, {"loss": 0.5})])
    with pytest.raises(TrialError, match="no trial 0 in study 's'; it has none yet"):
        memory.trial(0)

    memory.refresh()

    assert memory.trial(0).params == {"opt": "adam", "x": 0.0}
    assert memory.trial(0).curves["loss"].last == 0.5


def test_a_curve_grows_by_what_is_new(memory: Memory, storage: Storage) -> None:
    filled(storage, 0)
    for step, loss in ((1, 0.5), (3, 0.3), (2, 0.4), (3, 0.2)):
        storage.report(1, 0, 1, [Report(step, {"loss": loss})])
        memory.refresh()

    curve = memory.trial(0).curves["loss"]

    assert (curve.steps.tolist(), curve.values.tolist()) == ([1, 2, 3], [0.5, 0.4, 0.2])


def test_reports_that_are_not_saved_survive_news_of_others(
    memory: Memory, storage: Storage
) -> None:
    filled(storage, 0)
    memory.refresh()
    memory.hold(0, [Report(2, {"loss": 0.4})])
    filled(storage, 1)
    storage.report(1, 0, 1, [Report(1, {"loss": 0.5}), Report(2, {"loss": 9.0})])

    memory.refresh()

    assert memory.trial(0).curves["loss"].values.tolist() == [0.5, 0.4]
    assert memory.unsaved == [0]
    assert memory.take_unsaved(0) == [Report(2, {"loss": 0.4})]
    assert memory.unsaved == []


def test_trials_are_in_order_of_number_in_whatever_order_they_came(
    memory: Memory,
) -> None:
    for number in (3, 0, 2):
        memory.keep(Trial(number, {"opt": "sgd", "x": 0.5}))

    assert [trial.number for trial in memory.history().trials] == [0, 2, 3]
    with pytest.raises(TrialError, match="no trial 1 in study 's'; it has 0 to 3"):
        memory.trial(1)


def test_an_arm_has_its_own_trials_space_and_seed(memory: Memory) -> None:
    for number, opt in enumerate(("adam", "sgd", "sgd")):
        memory.keep(Trial(number, {"opt": opt, "x": 0.5}))
    memory.keep(Trial(3, {"opt": "rmsprop", "x": 0.5}))  # outside the space

    arms = [memory.arm_history(place, position=7) for place in (0, 1)]

    assert [[t.number for t in arm.trials] for arm in arms] == [[0], [1, 2]]
    assert [len(arm.space) for arm in arms] == [1, 1]
    assert [arm.seed for arm in arms] == [arm_seed(0, 0), arm_seed(0, 1)]
    assert len({arm.seed for arm in arms}) == 2
    assert [arm.position for arm in arms] == [7, 7]
    assert memory.arm_of(3) is None


def test_waiting_trials_are_those_in_the_queue_oldest_first(memory: Memory) -> None:
    running = Trial(5, {"opt": "sgd", "x": 0.5})
    waiting = replace(running, state=State.PAUSED, waiting=True)
    for trial in (waiting, replace(waiting, number=2), replace(waiting, number=9)):
        memory.keep(trial)
    memory.keep(replace(running, number=9))
    memory.keep(replace(waiting, number=7, waiting=False))

    assert [trial.number for trial in memory.waiting()] == [2, 5]


def test_the_baseline_is_known_by_its_kind(memory: Memory) -> None:
    memory.keep(Trial(0, {"opt": "sgd", "x": 0.5}))
    before = memory.has(Kind.BASELINE)
    memory.keep(Trial(1, {"opt": "sgd", "x": 0.5}, kind=Kind.BASELINE))

    assert (before, memory.has(Kind.BASELINE)) == (False, True)
