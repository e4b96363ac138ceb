from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from danlu.training import WeightAverage
from danlu.training.averaging import LOOKED


def one_weight(value: float = 0.0, **kind: Any) -> nn.Module:
    model: nn.Module = nn.Linear(1, 1, bias=False, **kind)
    put(model, value)
    return model


def put(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        model.weight.fill_(value)


def value(average: WeightAverage) -> float:
    return float(next(iter(average.weights().values())))


class Buffers(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """A counter, a mask, and a running mean."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("mask", torch.tensor([True, False]))
        self.register_buffer("mean", torch.zeros(1))


def test_the_past_counts_half_after_a_half_life() -> None:
    model = one_weight()
    average = WeightAverage(model, half_life=100)
    seen = [1.0, 5.0, -2.0, 4.0]
    for own in seen:
        put(model, own)
        average.update(samples=100)

    weights = [1, 2, 4, 8]
    expected = sum(w * own for w, own in zip(weights, seen, strict=True)) / 15

    assert value(average) == pytest.approx(expected)


def test_the_first_weights_have_no_weight_of_their_own() -> None:
    model = one_weight(100.0)  # as initialized: an average that starts there is biased
    average = WeightAverage(model, half_life=10_000)
    put(model, 1.0)
    average.update(samples=1)

    assert value(average) == 1.0


def test_a_half_life_means_the_same_at_every_batch_size() -> None:
    model = one_weight()
    small, large = WeightAverage(model, 64), WeightAverage(model, 64)
    for own in (1.0, 2.0, 7.0):
        put(model, own)
        large.update(samples=32)
        for _ in range(8):
            small.update(samples=4)

    assert value(small) == pytest.approx(value(large))


def test_an_infinite_half_life_is_the_plain_mean() -> None:
    model = one_weight()
    average = WeightAverage(model, math.inf)
    for own in (1.0, 2.0, 6.0):
        put(model, own)
        average.update(samples=32)

    assert value(average) == pytest.approx(3.0)


def test_several_averages_follow_one_model() -> None:
    model = one_weight()
    averages = [WeightAverage(model, half_life) for half_life in (1, 1e9)]
    for own in (0.0, 1.0):
        put(model, own)
        for average in averages:
            average.update(samples=8)

    assert [255 / 256 * 256 / 257, 0.5] == pytest.approx(
        [value(average) for average in averages], abs=5e-3
    )


def test_counters_and_masks_are_taken_over() -> None:
    model = Buffers()
    average = WeightAverage(model, half_life=1000)
    for step in range(1, 29):
        model.count.fill_(step)
        model.mask.logical_not_()
        average.update(samples=1)

    kept = average.weights()

    assert 28 == kept["count"].item()
    assert torch.equal(model.mask, kept["mask"])
    assert torch.bool == kept["mask"].dtype


def test_batch_norm_counts_its_batches() -> None:
    model = nn.BatchNorm1d(2)
    average = WeightAverage(model, half_life=1000)
    for _ in range(28):
        model(torch.randn(4, 2))
        average.update(samples=4)

    assert 28 == average.weights()["num_batches_tracked"].item()


@pytest.mark.parametrize(("policy", "expected"), [("average", 0.5), ("copy", 1.0)])
def test_numbers_in_buffers_follow_the_policy(policy: Any, expected: float) -> None:
    model = Buffers()
    average = WeightAverage(model, math.inf, buffers=policy)
    for own in (0.0, 1.0):
        model.mean.fill_(own)
        average.update(samples=1)

    assert expected == average.weights()["mean"].item()


def test_small_changes_of_weights_of_16_bits_are_not_lost() -> None:
    model = one_weight(1.0, dtype=torch.bfloat16)
    average = WeightAverage(model, half_life=1000)
    average.update(samples=1000)
    put(model, 2.0)
    for _ in range(1000):
        average.update(samples=1)

    kept = average.weights()["weight"]

    assert torch.bfloat16 == kept.dtype
    assert 1 + 2 / 3 == pytest.approx(kept.item(), abs=0.01)  # bf16 alone: stays at 1


@pytest.mark.parametrize("wrap", ["compile", "parallel", "inside"])
def test_a_wrapped_model_is_followed_under_plain_names(wrap: str) -> None:
    plain = nn.Sequential(nn.Linear(1, 1, bias=False))
    if wrap == "compile":
        trained = torch.compile(plain, backend="eager")
    elif wrap == "parallel":
        trained = nn.DataParallel(plain)
    else:
        plain[0] = torch.compile(plain[0], backend="eager")
        trained = plain
    average = WeightAverage(trained, half_life=10)
    for own in (1.0, 2.0):
        with torch.no_grad():
            next(iter(trained.parameters())).fill_(own)
        average.update(samples=10)

    assert ["0.weight"] == list(average.weights())
    assert value(average) == pytest.approx(5 / 3)


def test_an_average_of_a_compiled_model_is_taken_up_by_a_plain_one() -> None:
    model = one_weight(3.0)
    first = WeightAverage(torch.compile(model, backend="eager"), half_life=10)
    first.update(samples=1)
    second = WeightAverage(one_weight(), half_life=10)

    second.load_state_dict(first.state_dict())

    assert 3.0 == value(second)


def test_a_resumed_average_goes_on_as_before() -> None:
    model = one_weight()
    whole, first = WeightAverage(model, 50), WeightAverage(model, 50)
    for own in (1.0, 4.0, 2.0):
        put(model, own)
        whole.update(samples=16)
        first.update(samples=16)
    resumed = WeightAverage(model, 50)
    resumed.load_state_dict(first.state_dict())
    put(model, 9.0)
    whole.update(samples=16)
    resumed.update(samples=16)

    assert value(whole) == value(resumed)


def test_the_model_gets_its_own_weights_back_after_an_error() -> None:
    model = one_weight(1.0)
    average = WeightAverage(model, 10)
    average.update(samples=1)
    put(model, 5.0)

    with pytest.raises(KeyError), average.applied():
        raise KeyError

    assert model.weight.item() == 5.0


def test_the_averaged_model_is_evaluated_with_all_its_tensors() -> None:
    model = Buffers()
    average = WeightAverage(model, 10)
    average.update(samples=1)
    model.count.fill_(7)

    with average.applied():
        assert model.count.item() == 0

    assert model.count.item() == 7


def test_a_model_whose_tensors_were_replaced_is_noticed() -> None:
    model = one_weight(1.0)
    average = WeightAverage(model, 10)
    average.update(samples=1)
    model.load_state_dict({"weight": torch.zeros(1, 1)}, assign=True)

    with pytest.raises(RuntimeError, match="were replaced"), average.applied():
        pass


def update_often(average: WeightAverage, times: int) -> None:
    for _ in range(times):
        average.update(samples=1)


@pytest.mark.parametrize("seen", [0, 1, 20])
def test_updates_after_the_tensors_were_replaced_are_noticed(seen: int) -> None:
    model = one_weight(1.0)
    average = WeightAverage(model, 10)
    update_often(average, seen)
    model.load_state_dict({"weight": torch.zeros(1, 1)}, assign=True)

    with pytest.raises(RuntimeError, match="were replaced"):
        update_often(average, LOOKED)


def cast_and_back(model: nn.Module) -> None:
    model.half().float()


def put_elsewhere(model: nn.Module) -> None:
    model.weight.data = model.weight.data.clone()


def share(model: nn.Module) -> None:
    model.share_memory()


@pytest.mark.parametrize("moved", [cast_and_back, put_elsewhere, share])
def test_a_model_whose_weights_lie_elsewhere_is_followed(
    moved: Callable[[nn.Module], None],
) -> None:
    model = one_weight(1.0)
    average = WeightAverage(model, math.inf)
    average.update(samples=1)
    moved(model)
    put(model, 5.0)
    average.update(samples=1)

    with average.applied():
        assert 3.0 == model.weight.item()
    assert 5.0 == model.weight.item()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_an_update_by_weights_of_another_type_is_refused(dtype: torch.dtype) -> None:
    model = one_weight(1.0)
    average = WeightAverage(model, 10)
    average.update(samples=1)
    model.to(dtype)

    with pytest.raises(RuntimeError, match=r"of another type.*make it after"):
        average.update(samples=1)


def test_tied_weights_are_found_under_both_names() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    average = WeightAverage(model, 10)
    average.update(samples=1)

    kept = average.weights()

    assert torch.equal(kept["0.weight"], kept["1.weight"])


def test_torch_without_lists_averages_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch, "_foreach_lerp_")
    model = one_weight(1.0)
    average = WeightAverage(model, 10)
    average.update(samples=10)
    put(model, 4.0)
    average.update(samples=10)

    assert value(average) == pytest.approx(3.0)


def test_an_average_of_nothing_is_refused() -> None:
    average = WeightAverage(one_weight(), 10)

    with pytest.raises(RuntimeError, match="call `update` first"), average.applied():
        pass


def test_a_saved_average_of_another_model_is_refused() -> None:
    saved = WeightAverage(nn.Linear(1, 1), 10).state_dict()

    with pytest.raises(ValueError, match="bias"):
        WeightAverage(one_weight(), 10).load_state_dict(saved)


def test_a_saved_average_of_other_shapes_is_refused_and_nothing_taken_up() -> None:
    first, second = (WeightAverage(nn.Linear(4, width), 10) for width in (1, 8))
    first.update(samples=1)

    with pytest.raises(ValueError, match=r"weight of shape \(1, 4\), this .*\(8, 4\)"):
        second.load_state_dict(first.state_dict())
    assert 0 == second.state_dict()["mass"]


def test_a_saved_average_of_another_half_life_is_refused() -> None:
    saved = WeightAverage(one_weight(), 10).state_dict()

    with pytest.raises(ValueError, match="half_life=10"):
        WeightAverage(one_weight(), 20).load_state_dict(saved)


@pytest.mark.parametrize("half_life", [0, -1, math.nan])
def test_a_half_life_is_positive(half_life: float) -> None:
    with pytest.raises(ValueError, match="half-life"):
        WeightAverage(one_weight(), half_life)


def test_an_update_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="samples=0"):
        WeightAverage(one_weight(), 10).update(samples=0)


def test_an_update_never_waits_for_the_device() -> None:
    """A tensor without data raises where its value is asked for."""
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).to("meta")
    average = WeightAverage(model, half_life=10)

    for _ in range(3):
        average.update(samples=1)


def test_a_model_of_16_bits_is_evaluated_with_its_average() -> None:
    model = one_weight(1.0, dtype=torch.bfloat16)
    average = WeightAverage(model, math.inf)
    average.update(samples=1)
    put(model, 2.0)
    average.update(samples=1)

    with average.applied():
        assert 1.5 == model.weight.item()

    assert 2.0 == model.weight.item()


def test_complex_weights_are_averaged() -> None:
    model = nn.Module()
    model.w = nn.Parameter(torch.tensor([1 + 0j]))
    average = WeightAverage(model, half_life=math.inf)
    for own in (1 + 0j, 3 + 2j):
        with torch.no_grad():
            model.w.fill_(own)
        average.update(samples=1)

    assert [2 + 1j] == average.weights()["w"].tolist()
