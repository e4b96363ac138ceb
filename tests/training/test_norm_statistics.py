from __future__ import annotations

import pytest
import torch
from torch import nn

from danlu.training import freeze, reestimate_norms


def model() -> nn.Module:
    return nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3), nn.Linear(3, 2))


def test_the_statistics_are_those_of_the_batches() -> None:
    torch.manual_seed(0)
    batches = [torch.randn(64, 3) * 2 + 1 for _ in range(8)]
    norm = model()

    assert 8 == reestimate_norms(norm, batches)

    means = torch.stack([batch.mean(0) for batch in batches]).mean(0)
    spreads = torch.stack([batch.var(0) for batch in batches]).mean(0)
    assert torch.allclose(means, norm[1].running_mean, atol=1e-5)
    assert torch.allclose(spreads, norm[1].running_var, rtol=1e-5)


def test_dropout_does_not_disturb_what_is_measured() -> None:
    own = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm1d(1))

    reestimate_norms(own, [torch.ones(64, 1)])

    assert own[1].running_mean.item() == pytest.approx(1.0)


def test_modes_and_momentum_are_as_before() -> None:
    own = model()
    own[0].eval()
    own[1].momentum = 0.3

    reestimate_norms(own, [torch.randn(8, 3)])

    assert [True, False, True, True] == [inner.training for inner in own.modules()]
    assert 0.3 == own[1].momentum


def test_no_gradient_is_kept_and_no_weight_is_moved() -> None:
    own = model()
    before = own[2].weight.detach().clone()

    reestimate_norms(own, [torch.randn(8, 3)])

    assert own[2].weight.grad is None
    assert torch.equal(before, own[2].weight)


def test_batches_with_labels_are_read_by_their_first_part() -> None:
    assert 1 == reestimate_norms(model(), [(torch.randn(8, 3), torch.zeros(8))])


def test_one_can_say_how_a_batch_is_run() -> None:
    own = model()

    reestimate_norms(own, [{"x": torch.ones(8, 3)}], forward=lambda b: own(b["x"]))

    assert [1.0, 1.0, 1.0] == own[1].running_mean.tolist()


def test_without_batches_the_statistics_stay() -> None:
    own = model()
    own[1].running_mean.fill_(7.0)

    with pytest.raises(ValueError, match="no batch"):
        reestimate_norms(own, [])

    assert [7.0, 7.0, 7.0] == own[1].running_mean.tolist()


def test_norms_that_are_frozen_keep_their_statistics() -> None:
    own = nn.Sequential(nn.BatchNorm1d(1), nn.BatchNorm1d(1))
    freeze(own[0])
    reestimate_norms(own, [torch.tensor([[1.0], [3.0]])])

    assert [0.0, 2.0] == pytest.approx([m.running_mean.item() for m in own], abs=1e-4)


def test_norms_of_a_model_that_is_frozen_as_a_whole_are_measured() -> None:
    own = nn.Sequential(nn.BatchNorm1d(1))
    freeze(own)
    reestimate_norms(own, [torch.tensor([[1.0], [3.0]])])

    assert 2.0 == own[0].running_mean.item()


def test_a_frozen_norm_without_scales_keeps_its_statistics() -> None:
    norm = nn.BatchNorm1d(2, affine=False)
    block = nn.Sequential(nn.Linear(2, 2), norm)
    whole = nn.Sequential(block, nn.Linear(2, 2))
    freeze(block)
    norm.running_mean.fill_(7.0)

    reestimate_norms(whole, [torch.randn(8, 2)])

    assert [7.0, 7.0] == norm.running_mean.tolist()


def test_statistics_are_as_before_where_a_batch_fails() -> None:
    norm = nn.Sequential(nn.BatchNorm1d(3))
    norm[0].running_mean.fill_(7.0)

    with pytest.raises(RuntimeError):
        reestimate_norms(norm, [torch.randn(8, 3), torch.randn(8, 5)])

    assert [7.0] * 3 == norm[0].running_mean.tolist()
