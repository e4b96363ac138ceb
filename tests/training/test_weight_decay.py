from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from danlu.training import (
    SGDW,
    Cosine,
    Restarts,
    Tracks,
    normalized_decay,
    restart_tracks,
)


def test_the_decay_of_a_batch_size_is_that_of_the_paper() -> None:
    batch, examples, epochs, peak, norm = 128, 50_000, 100, 1e-3, 0.05
    steps = examples * epochs // batch

    ours = normalized_decay(norm, steps=steps, lr=peak) * peak

    assert ours == pytest.approx(
        norm * math.sqrt(batch / (examples * epochs)), rel=1e-4
    )


def test_four_times_the_steps_take_half_the_decay() -> None:
    short = normalized_decay(0.1, steps=1000, lr=0.01)

    assert short / 2 == normalized_decay(0.1, steps=4000, lr=0.01)


def test_adamwr_restarts_rate_and_decay_together() -> None:
    optimizer = torch.optim.AdamW([nn.Parameter(torch.ones(2, 2))])
    tracks = restart_tracks(Restarts(0.1, period=4, multiply=4), norm=0.02)
    used = []
    for step in range(6):
        tracks.set(optimizer, step)
        group = optimizer.param_groups[0]
        used.append((round(group["lr"], 4), round(group["weight_decay"], 4)))

    assert [(0.1, 0.1), (0.0854, 0.1), (0.05, 0.1), (0.0146, 0.1)] == used[:4]
    assert (0.1, 0.05) == used[4]


def test_the_decay_follows_the_rate_of_the_schedule() -> None:
    """Loshchilov & Hutter (2019), Algorithm 1, line 9: eta_t multiplies the decay."""
    weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = SGDW([weight], lr=1.0, momentum=0.0, weight_decay=0.5)
    tracks = Tracks(Cosine(0.2, steps=3))
    expected = 1.0
    for step in range(3):
        tracks.set(optimizer, step)
        weight.grad = torch.zeros(1, dtype=torch.float64)
        optimizer.step()
        expected *= 1 - Cosine(0.2, steps=3)(step) * 0.5

    assert weight.item() == pytest.approx(expected)


def test_sgdw_with_weights_that_got_no_gradient_leaves_them_alone() -> None:
    used, unused = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = SGDW([used, unused], lr=0.1, weight_decay=0.5)
    used.grad = torch.ones(1)

    optimizer.step()

    assert 1.0 == unused.item()


def test_sgdw_goes_on_from_its_state() -> None:
    def gradients(weight: nn.Parameter, optimizer: SGDW, count: int) -> None:
        for _ in range(count):
            weight.grad = 2 * weight.detach()
            optimizer.step()

    whole, first = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    gradients(whole, SGDW([whole], lr=0.1, weight_decay=0.1), 6)
    before = SGDW([first], lr=0.1, weight_decay=0.1)
    gradients(first, before, 3)
    after = SGDW([first], lr=0.5)
    after.load_state_dict(before.state_dict())
    gradients(first, after, 3)

    assert torch.equal(whole, first)


@pytest.mark.parametrize(
    "settings", [{"lr": -1}, {"lr": 1, "momentum": -0.1}, {"weight_decay": -1}]
)
def test_sgdw_refuses_negative_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        SGDW([nn.Parameter(torch.ones(1))], **settings)


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ValueError, match="momentum > 0"):
        SGDW([nn.Parameter(torch.ones(1))], momentum=0.0, nesterov=True)


def test_a_normalized_decay_needs_steps() -> None:
    with pytest.raises(ValueError, match="steps=0"):
        normalized_decay(0.1, steps=0, lr=0.1)
