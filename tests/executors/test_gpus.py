"""A GPU is never given to more trials than fit."""

from __future__ import annotations

import pytest

from danlu.errors import ExecutorError
from danlu.executors.gpus import Gpus


def test_the_least_loaded_gpu_is_taken_first() -> None:
    gpus = Gpus(["0", "1"], 0.5)
    assert [gpus.take(trial) for trial in range(3)] == ["0", "1", "0"]
    gpus.give(0)
    gpus.give(2)
    assert gpus.take(3) == "0"


def test_a_gpu_that_is_full_is_not_given_out() -> None:
    gpus = Gpus(["0"], 0.5)
    gpus.take(0)
    gpus.take(1)
    with pytest.raises(ExecutorError, match="no GPU is free"):
        gpus.take(2)


def test_a_trial_may_have_several() -> None:
    gpus = Gpus(["a", "b", "c", "d"], 2)
    assert [gpus.take(0), gpus.take(1)] == ["a,b", "c,d"]


@pytest.mark.parametrize(
    ("share", "capacity"), [(0.1, 20), (0.3, 6), (0.6, 2), (1.0, 2), (2, 1)]
)
def test_capacity_counts_the_trials_that_fit(share: float, capacity: int) -> None:
    assert Gpus(["0", "1"], share).capacity == capacity


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, 3.0, float("nan")])
def test_an_impossible_share_is_refused(share: float) -> None:
    with pytest.raises(ExecutorError, match="gpus_per_trial"):
        Gpus(["0", "1"], share)


def test_one_gpu_twice_is_refused() -> None:
    with pytest.raises(ExecutorError, match="twice"):
        Gpus(["0", "0"], 1.0)
