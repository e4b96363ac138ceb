from __future__ import annotations

import copy

import torch
from torch import nn

from danlu.training import freeze, train_unfrozen, unfreeze


def model() -> nn.Module:
    body = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    return nn.Sequential(body, nn.Linear(4, 2), nn.Dropout(0.5))


def test_what_is_frozen_gets_no_gradient() -> None:
    own = model()

    assert 4 * 4 + 4 + 8 == freeze(own[0])
    own(torch.randn(8, 4)).sum().backward()

    assert all(p.grad is None for p in own[0].parameters())
    assert own[1].weight.grad is not None


def test_frozen_batch_norms_keep_their_statistics() -> None:
    own = model()
    freeze(own[0])
    train_unfrozen(own)

    own(torch.randn(8, 4) + 5)

    assert [0.0] * 4 == own[0][1].running_mean.tolist()
    assert own[2].training


def test_a_norm_without_scales_that_is_frozen_by_itself_keeps_its_statistics() -> None:
    own = nn.Sequential(nn.BatchNorm1d(4, affine=False), nn.Linear(4, 2), nn.Dropout())

    assert 0 == freeze(own[0])
    copied = copy.deepcopy(own)
    for one in (own, copied):
        train_unfrozen(one)
        one(torch.randn(8, 4) + 5)

        assert [0.0] * 4 == one[0].running_mean.tolist()
        assert one[2].training

    unfreeze(own)
    train_unfrozen(own)
    assert own[0].training


def test_what_is_unfrozen_trains_again() -> None:
    own = model()
    freeze(own)
    unfreeze(own[0])
    train_unfrozen(own)

    assert all(p.requires_grad for p in own[0].parameters())
    assert own[0][1].training
    assert not own[1].weight.requires_grad


def test_shared_parameters_are_counted_once() -> None:
    first, second = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    second.weight = first.weight

    assert 4 == freeze(first, second)
