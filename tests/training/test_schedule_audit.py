from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
import torch
from torch.optim import lr_scheduler

from danlu.training import ScheduleLR, Tracks, audit, audit_scheduler
from danlu.training.schedule_audit import audit_resume, played
from danlu.training.schedules import (
    Constant,
    Cosine,
    Linear,
    Pieces,
    Restarts,
    Schedule,
    Step,
    Triangular,
    Warmup,
    one_cycle,
    one_cycle_momentum,
    warmup_stable_decay,
)

Build: TypeAlias = Callable[[torch.optim.Optimizer], Any]


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(0.1),
        Cosine(0.1, steps=100),
        Step(0.1, at=(60, 80), factor=0.1),
        Warmup(5, Cosine(0.1, steps=95)),
        warmup_stable_decay(0.1, 100, warmup=5, decay=20),
    ],
)
def test_a_right_schedule_is_ok(schedule: Schedule) -> None:
    assert ["ok"] == [finding.level for finding in audit(schedule, 100)]


def test_a_schedule_that_ends_before_the_run_is_found() -> None:
    (finding,) = audit(Cosine(0.1, steps=60), 100)

    assert finding.level == "warning"
    assert finding.evidence["ends"] == 60


def test_a_schedule_that_is_counted_in_epochs_is_found() -> None:
    (finding,) = audit(Cosine(0.1, steps=10), 10_000)

    assert "count updates, not epochs" in finding.advice


def test_a_run_that_is_shorter_than_its_schedule_is_found() -> None:
    (finding,) = audit(Linear(0.1, steps=1000), 100)

    assert "it ends at 90 % of the peak" in finding.message


def test_a_negative_rate_is_found() -> None:
    (finding,) = audit(lambda step: 0.1 - 0.002 * step, 100)

    assert list(range(51, 71)) == finding.evidence["steps"]


def test_a_rate_that_is_not_a_number_is_found() -> None:
    (finding,) = audit(lambda step: float("nan") if step == 7 else 0.1, 100)

    assert finding.evidence["steps"] == [7]


def test_a_decay_that_stops_half_way_is_found() -> None:
    (finding,) = audit(Linear(0.1, steps=100, end=0.05), 100)

    assert finding.level == "notice"


def cosine(length: int) -> Build:
    return lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, length)


def warmed_up(optimizer: torch.optim.Optimizer) -> Any:
    first = lr_scheduler.LinearLR(optimizer, 0.1, total_iters=10)
    then = lr_scheduler.CosineAnnealingLR(optimizer, 90)
    return lr_scheduler.SequentialLR(optimizer, [first, then], [10])


@pytest.mark.parametrize(
    ("build", "steps", "level"),
    [
        (cosine(100), 300, "notice"),
        (cosine(90), 9000, "warning"),
        (cosine(90), 180, "warning"),
        (cosine(5), 1000, "warning"),
        (warmed_up, 900, "warning"),
    ],
)
def test_a_decay_that_is_passed_backward_is_found(
    build: Build, steps: int, level: str
) -> None:
    (finding,) = audit_scheduler(build, steps)

    assert level == finding.level
    assert "then rises again as it fell" in finding.message


def cyclic(half_cycle: int, mode: str = "triangular") -> Build:
    return lambda optimizer: lr_scheduler.CyclicLR(
        optimizer, 0.01, 1.0, half_cycle, mode=mode, gamma=0.99, cycle_momentum=False
    )


def restarted(optimizer: torch.optim.Optimizer) -> Any:
    return lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 10, 2)


def one_cycles(optimizer: torch.optim.Optimizer) -> Any:
    return lr_scheduler.LambdaLR(optimizer, lambda step: one_cycle(1.0, 90)(step % 90))


@pytest.mark.parametrize(
    "build",
    [
        *(cyclic(length) for length in (2, 3, 10, 25, 70)),
        cyclic(10, "triangular2"),
        cyclic(10, "exp_range"),
        restarted,
        one_cycles,
        cosine(299),
    ],
)
def test_cycles_that_are_meant_are_no_decay_passed_backward(build: Build) -> None:
    assert not any("again" in own.message for own in audit_scheduler(build, 300))


