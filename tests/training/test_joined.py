from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from danlu.training import Cosine, Joined, Tracks, take_step


def pair() -> tuple[list[nn.Parameter], Joined]:
    own = [nn.Parameter(torch.ones(2)) for _ in range(2)]
    parts = [torch.optim.SGD(own[:1], lr=0.1), torch.optim.AdamW(own[1:], lr=0.1)]
    return own, Joined(parts)


def trained(own: list[nn.Parameter], both: Joined, steps: int) -> None:
    for _ in range(steps):
        both.zero_grad()
        sum(p.square().sum() for p in own).backward()
        both.step()


def test_each_part_moves_its_own_parameters() -> None:
    own, both = pair()

    trained(own, both, 1)

    assert [0.8, 0.9] == pytest.approx([p[0].item() for p in own], abs=1e-2)


def test_schedules_reach_the_groups_of_all_parts() -> None:
    _, both = pair()

    Tracks(Cosine(0.5, steps=10)).set(both, 0)

    assert [0.5, 0.5] == [group["lr"] for group in both.param_groups]


def test_a_state_that_is_taken_up_goes_on_as_before() -> None:
    whole, both = pair()
    trained(whole, both, 6)
    first, before = pair()
    trained(first, before, 3)
    again, after = pair()
    for new, old in zip(again, first, strict=True):
        new.data.copy_(old.data)
    after.load_state_dict(before.state_dict())
    trained(again, after, 3)

    assert all(torch.equal(a, b) for a, b in zip(whole, again, strict=True))


def test_a_closure_is_called_once() -> None:
    own, both = pair()
    calls = []

    def closure() -> torch.Tensor:
        calls.append(1)
        both.zero_grad()
        loss: torch.Tensor = own[0].sum() + own[1].sum()
        loss.backward()
        return loss

    assert 4.0 == both.step(closure).item()
    assert [1] == calls


def test_a_scheduler_of_torch_can_follow_it() -> None:
    own, both = pair()
    scheduler = torch.optim.lr_scheduler.StepLR(both, 1, gamma=0.5)

    trained(own, both, 1)
    scheduler.step()

    assert [0.05, 0.05] == [group["lr"] for group in both.param_groups]


def test_a_parameter_of_two_parts_is_refused() -> None:
    own = [nn.Parameter(torch.ones(2))]

    with pytest.raises(ValueError, match="two of the joined"):
        Joined([torch.optim.SGD(own, lr=0.1), torch.optim.Adam(own)])


def test_a_new_group_must_name_its_optimizer() -> None:
    _, both = pair()

    with pytest.raises(NotImplementedError, match="one of `optimizers`"):
        both.add_param_group({"params": []})


def test_a_scaler_of_fp16_steps_all_parts() -> None:
    own, both = pair()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    scaler.scale(own[0].sum() + own[1].sum()).backward()

    update = take_step(both, scaler=scaler)

    assert update.taken
    assert 2.0 == pytest.approx(update.norm)
    assert [0.9, 0.9] == pytest.approx([p[0].item() for p in own], abs=1e-2)


def test_hooks_see_all_parts_before_and_after_a_step() -> None:
    own, both = pair()
    seen = []

    def look(optimizer: object, *_: object) -> None:
        seen.append((optimizer is both, [p[0].item() == 1.0 for p in own]))

    hooks = both.register_step_pre_hook(look), both.register_step_post_hook(look)
    trained(own, both, 1)
    for hook in hooks:
        hook.remove()
    trained(own, both, 1)

    assert [(True, [True, True]), (True, [False, False])] == seen


def test_the_state_of_a_parameter_is_that_of_its_own_part() -> None:
    own, both = pair()
    trained(own, both, 1)

    assert {"step", "exp_avg", "exp_avg_sq"} == both.state[own[1]].keys()
    assert [own[1]] == [parameter for parameter in both.state if both.state[parameter]]
    for parameter, state in list(both.state.items()):  # as Lightning does after loading
        both.state[parameter] = state
    assert 1 == both.state_dict()["optimizers"][1]["state"][0]["step"].item()


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_goes_on_as_the_original_does(copied: Callable[[Any], Any]) -> None:
    own, both = pair()
    trained(own, both, 2)

    again, after = copied((own, both))
    trained(own, both, 2)
    trained(again, after, 2)

    assert all(torch.equal(a, b) for a, b in zip(own, again, strict=True))
