from __future__ import annotations

import math

import pytest
import torch

from danlu.training import (
    check_clipping,
    clip_by_norm,
    clip_by_value,
    clip_threshold,
    gradient_norms,
)

INF, NAN = math.inf, math.nan


def weights(*gradients: list[float]) -> list[torch.Tensor]:
    made = []
    for gradient in gradients:
        weight = torch.zeros(len(gradient), requires_grad=True)
        weight.grad = torch.tensor(gradient)
        made.append(weight)
    return made


def test_the_norms_are_those_of_torch() -> None:
    torch.manual_seed(0)
    own = weights(*torch.randn(5, 8).tolist())
    expected = [float(p.grad.norm()) for p in own]

    *each, total = gradient_norms(own).values()

    assert expected == pytest.approx(each)
    assert float(torch.nn.utils.get_total_norm([p.grad for p in own])) == (
        pytest.approx(total)
    )


def test_weights_without_a_gradient_are_left_out() -> None:
    own = [*weights([3.0]), torch.zeros(1, requires_grad=True)]

    assert [3.0, 3.0] == gradient_norms(own).values()


def test_no_gradient_has_a_norm_of_zero() -> None:
    assert [0.0] == gradient_norms([torch.zeros(1)]).values()


def test_gradients_of_16_bits_do_not_overflow_in_their_norm() -> None:
    weight = torch.zeros(4, dtype=torch.float16, requires_grad=True)
    weight.grad = torch.full((4,), 60_000.0, dtype=torch.float16)

    assert 120_000.0 == pytest.approx(gradient_norms([weight]).values()[0], rel=1e-3)


def test_the_norm_of_a_sparse_gradient_is_that_of_its_sum() -> None:
    table = torch.nn.Embedding(10, 2, sparse=True)
    table(torch.tensor([1, 1, 4])).sum().backward()

    norms = gradient_norms(table.parameters())
    clipped = clip_by_norm(norms, limit=1.0)

    assert math.sqrt(2 * 2**2 + 2) == pytest.approx(norms.values()[-1])
    assert clipped
    assert 1.0 == pytest.approx(gradient_norms(table.parameters()).values()[-1])


def test_clipping_keeps_the_direction() -> None:
    own = weights([3.0, 0.0], [0.0, 4.0])

    assert clip_by_norm(gradient_norms(own), limit=2.5)

    assert [[1.5, 0.0], [0.0, 2.0]] == [p.grad.tolist() for p in own]


def test_gradients_below_the_limit_are_not_touched() -> None:
    own = weights([0.1, 0.2])

    assert not clip_by_norm(gradient_norms(own), limit=1.0)
    assert own[0].grad.tolist() == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("wrong", [INF, NAN])
def test_one_wrong_gradient_does_not_zero_the_others(wrong: float) -> None:
    """`torch.nn.utils.clip_grad_norm_` does."""
    own = weights([wrong, 1.0], [3.0])

    assert not clip_by_norm(gradient_norms(own), limit=1.0)
    assert not clip_by_value(gradient_norms(own), limit=1.0)
    assert [3.0] == own[1].grad.tolist()


def test_clipping_by_value_cuts_entries() -> None:
    own = weights([-3.0, 0.5], [0.1])

    assert clip_by_value(gradient_norms(own), limit=1.0)
    assert [[-1.0, 0.5], pytest.approx([0.1])] == [p.grad.tolist() for p in own]


@pytest.mark.parametrize("limit", [0.0, -1.0, NAN])
def test_a_limit_is_positive(limit: float) -> None:
    norms = gradient_norms(weights([1.0]))

    with pytest.raises(ValueError, match="limit > 0"):
        clip_by_norm(norms, limit)
    with pytest.raises(ValueError, match="limit > 0"):
        clip_by_value(norms, limit)


def test_the_threshold_clips_one_update_in_ten() -> None:
    torch.manual_seed(0)
    norms = torch.randn(1000).exp().tolist()

    limit = clip_threshold(norms)

    assert 100 == sum(norm > limit for norm in norms)


def test_norms_that_are_not_finite_do_not_move_the_threshold() -> None:
    norms = [float(norm) for norm in range(1, 102)]

    assert clip_threshold(norms) == clip_threshold([*norms, INF, NAN])


def test_a_threshold_of_a_few_norms_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 20 finite norms, got 3 of 5"):
        clip_threshold([1.0, 2.0, 3.0, NAN, INF])


@pytest.mark.parametrize(
    ("norms", "level"),
    [
        ([0.5] * 90 + [2.0] * 10, "ok"),
        ([0.5] * 40 + [2.0] * 60, "warning"),
        ([0.5] * 40 + [NAN] * 60, "warning"),
        ([2.0] * 10, "unknown"),
    ],
)
def test_how_often_clipping_acts_is_judged(norms: list[float], level: str) -> None:
    assert level == check_clipping(norms, limit=1.0).level


def test_more_than_half_clipped_means_a_smaller_rate() -> None:
    assert "Cut the learning rate" in check_clipping([2.0] * 100, limit=1.0).advice


def test_rows_of_a_sparse_gradient_are_added_up_before_they_are_cut() -> None:
    table = torch.nn.Embedding(4, 1, sparse=True)
    scale = torch.tensor([[0.8], [0.8], [0.1]])
    (table(torch.tensor([0, 0, 1])) * scale).sum().backward()

    clip_by_value(gradient_norms([table.weight]), limit=1.0)

    assert [1.0, 0.1, 0.0, 0.0] == pytest.approx(
        table.weight.grad.to_dense()[:, 0].tolist()
    )
