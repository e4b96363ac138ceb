from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from danlu.training import GradientMonitor, take_step


def network() -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    return model


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_it_is_the_update_that_torch_would_make() -> None:
    results = []
    for ours in (True, False):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(4, 3)).square().sum().mul(10).backward()
            if ours:
                assert take_step(optimizer, clip_norm=0.1).clipped
            else:
                nn.utils.clip_grad_norm_(model.parameters(), 0.1)
                optimizer.step()
        results.append(weights(model))

    assert torch.allclose(*results, rtol=1e-5)


@pytest.mark.parametrize("wrong", [math.inf, math.nan])
def test_an_update_that_is_not_finite_changes_nothing(wrong: float) -> None:
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.ones(4, 3)).sum().backward()
    model[2].bias.grad.fill_(wrong)
    before = weights(model)

    update = take_step(optimizer, clip_norm=1.0)

    assert not update.taken
    assert not update.clipped
    assert torch.equal(before, weights(model))
    assert not optimizer.state


def test_the_norm_is_the_one_before_clipping() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(4, 3)).sum().mul(1000).backward()

    assert take_step(optimizer, clip_norm=0.5).norm > 100


def test_a_limit_means_gradients_without_the_scale_of_fp16() -> None:
    """Clipped before they are unscaled, the limit would be 65,536 times too small."""
    results = []
    for scale in (None, 2.0**16):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = None
        loss = model(torch.ones(4, 3)).sum()
        if scale is not None:
            scaler = torch.amp.GradScaler("cpu", init_scale=scale)
            loss = scaler.scale(loss)
        loss.backward()
        update = take_step(optimizer, clip_norm=1.0, scaler=scaler)
        results.append((update.norm, *weights(model).tolist()))

    assert results[0] == pytest.approx(results[1], rel=1e-4)


def test_an_overflow_under_fp16_lowers_the_scale_and_skips_the_update() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    scaler.scale(model(torch.ones(4, 3)).sum()).backward()
    model[2].bias.grad.fill_(math.inf)
    before = weights(model)

    update = take_step(optimizer, scaler=scaler)

    assert not update.taken
    assert torch.equal(before, weights(model))
    assert 2.0**15 == scaler.get_scale()


def test_several_updates_with_a_scaler_follow_one_another() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4)
    for _ in range(3):
        optimizer.zero_grad()
        scaler.scale(model(torch.ones(4, 3)).square().sum()).backward()
        assert take_step(optimizer, clip_norm=1.0, scaler=scaler).taken


def test_entries_are_cut_before_the_norm() -> None:
    weight = torch.zeros(2, requires_grad=True)
    weight.grad = torch.tensor([30.0, 0.5])
    optimizer = torch.optim.SGD([weight], lr=1.0)

    take_step(optimizer, clip_value=1.0, clip_norm=10.0)

    assert [-1.0, -0.5] == weight.tolist()


def test_the_monitor_sees_the_same_pass() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    monitor = GradientMonitor(model, every=2)
    norms = []
    for _ in range(4):
        optimizer.zero_grad()
        model(torch.ones(4, 3)).sum().backward()
        norms.append(take_step(optimizer, clip_norm=0.1, monitor=monitor).norm)

    assert norms == pytest.approx(list(monitor.norms))


def test_a_step_without_any_gradient_is_an_error() -> None:
    optimizer = torch.optim.SGD(network().parameters(), lr=0.1)

    with pytest.raises(RuntimeError, match="call backward"):
        take_step(optimizer)
