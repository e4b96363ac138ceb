from __future__ import annotations

from typing import Any

import pytest
import torch

from danlu.training import ScheduleLR, Tracks
from danlu.training.schedules import (
    Constant,
    Cosine,
    Linear,
    Restarts,
    ScheduleEnd,
    Warmup,
    one_cycle,
    one_cycle_momentum,
)


def weight() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.zeros(1))


def sgd(**settings: Any) -> torch.optim.Optimizer:
    optimizer: torch.optim.Optimizer = torch.optim.SGD(
        [weight()], lr=1.0, momentum=0.9, **settings
    )
    return optimizer


def test_each_group_gets_its_share_of_the_rate() -> None:
    groups = [{"params": [weight()], "lr_factor": f} for f in (1.0, 0.1)]
    optimizer = torch.optim.SGD(groups, lr=1.0)

    Tracks(Constant(0.5)).set(optimizer, 0)

    assert [0.5, 0.05] == [group["lr"] for group in optimizer.param_groups]


def test_groups_of_different_rates_are_never_made_one_in_silence() -> None:
    groups = [{"params": [weight()], "lr": lr} for lr in (1.0, 0.1)]
    optimizer = torch.optim.SGD(groups)

    with pytest.raises(ValueError, match=r"\[1.0, 0.1\].*lr_factor"):
        Tracks(Constant(0.5)).set(optimizer, 0)


def test_groups_without_decay_stay_without() -> None:
    groups = [{"params": [weight()], "weight_decay": decay} for decay in (0.1, 0.0)]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    tracks = Tracks(Constant(0.5), weight_decay=Linear(0.2, steps=4))

    for step in range(4):
        tracks.set(optimizer, step)

    assert [0.05, 0.0] == pytest.approx(
        [group["weight_decay"] for group in optimizer.param_groups]
    )


def test_a_decay_that_passes_zero_comes_back() -> None:
    optimizer = sgd(weight_decay=0.1)
    there_and_back = Warmup(0, Linear(0.2, steps=2))

    Tracks(Constant(0.5), weight_decay=Constant(0.0)).set(optimizer, 0)
    Tracks(Constant(0.5), weight_decay=there_and_back).set(optimizer, 0)

    assert optimizer.param_groups[0]["weight_decay"] == 0.2


def test_the_momentum_of_adam_is_its_beta1() -> None:
    optimizer = torch.optim.AdamW([weight()], betas=(0.9, 0.98))
    lr = one_cycle(1.0, steps=10)

    Tracks(lr, momentum=one_cycle_momentum(lr)).set(optimizer, 0)

    assert (0.95, 0.98) == optimizer.param_groups[0]["betas"]


def test_a_momentum_that_no_optimizer_has_is_refused() -> None:
    optimizer = torch.optim.Adagrad([weight()])

    with pytest.raises(ValueError, match="needs an optimizer whose groups"):
        Tracks(Constant(0.5), momentum=Constant(0.9)).set(optimizer, 0)


def test_a_rate_that_is_a_tensor_stays_the_same_tensor() -> None:
    rate = torch.tensor(1.0)
    optimizer = torch.optim.AdamW([weight()], lr=rate, capturable=False, foreach=False)
    held = optimizer.param_groups[0]["lr"]

    Tracks(Constant(0.25)).set(optimizer, 0)

    assert optimizer.param_groups[0]["lr"] is held
    assert float(held) == 0.25


def test_the_scheduler_gives_each_update_its_value() -> None:
    optimizer = sgd()
    schedule = Warmup(3, Cosine(1.0, steps=7))
    scheduler = ScheduleLR(optimizer, Tracks(schedule))
    used = []
    for _ in range(10):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()

    assert [schedule(step) for step in range(10)] == used
    assert optimizer.param_groups[0]["lr"] == schedule(9)


def test_the_scheduler_refuses_a_step_past_the_end() -> None:
    optimizer = sgd()
    scheduler = ScheduleLR(optimizer, Tracks(Cosine(1.0, steps=10)))
    for _ in range(10):
        optimizer.step()
        scheduler.step()

    with pytest.raises(ScheduleEnd):
        scheduler.step()