@pytest.mark.parametrize(
    "schedule",
    [
        Triangular(0.01, 0.1, half_cycle=10, steps=100),
        Restarts(0.1, period=20, steps=100),
        one_cycle_momentum(one_cycle(0.1, 100)),
        Pieces(((0, 1.0), (50, 0.0), (100, 1.0)), smooth=True),
    ],
)
def test_a_rise_of_our_own_schedules_is_meant(schedule: Schedule) -> None:
    assert not any("again" in own.message for own in audit(schedule, 100))


@pytest.mark.parametrize("steps", [0, -5, math.inf])
def test_a_run_without_steps_or_end_is_no_run(steps: Any) -> None:
    with pytest.raises(ValueError, match="at least 1 step, got steps="):
        audit(Constant(0.1), steps)


def test_a_long_warm_up_is_found() -> None:
    (finding,) = audit(Warmup(30, Cosine(0.1, steps=70)), 100)

    assert finding.evidence["warmup"] == 30


def test_one_update_too_many_under_one_cycle_of_torch_is_found() -> None:
    def build(optimizer: torch.optim.Optimizer) -> Any:
        return lr_scheduler.OneCycleLR(
            optimizer, 1.0, total_steps=10, anneal_strategy="linear"
        )

    messages = [finding.message for finding in audit_scheduler(build, 10)]

    assert "One update more than planned would use the rate -0.143." in messages


def test_a_scheduler_that_divides_by_zero_is_found() -> None:
    def build(optimizer: torch.optim.Optimizer) -> Any:
        return lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=4, pct_start=0.25)

    (finding,) = audit_scheduler(build, 4)

    assert "ZeroDivisionError" in finding.message


def test_a_restored_schedule_of_another_length_is_found() -> None:
    steps = iter((100, 100, 20))  # the run that is resumed asks for other steps

    def build(optimizer: torch.optim.Optimizer) -> Any:
        return lr_scheduler.CosineAnnealingLR(optimizer, next(steps))

    def forgets(optimizer: torch.optim.Optimizer) -> Any:
        scheduler = build(optimizer)
        scheduler.load_state_dict = lambda state: None
        return scheduler

    assert ["warning"] == [finding.level for finding in audit_resume(forgets, 100)]


def test_our_scheduler_passes_its_own_audit() -> None:
    def build(optimizer: torch.optim.Optimizer) -> Any:
        return ScheduleLR(optimizer, Tracks(Warmup(5, Cosine(0.1, steps=95))))

    assert ["ok"] == [finding.level for finding in audit_scheduler(build, 100)]


def test_what_is_played_is_what_updates_use() -> None:
    def build(optimizer: torch.optim.Optimizer) -> Any:
        return lr_scheduler.StepLR(optimizer, 2)

    assert [1.0, 1.0, 0.1, 0.1, 0.01] == pytest.approx(played(build, 4))


def test_a_rate_that_is_zero_for_most_of_the_run_is_found() -> None:
    found = audit(lambda step: max(0.0, 0.1 * (1 - step / 10)), 1000)

    assert ["warning"] == [finding.level for finding in found]
    assert "lr is 0 in the last 990 of 1000 steps" in found[0].message


def test_a_rate_that_is_zero_at_the_very_end_is_fine() -> None:
    assert ["ok"] == [own.level for own in audit(lambda at: 0.1 * (1 - at / 99), 100)]


@pytest.mark.parametrize(
    "schedule",
    [
        lambda step: 0.1 * (1 - step / 100) ** 0.9,
        [0.1 * 0.9**k for k in range(101)].__getitem__,
    ],
)
def test_a_function_that_has_no_value_after_its_end_ends_early(
    schedule: Callable[[int], float],
) -> None:
    (found,) = audit(schedule, 200)

    assert found.message.startswith("lr ends before step 101, but the run has 200")
