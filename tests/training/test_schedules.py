from __future__ import annotations

import math
import pickle
from collections.abc import Callable

import pytest
import torch

from danlu.training import schedules
from danlu.training.schedules import (
    Constant,
    Cosine,
    Exponential,
    Hold,
    Linear,
    Pieces,
    Polynomial,
    Restarts,
    Schedule,
    ScheduleEnd,
    Step,
    Triangular,
    Warmup,
    exp_range,
    one_cycle,
    one_cycle_momentum,
    one_cycle_three_phase,
    triangular2,
    warmup_stable_decay,
)

PEAK = 0.4
ENDING: dict[str, Schedule] = {
    "constant": Constant(PEAK, steps=100),
    "linear": Linear(PEAK, steps=100),
    "linear after a hold": Linear(PEAK, steps=100, hold=30),
    "cosine": Cosine(PEAK, steps=100),
    "polynomial": Polynomial(PEAK, steps=100, power=3),
    "exponential": Exponential(PEAK, factor=0.9, steps=100),
    "step": Step(PEAK, at=(30, 60), steps=100),
    "triangular": Triangular(0.0, PEAK, half_cycle=10, steps=100),
    "triangular2": triangular2(0.0, PEAK, half_cycle=10, steps=100),
    "exp_range": exp_range(0.0, PEAK, half_cycle=10, gamma=0.99, steps=100),
    "restarts": Restarts(PEAK, period=20, steps=100),
    "growing restarts": Restarts(PEAK, period=10, multiply=2, steps=70),
    "one-cycle": one_cycle(PEAK, steps=100),
    "one-cycle, three phases": one_cycle_three_phase(PEAK, steps=100),
    "warm-up and cosine": Warmup(10, Cosine(PEAK, steps=90)),
    "warm-up, stable, decay": warmup_stable_decay(PEAK, 100, warmup=10, decay=20),
}
every_schedule = pytest.mark.parametrize("schedule", ENDING.values(), ids=ENDING)


def values(schedule: Schedule) -> list[float]:
    return [schedule(step) for step in range(int(schedule.steps))]


@every_schedule
def test_no_value_is_negative_or_above_the_peak(schedule: Schedule) -> None:
    assert all(0 <= value <= PEAK for value in values(schedule))


@every_schedule
def test_the_peak_is_reached(schedule: Schedule) -> None:
    reached = max(values(schedule))

    assert reached == pytest.approx(PEAK, rel=0.1)  # exp_range has fallen by then


@every_schedule
def test_a_step_past_the_end_is_an_error(schedule: Schedule) -> None:
    for step in (int(schedule.steps), int(schedule.steps) + 1000, -1):
        with pytest.raises(ScheduleEnd):
            schedule(step)


@every_schedule
def test_hold_keeps_the_last_value(schedule: Schedule) -> None:
    last = schedule(int(schedule.steps) - 1)

    assert [last, last] == [Hold(schedule)(step) for step in (100, 10**6)]


@every_schedule
def test_a_stretched_schedule_ends_at_the_new_length(schedule: Schedule) -> None:
    longer = schedule.stretched(250)

    assert 250 == longer.steps
    assert all(0 <= value <= PEAK for value in values(longer))


@every_schedule
def test_stretching_to_the_same_length_changes_nothing(schedule: Schedule) -> None:
    assert schedule == schedule.stretched(int(schedule.steps))


@every_schedule
def test_a_schedule_can_be_pickled(schedule: Schedule) -> None:
    again = pickle.loads(pickle.dumps(schedule))

    assert values(schedule) == values(again)


@every_schedule
def test_a_schedule_tells_how_it_is_made(schedule: Schedule) -> None:
    again = eval(repr(schedule), vars(schedules))

    assert schedule == again


def test_cosine_is_torch_s() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.4)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50, eta_min=0.01)
    ours = Cosine(0.4, steps=50, end=0.01)
    for step in range(50):
        assert theirs.get_last_lr()[0] == pytest.approx(ours(step))
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    ("mode", "ours"),
    [
        ("triangular", Triangular(0.1, 0.5, half_cycle=4)),
        ("triangular2", triangular2(0.1, 0.5, half_cycle=4)),
        ("exp_range", exp_range(0.1, 0.5, half_cycle=4, gamma=0.97)),
    ],
)
def test_cycles_are_those_of_smith_as_torch_has_them(mode: str, ours: Schedule) -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    theirs = torch.optim.lr_scheduler.CyclicLR(
        optimizer, 0.1, 0.5, 4, mode=mode, gamma=0.97, cycle_momentum=False
    )
    for step in range(40):
        assert theirs.get_last_lr()[0] == pytest.approx(ours(step))
        optimizer.step()
        theirs.step()