def test_a_resumed_scheduler_goes_on_as_if_nothing_had_happened() -> None:
    lr = one_cycle(1.0, steps=20)
    tracks = Tracks(lr, momentum=one_cycle_momentum(lr))
    whole = ScheduleLR(sgd(), tracks)
    for _ in range(7):
        whole.step()

    resumed = ScheduleLR(sgd(), tracks)
    resumed.load_state_dict(whole.state_dict())

    for _ in range(13):
        assert whole.get_last_lr() == resumed.get_last_lr()
        whole.step()
        resumed.step()


def test_a_state_of_another_schedule_is_never_taken_in_silence() -> None:
    saved = ScheduleLR(sgd(), Tracks(Cosine(1.0, steps=100)), step=40).state_dict()
    longer = ScheduleLR(sgd(), Tracks(Cosine(0.5, steps=200)))

    with pytest.raises(ValueError, match=r"followed .*steps=100.*step=40"):
        longer.load_state_dict(saved)


def test_a_scheduler_can_start_at_any_step() -> None:
    schedule = Cosine(1.0, steps=100)

    assert [schedule(40)] == ScheduleLR(sgd(), Tracks(schedule), step=40).get_last_lr()


def test_the_scheduler_leaves_the_optimizer_s_step_alone() -> None:
    optimizer = sgd()
    before = optimizer.step

    ScheduleLR(optimizer, Tracks(Constant(0.1)))

    assert before == optimizer.step


def test_the_factors_are_saved_with_the_optimizer() -> None:
    groups = [{"params": [weight()], "lr_factor": f} for f in (1.0, 0.1)]
    saved = torch.optim.SGD(groups, lr=1.0).state_dict()
    fresh = torch.optim.SGD([{"params": [weight()]} for _ in range(2)], lr=1.0)

    fresh.load_state_dict(saved)
    Tracks(Constant(0.5)).set(fresh, 0)

    assert [0.5, 0.05] == [group["lr"] for group in fresh.param_groups]


def test_restarts_and_factors_together_are_the_product_at_each_step() -> None:
    """A ChainedScheduler of torch loses the factor after the first restart."""
    restarts = Restarts(1.0, period=4)
    groups = [{"params": [weight()], "lr_factor": 0.1}]
    scheduler = ScheduleLR(torch.optim.SGD(groups, lr=1.0), Tracks(restarts))
    for step in range(12):
        assert scheduler.get_last_lr() == [0.1 * restarts(step)]
        scheduler.step()


def test_a_trainer_that_steps_once_for_each_process_is_stopped() -> None:
    scheduler = ScheduleLR(sgd(), Tracks(Cosine(1.0, steps=10)))

    for _ in range(10):
        scheduler.step()

    with pytest.raises(ScheduleEnd):
        scheduler.step()


@pytest.mark.parametrize(
    ("optimizer", "says"),
    [
        (torch.optim.SGD([weight()], lr=1.0), "all groups .* have a weight decay of 0"),
        (torch.optim.Rprop([weight()], lr=1.0), "needs an optimizer whose groups have"),
    ],
)
def test_a_decay_that_no_group_would_get_is_refused(
    optimizer: torch.optim.Optimizer, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Tracks(Constant(0.1), weight_decay=Constant(0.5)).set(optimizer, 0)


def test_a_group_without_decay_gets_none_beside_one_with_some() -> None:
    groups = [{"params": [weight()], "weight_decay": own} for own in (0.0, 0.1)]
    optimizer = torch.optim.SGD(groups, lr=1.0)

    Tracks(Constant(0.1), weight_decay=Constant(0.5)).set(optimizer, 0)

    assert [0.0, 0.5] == [group["weight_decay"] for group in optimizer.param_groups]


def test_the_end_that_is_told_is_that_of_the_shortest_schedule() -> None:
    optimizer = torch.optim.SGD([weight()], lr=1.0, momentum=0.9)
    tracks = Tracks(Constant(0.1), momentum=Linear(0.9, steps=2))
    scheduler = ScheduleLR(optimizer, tracks)
    scheduler.step()
    scheduler.step()

    with pytest.raises(ScheduleEnd, match="the steps 0 to 1"):
        scheduler.step()
