from __future__ import annotations

import math
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from benchmarks.rate_costs import updates
from benchmarks.rate_range import RATES, Results, loss_at, probe, share
from benchmarks.rate_tasks import digits, noisy_regression, other_digits, tasks
from danlu.training.rate_range import CLIMBS, CONFIRM

GRID = [4.0, *[1.0] * (len(RATES) - 2), math.inf]


def test_a_rate_is_usable_up_to_twice_the_least_loss() -> None:
    between = math.sqrt(RATES[0] * RATES[1])  # where the loss is 2, on log scales

    assert 1 == share([1.01 * between, 0.99 * between], GRID, 2.0)


def test_no_suggestion_and_one_that_diverges_are_not_usable() -> None:
    assert 0 == share([None, 9.9, 100.0], GRID, 2.0)


def test_below_the_grid_the_loss_is_that_of_its_lowest_rate() -> None:
    assert pytest.approx(4.0) == loss_at(1e-9, GRID)


def test_what_is_known_is_not_measured_again(tmp_path: Path) -> None:
    measure = Mock(return_value=[1.0, math.inf])
    key = ("digits", 0)

    first = Results(tmp_path / "lines").get(key, measure)
    again = Results(tmp_path / "lines").get(key, measure)

    assert first == again
    assert 1 == measure.call_count


def test_fine_tuning_begins_with_the_same_trained_weights_whatever_the_seed() -> None:
    task = other_digits()
    torch.manual_seed(1)
    first = task.model()
    torch.manual_seed(2)
    again = task.model()

    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_is_fine_tuned_are_other_examples_of_the_same_classes() -> None:
    task = other_digits()

    assert set(range(5)) == set(task.train[1].tolist())
    assert len(task.train[1]) == int((digits()[0][1] >= 5).sum())


def test_without_a_folder_there_are_tasks_too() -> None:
    names = {task.name for task in tasks(None, more=False)}

    assert {"digits, sgd", "digits, adamw", "noisy regression, adamw"} <= names


def test_all_updates_of_a_range_test_are_counted() -> None:
    made = updates(probe(noisy_regression(), 0))

    # Three sweeps, if none ends early, 50 to confirm, and 50 at each rate nearby.
    nearby = (made - 350) / CONFIRM
    assert nearby in range(2, CLIMBS + 2)
