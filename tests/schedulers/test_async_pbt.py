"""Population-based training without generations: who is replaced, and who waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import danlu
from danlu import State
from danlu.errors import StudyError
from danlu.executors import Inline, Local, Simulated
from danlu.executors.simulated import Recording
from danlu.project import Project
from danlu.schedulers import AsyncPbt, Pbt, Resume, Scheduler, Start
from danlu.trial import Curve, Trial
from tests.schedulers.one_slot import known
from tests.schedulers.test_pbt import STEPS, check_lineage, expected_loss, noisy, train

FIVE = AsyncPbt(population=5, interval=10)
RNG = np.random.default_rng(0)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with danlu.open(tmp_path / "tuning.db", tmp_path) as opened:
        yield opened


def member(
    number: int, loss: float, step: int, state: State = State.PAUSED, ahead: int = 0
) -> Trial:
    """A member with one loss at all steps, which runs `ahead` of its last report."""
    curve = Curve.of(dict.fromkeys(range(10, step + 1, 10), loss))
    return Trial(
        number,
        {"x": 0.5},
        state,
        budget=step + ahead,
        scheduler_note={"member": number, "after": -1},
        curves={"loss": curve},
    )


def runs(number: int, loss: float, step: int) -> Trial:
    return member(number, loss, step, State.RUNNING, ahead=10)


def chosen(*trials: Trial, planned: int | None = None) -> Start | Resume | None:
    history = known(*trials, max_steps=100, planned=planned)
    return FIVE.next(history, np.random.default_rng(0))


def test_who_is_early_goes_on_though_others_are_not_there_yet() -> None:
    early = member(4, 0.9, 10)

    assert Resume(4, 20) == chosen(*(runs(n, 0.1, 0) for n in range(4)), early)


def test_the_last_of_those_who_came_so_far_goes_on_from_where_the_first_is() -> None:
    others = [member(0, 0.1, 30), *(runs(n, 0.5, 20) for n in (1, 2, 3))]

    choice = chosen(*others, member(4, 0.9, 10))

    assert isinstance(choice, Start)
    assert (choice.parent, choice.budget) == (0, 40)
    assert choice.note == {"member": 4, "after": 4}


def test_a_parent_that_runs_is_waited_for_and_nobody_else_is() -> None:
    first, last, another = runs(0, 0.1, 20), member(4, 0.9, 10), member(3, 0.5, 20)
    others = [runs(n, 0.5, 20) for n in (1, 2)]

    assert Resume(3, 30) == chosen(first, *others, another, last)
    assert chosen(first, *others, runs(3, 0.5, 20), last) is None


def test_who_is_further_on_is_compared_at_the_step_of_who_is_behind() -> None:
    falling = replace(member(0, 0.0, 20), curves={"loss": Curve.of({10: 0.9, 20: 0.1})})
    others = [runs(n, 0.5, 20) for n in (1, 2, 3)]

    choice = chosen(falling, *others, member(4, 0.8, 10))

    assert Resume(4, 20) == choice  # at step 10 it is not the last


def test_who_died_is_replaced_and_counts_as_the_last() -> None:
    dead = member(4, 0.1, 10, State.INFEASIBLE)
    others = [member(0, 0.1, 10), *(runs(n, 0.5, 10) for n in (1, 2, 3))]

    choice = chosen(*others, dead)

    assert isinstance(choice, Start)
    assert (choice.parent, choice.note["member"]) == (0, 4)


def test_children_come_before_their_parents_go_on() -> None:
    others = [member(0, 0.1, 10), *(runs(n, 0.5, 10) for n in (1, 2, 3))]

    assert isinstance(chosen(*others, member(4, 0.9, 10)), Start)


def test_a_parent_that_has_ended_is_nobodys_any_more() -> None:
    done = member(0, 0.1, 100, State.COMPLETED)
    others = [runs(n, 0.5, 20) for n in (1, 2, 3)]

    assert Resume(4, 20) == chosen(done, *others, member(4, 0.9, 10))


def test_when_the_trials_are_used_up_all_train_on() -> None:
    others = [member(0, 0.1, 30), *(runs(n, 0.5, 20) for n in (1, 2, 3))]

    assert Resume(4, 20) == chosen(*others, member(4, 0.9, 10), planned=5)


def test_when_all_have_died_a_member_is_begun_anew() -> None:
    dead = [member(n, 0.5, 10, State.INFEASIBLE) for n in range(5)]

    assert Start(10, note={"member": 0, "after": 0}) == chosen(*dead)


def test_a_schedule_is_found_that_beats_every_fixed_value(project: Project) -> None:
    fixed = min(expected_loss([lr] * STEPS) for lr in np.geomspace(1e-3, 1, 500))

    history = project.run(noisy(AsyncPbt(population=8, interval=2)), Inline(train))

    best = min(history.loss(t) or 9 for t in history.trials if t.step == STEPS)
    assert best < 0.75 * fixed
    check_lineage(project, history)


def test_lineages_hold_with_several_slots(project: Project) -> None:
    study = noisy(AsyncPbt(population=5, interval=5))

    history = project.run(study, Local(train, slots=2))

    check_lineage(project, history)
    assert any(trial.parent is not None for trial in history.trials)
    ends = Counter(trial.state for trial in history.trials)
    assert ends[State.COMPLETED] + ends[State.STOPPED] == len(history.trials)
    assert ends[State.COMPLETED] == 5


@pytest.mark.parametrize(("scheduler", "waits"), [(FIVE, False), (None, True)])
def test_a_slow_member_holds_nobody_up(
    project: Project, scheduler: Scheduler | None, waits: bool
) -> None:
    """The first member takes ten times as long; each has a slot of its own."""
    ends_s: dict[int, float] = {}

    def record(trial: Trial) -> Recording:
        step_s = 10.0 if trial.number == 0 else 1.0
        curve = {s: trial.number + 1 / s for s in range(1, STEPS + 1)}
        return Recording.of("loss", curve, step_s)

    executor = Simulated(record, slots=5)
    study = noisy(scheduler or Pbt(population=5, interval=10), trials=5)

    def watch(progress: danlu.Progress) -> None:
        for trial in progress.history.trials:
            if trial.state.ended:
                ends_s.setdefault(trial.number, executor.clock_s)

    project.run(study, executor, watch=watch)

    assert ends_s[0] == pytest.approx(400.0)
    assert (ends_s[4] > 100.0) is waits


@pytest.mark.parametrize(
    "settings", [{"population": 1}, {"share": 0.6}, {"interval": 0}, {"resample": 2.0}]
)
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(StudyError, match="AsyncPbt needs"):
        AsyncPbt(**settings)  # type: ignore[arg-type]
