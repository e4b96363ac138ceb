from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from danlu.training.rate_picture import range_text
from danlu.training.rate_range import judged
from danlu.training.sweep import Sweep, regions
from tests.training.planted_bugs import BUGS, HEALTHY, Examples, healthy
from tests.training.rate_faults import FAULTS

torch.set_num_threads(1)
RATES = [1e-6 * 10 ** (step / 14) for step in range(100)]


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_gets_a_rate(name: str) -> None:
    found = HEALTHY[name]().lr_range()

    assert "ok" == found.verdict
    assert found.low is not None
    assert found.high is not None
    assert found.suggestion is not None
    assert found.low < found.suggestion < found.high


@pytest.mark.parametrize(
    "bug", ["the optimizer holds a copy", "dead units", "labels shuffled"]
)
def test_a_program_that_does_not_learn_is_flat_at_all_rates(bug: str) -> None:
    found = BUGS[bug]().lr_range()

    assert ("flat", None) == (found.verdict, found.suggestion)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_each_planted_fault_gets_its_verdict(name: str) -> None:
    program, expected = FAULTS[name]

    assert expected == program().lr_range().verdict


def test_a_nan_in_the_examples_is_a_fault_and_ends_the_sweep() -> None:
    found = BUGS["nan in the inputs"]().lr_range()

    assert "fault" == found.verdict
    assert all(len(sweep.rates) < 100 for sweep in found.sweeps)


def test_a_step_that_updates_nothing_is_flat() -> None:
    assert "flat" == BUGS["zero_grad before the step"]().lr_range().verdict


def test_the_end_of_a_range_that_never_diverges_is_no_suggestion() -> None:
    losses = [2.0] * 50 + [1.0] * 50

    found = judged([regions(RATES, losses)] * 3)

    assert ("no end", None) == (found.verdict, found.suggestion)


def test_a_rate_that_does_not_train_alone_is_no_suggestion() -> None:
    """The step acts only where the rate is another one than before."""
    last: list[float] = []

    def step(model: nn.Module, optimizer: Any, batch: Examples) -> None:
        rate = optimizer.param_groups[0]["lr"]
        if last != [rate]:
            healthy().update(model, optimizer, batch)
        last[:] = [rate]

    found = healthy(step=step).lr_range()

    assert ("flat", None) == (found.verdict, found.suggestion)
    assert "50 updates" in found.message
    assert found.high is not None


def test_how_bad_the_first_weights_are_does_not_move_the_suggestion() -> None:
    rates = RATES[::2]
    falls = [2.0] * 25 + [1.0] * 10 + [3.0] * 15
    worse = [9.0] * 25 + [1.0] * 10 + [3.0] * 5 + [9.0] * 10

    found = [regions(rates, losses) for losses in (falls, worse)]

    assert found[0].suggestion == found[1].suggestion
    assert found[0].diverges_from != found[1].diverges_from


def test_a_nan_after_the_fall_is_where_it_diverges() -> None:
    losses = [2.0] * 50 + [1.0] * 20 + [math.nan]
    sweep = regions(RATES[:71], losses)

    assert RATES[69] == sweep.diverges_from


def test_negative_losses_have_regions_too() -> None:
    losses = [-2.0] * 40 + [-3.0] * 40 + [-1.0] * 20
    sweep = regions(RATES, losses)

    assert sweep.falls_from is not None
    assert sweep.diverges_from is not None
    assert RATES[36] <= sweep.falls_from < RATES[44]


def test_noise_without_a_fall_is_flat() -> None:
    draw = torch.Generator().manual_seed(0)
    curves = (1 + 0.05 * torch.randn(20, 100, generator=draw)).tolist()
    verdicts = [judged([regions(RATES, curve)]).verdict for curve in curves]

    assert {"flat"} == set(verdicts)


def test_sweeps_that_disagree_are_said_to() -> None:
    ends = (0.001, 0.1, 10.0)
    sweeps = [Sweep((1e-6,) * 4, (1.0,) * 4, 1e-4, end, 2 * end) for end in ends]

    assert "noisy" == judged(sweeps).verdict


def test_a_range_that_begins_too_high_is_said_to() -> None:
    assert "fault" == healthy().lr_range(low=5e-3).verdict


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ValueError, match="0 < low < high"):
        healthy().lr_range(low=100.0)


def test_the_picture_has_the_suggestion_below() -> None:
    assert "^" in range_text(healthy().lr_range())