def test_restarts_are_those_of_sgdr_as_torch_has_them() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.4)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, 2)
    ours = Restarts(0.4, period=3, multiply=2)
    for step in range(100):
        assert theirs.get_last_lr()[0] == pytest.approx(ours(step))
        optimizer.step()
        theirs.step()


def test_restarts_know_the_length_of_their_period() -> None:
    schedule = Restarts(1.0, period=10, multiply=2)

    assert [10, 10, 20, 20, 40] == [
        schedule.period_at(step) for step in (0, 9, 10, 29, 30)
    ]


def test_restarts_a_billion_steps_away_are_right() -> None:
    schedule = Restarts(1.0, period=7, multiply=3)
    begun = 7 * (3**20 - 1) // 2  # 7 + 21 + ... : the start of period 20

    assert schedule(begun) == 1.0
    assert schedule(begun - 1) < 1e-12


def test_one_cycle_as_short_as_its_rise_is_no_division_by_zero() -> None:
    short = one_cycle(1.0, steps=4, rise=0.25)  # torch: ZeroDivisionError

    assert [0.04, 1.0] == pytest.approx([short(0), short(1)])


@pytest.mark.parametrize("smooth", [True, False])
def test_one_cycle_never_goes_uphill_at_its_end(smooth: bool) -> None:
    points = ((0, 0.04), (3, 1.0), (10, 0.0))
    schedule = Pieces(points, smooth)

    last = values(schedule)[-3:]

    assert sorted(last, reverse=True) == last
    assert last[-1] > 0


def test_one_cycle_s_momentum_is_what_was_asked_for() -> None:
    momentum = one_cycle_momentum(one_cycle(1.0, steps=100), high=0.9, low=0.8)

    assert (0.9, 0.8) == pytest.approx((momentum(0), momentum(30)))


def test_momentum_of_three_phases_stays_high_in_the_last() -> None:
    momentum = one_cycle_momentum(one_cycle_three_phase(1.0, steps=100))

    assert [0.95, 0.85, 0.95, 0.95] == pytest.approx(
        [momentum(step) for step in (0, 45, 90, 99)]
    )


def test_a_warm_up_loses_no_update_and_repeats_no_value() -> None:
    schedule = Warmup(3, Constant(1.0, steps=10))

    assert [0.25, 0.5, 0.75, 1.0] == [schedule(step) for step in range(4)]


def test_a_warm_up_within_a_warm_up_advances_once_a_step() -> None:
    inner = Warmup(2, Constant(1.0, steps=8))
    outer = Warmup(3, inner)

    assert values(outer)[3:] == values(inner)


def test_added_steps_go_to_the_plateau_and_not_to_the_decay() -> None:
    short = warmup_stable_decay(1.0, steps=100, warmup=10, decay=20)

    longer = short.stretched(300)

    assert values(short)[:80] == values(longer)[:80]
    assert values(short)[80:] == values(longer)[280:]


def test_added_steps_of_a_step_schedule_go_before_its_first_fall() -> None:
    assert Step(1.0, at=(30, 60), steps=90).stretched(100).at == (40, 70)


def test_a_stretched_exponential_ends_at_the_same_value() -> None:
    short = Exponential(1.0, factor=0.9, steps=100)

    assert short.stretched(400)(396) == pytest.approx(short(99))


@pytest.mark.parametrize(
    "build",
    [
        lambda: Cosine(-0.1, steps=10),
        lambda: Cosine(math.nan, steps=10),
        lambda: Cosine(math.inf, steps=10),
        lambda: Cosine(0.1, steps=0),
        lambda: Linear(0.1, steps=10, hold=10),
        lambda: Exponential(0.1, factor=1.5),
        lambda: Step(0.1, at=(5, 3), steps=10),
        lambda: Step(0.1, at=(5, 12), steps=10),
        lambda: Triangular(0.1, 0.2, half_cycle=0),
        lambda: Restarts(0.1, period=0),
        lambda: Restarts(0.1, period=4, multiply=0),
        lambda: Pieces(((0, 1.0),)),
        lambda: Pieces(((0, 1.0), (4, -1.0))),
        lambda: one_cycle(0.1, steps=10, rise=1.0),
        lambda: one_cycle_three_phase(0.1, steps=10, leg=0.5),
        lambda: warmup_stable_decay(0.1, 10, warmup=5, decay=6),
        lambda: Warmup(-1, Constant(0.1)),
        lambda: Warmup(10, Cosine(0.1, steps=90)).stretched(10),
        lambda: Hold(Constant(0.1)),
        lambda: Exponential(0.1, factor=0.9, steps=10).stretched(0),
        lambda: one_cycle_momentum(Cosine(0.1, steps=10)),  # type: ignore[arg-type]
    ],
)
def test_an_impossible_schedule_is_refused(build: Callable[[], Schedule]) -> None:
    with pytest.raises(ValueError, match=r"needs|must|leaves|has no step"):
        build()
