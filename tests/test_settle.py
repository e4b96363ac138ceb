"""Beyond a limit a trial is infeasible; without the limit's metric it has failed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
from numpy.random import Generator

from danlu.errors import ReportError
from danlu.executors.base import Exited, Outcome
from danlu.history import History
from danlu.memory import Memory
from danlu.schedulers.base import Scheduler, Start, Verdict
from danlu.settle import ended, ending, told
from danlu.storage.sql import open_storage
from danlu.trial import Curve, State, Trial
from tests.studies import bowl

STUDY = bowl(constraints=["ms <= 20", "accuracy >= 0.9"])
DONE = Exited(0, Outcome.DONE)
GOOD = {"ms": {3: 10.0}, "accuracy": {1: 0.95}}


def trial(**curves: dict[int, float]) -> Trial:
    own = {"loss": {1: 0.5, 2: 0.3, 3: 0.4}, **curves}
    return Trial(0, {"x": 0.5}, curves={name: Curve.of(c) for name, c in own.items()})


def outcome(settled: Trial) -> tuple[State, str]:
    return settled.state, settled.reason


def test_a_trial_within_its_limits_is_completed() -> None:
    assert (State.COMPLETED, "") == outcome(ended(trial(**GOOD), DONE, STUDY))


@pytest.mark.parametrize(
    ("curves", "reason"),
    [
        ({"ms": {3: 31.0}}, "ms 31 > 20"),
        ({"accuracy": {3: 0.5}}, "accuracy 0.5 < 0.9"),
        ({"ms": {3: 31.0}, "accuracy": {3: 0}}, "ms 31 > 20, accuracy 0 < 0.9"),
        ({"ms": {2: 31.0, 3: 5.0}}, "ms 31 > 20"),  # step 2 has the best loss
    ],
)
def test_a_trial_beyond_a_limit_is_infeasible(
    curves: dict[str, Any], reason: str
) -> None:
    beyond = trial(**{**GOOD, **curves})

    assert (State.INFEASIBLE, reason) == outcome(ended(beyond, DONE, STUDY))
    assert (State.INFEASIBLE, reason) == outcome(
        told(beyond, STUDY, State.COMPLETED, "")
    )
    assert (State.INFEASIBLE, reason) == outcome(told(beyond, STUDY, State.STOPPED, ""))


def test_a_metric_that_never_came_is_a_mistake_in_the_program() -> None:
    silent = trial(ms={1: 10.0})

    once = ended(silent, DONE, STUDY)
    twice = ended(once, DONE, STUDY)

    assert State.RUNNING is once.state  # it is tried again
    assert State.FAILED is twice.state
    assert "without reporting 'accuracy'; it reported 'loss', 'ms'" in twice.reason
    with pytest.raises(ReportError, match="never reported 'accuracy': report it"):
        told(silent, STUDY, State.COMPLETED, "")


def test_a_stopped_trial_may_lack_the_metric_of_a_constraint() -> None:
    assert State.STOPPED is told(trial(), STUDY, State.STOPPED, "").state


@dataclass(frozen=True)
class Impatient(Scheduler):
    """Stops every trial at its first report."""

    def next(self, history: History, rng: Generator) -> Start:
        return Start()

    def judge(self, trial: Trial, history: History) -> Verdict:
        return Verdict.STOP


@pytest.mark.parametrize(
    ("ms", "state"),
    [(31.0, State.INFEASIBLE), (math.nan, State.INFEASIBLE), (10.0, State.STOPPED)],
)
def test_a_trial_stopped_early_is_infeasible_where_it_is_beyond_a_limit(
    ms: float, state: State
) -> None:
    memory = Memory(STUDY, open_storage(":memory:"), 1)
    curves = {"loss": Curve.of({1: 1}), "ms": Curve.of({1: ms})}
    early = Trial(0, {"x": 0.5}, curves=curves)
    memory.keep(early)

    found = ending(early, memory, Impatient(), early.reports)

    assert found is not None
    assert state is found[0]
