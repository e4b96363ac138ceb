from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from danlu.training import BalancedBatches, Oversampled, class_weights

LABELS = [0] * 70 + [1] * 20 + [2] * 10


def classes(batch: list[int]) -> Counter[int]:
    return Counter(LABELS[at] for at in batch)


@pytest.mark.parametrize("batch_size", [6, 7, 8, 64])
def test_every_batch_has_as_many_of_every_class(batch_size: int) -> None:
    for batch in BalancedBatches(LABELS, batch_size):
        counts = classes(batch)
        assert batch_size == len(batch)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_an_epoch_has_as_many_examples_as_there_are() -> None:
    assert (
        13 == len(BalancedBatches(LABELS, 8)) == len(list(BalancedBatches(LABELS, 8)))
    )


def test_no_example_of_a_class_comes_again_before_all_others_did() -> None:
    drawn = [at for batch in BalancedBatches(LABELS, 6) for at in batch]
    rare = [at for at in drawn if LABELS[at] == 2]

    assert 10 == len(set(rare[:10]))
    assert 10 == len(set(rare[10:20]))


def test_processes_take_different_parts_that_are_balanced_too() -> None:
    parts = [list(BalancedBatches(LABELS, 6, rank=rank, ranks=2)) for rank in (0, 1)]

    for left, right in zip(*parts, strict=True):
        assert {2} == set(classes(left).values()) == set(classes(right).values())
    ordered = [at for pair in zip(*parts, strict=True) for own in pair for at in own]
    alone = [at for batch in BalancedBatches(LABELS, 12) for at in batch]
    assert ordered == alone


def test_another_epoch_has_another_order() -> None:
    batches = BalancedBatches(LABELS, 6)
    first = list(batches)
    again = list(batches)
    batches.set_epoch(1)

    assert first == again
    assert first != list(batches)


def test_a_loader_of_torch_takes_the_batches() -> None:
    labels = torch.tensor(LABELS)
    loader = DataLoader(TensorDataset(labels), batch_sampler=BalancedBatches(labels, 6))

    assert {2} == {int((batch[0] == 2).sum()) for batch in loader}


def test_examples_are_drawn_as_often_as_their_weight_says() -> None:
    weights = torch.rand(50, generator=torch.Generator().manual_seed(0))
    drawn = torch.bincount(
        torch.tensor(list(Oversampled(weights, size=5000))), minlength=50
    )

    fair = weights / weights.sum() * 5000
    assert (drawn - fair).abs().max() <= 1


def test_an_example_of_weight_zero_is_never_drawn() -> None:
    for seed in range(20):
        assert set(Oversampled([0.0, 1.0, 0.0], size=64, seed=seed)) == {1}


def test_class_weights_make_classes_equal() -> None:
    drawn = list(Oversampled(class_weights(LABELS), size=300))

    assert {0: 100, 1: 100, 2: 100} == pytest.approx(dict(classes(drawn)), abs=1)


def test_half_the_strength_lies_between() -> None:
    drawn = classes(list(Oversampled(class_weights(LABELS, strength=0.5), size=1000)))

    assert 333 < drawn[0] < 700
    assert 100 < drawn[2] < 333


def test_processes_share_the_draws() -> None:
    whole = list(Oversampled(class_weights(LABELS), size=100))
    parts = [
        list(Oversampled(class_weights(LABELS), size=100, rank=rank, ranks=2))
        for rank in (0, 1)
    ]

    assert whole == [at for pair in zip(*parts, strict=True) for at in pair]


def test_more_examples_than_multinomial_can_hold() -> None:
    """torch.multinomial, and so WeightedRandomSampler, ends at 2^24 of them."""
    count = 2**24 + 8
    weights = torch.zeros(count)
    weights[-1] = 1.0

    assert [count - 1] * 3 == list(Oversampled(weights, size=3))


@pytest.mark.parametrize("weights", [[-1.0, 1.0], [float("nan")], [0.0], []])
def test_impossible_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="finite weights"):
        Oversampled(weights)


def test_a_rank_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="rank=2"):
        BalancedBatches(LABELS, 4, rank=2, ranks=2)
