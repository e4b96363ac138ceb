from __future__ import annotations

import pytest
import torch

from danlu.training import DropPath, drop_path_rates


def test_whole_samples_are_left_out() -> None:
    torch.manual_seed(0)
    dropped = DropPath(0.5)(torch.ones(64, 3, 4, 4)).flatten(1)

    assert {0.0, 2.0} == set(dropped[:, 0].tolist())
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))


def test_the_mean_stays() -> None:
    torch.manual_seed(0)

    mean = DropPath(0.2)(torch.ones(20_000, 1)).mean().item()

    assert 1.0 == pytest.approx(mean, abs=0.02)


def test_evaluation_leaves_the_branch_as_it_is() -> None:
    branch = torch.randn(8, 3)

    assert DropPath(0.9).eval()(branch) is branch


def test_no_gradient_goes_into_a_branch_that_is_left_out() -> None:
    torch.manual_seed(0)
    branch = torch.ones(64, 1, requires_grad=True)
    dropped = DropPath(0.5)(branch)

    dropped.sum().backward()

    assert torch.equal(branch.grad, dropped.detach())


def test_half_precision_stays_half_precision() -> None:
    assert torch.bfloat16 == DropPath(0.5)(torch.ones(2, 2).bfloat16()).dtype


def test_rates_rise_to_the_last() -> None:
    assert [0.1, 0.2, 0.3] == pytest.approx(drop_path_rates(3, last=0.3))


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_rate_is_a_share(rate: float) -> None:
    with pytest.raises(ValueError, match="rate from 0 to below 1"):
        DropPath(rate)
