from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from danlu.training import reduce_classes, stratified_order, stratified_subset


@given(
    some.lists(some.integers(0, 4), min_size=1, max_size=60),
    some.integers(0, 10),
    some.floats(0, 1),
)
def test_the_shares_of_the_classes_stay(
    labels: list[int], seed: int, share: float
) -> None:
    size = round(share * len(labels))
    chosen = stratified_subset(labels, size, seed=seed).tolist()

    assert size == len(set(chosen))
    for own in set(labels):
        got = sum(labels[at] == own for at in chosen)
        fair = size * labels.count(own) / len(labels)
        assert abs(got - fair) <= 0.5 * len(set(labels)) + 1e-9


def test_a_smaller_subset_is_part_of_a_larger_one() -> None:
    labels = torch.randint(0, 7, (200,), generator=torch.Generator().manual_seed(0))
    small = stratified_subset(labels, 30, seed=3).tolist()
    large = stratified_subset(labels, 90, seed=3).tolist()

    assert small == large[:30]


def test_another_seed_takes_other_examples() -> None:
    labels = [0, 1] * 50

    assert stratified_subset(labels, 10).tolist() != (
        stratified_subset(labels, 10, seed=1).tolist()
    )


def test_all_examples_are_in_the_order() -> None:
    assert list(range(50)) == sorted(stratified_order([3] * 20 + [8] * 30).tolist())


def test_more_than_there_is_cannot_be_taken() -> None:
    with pytest.raises(ValueError, match="size=4 of 3"):
        stratified_subset([0, 0, 1], 4)


def test_reduced_classes_are_counted_from_zero() -> None:
    at, renamed = reduce_classes([4, 9, 4, 2], classes=[9, 4])

    assert [0, 1, 2] == at.tolist()
    assert [1, 0, 1] == renamed.tolist()


@pytest.mark.parametrize(
    ("classes", "said"),
    [([1, 1], "twice"), ([5], r"\[5\]"), ([], "at least one")],
)
def test_classes_that_cannot_be_kept_are_refused(classes: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        reduce_classes([0, 1], classes)
