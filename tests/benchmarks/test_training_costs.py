from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import nn

from benchmarks.training_costs import averages, clipped, cpu_s, norms, schedules


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))


def test_every_way_of_a_task_runs_and_is_timed() -> None:
    for ways in (averages(small()), norms(small()), clipped(small()), schedules()):
        assert ways.keys() == cpu_s(ways, rounds=2).keys()


def test_the_norms_that_are_timed_are_the_same() -> None:
    measured = [cast("list[float]", way()) for way in norms(small()).values() if way()]

    assert len(measured) == 2  # those of the references are not given back
    assert measured[0][:-1] == pytest.approx(measured[1])
