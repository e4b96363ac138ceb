from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from danlu.training import Probe
from danlu.training.noise_scale import noise_scale
from tests.training.planted_bugs import counted_step, healthy

torch.set_num_threads(1)


@pytest.mark.parametrize("mean", [0.5, 0.2])
def test_a_known_scale_is_in_the_bracket(mean: float) -> None:
    """The gradient of an example is x + mean, so that the scale is 1 / mean ** 2."""
    X = torch.randn(20_000, 8, generator=torch.Generator().manual_seed(0))
    probe = Probe(
        model=lambda params: torch.nn.Linear(8, 1, bias=False),
        optimizer=lambda model, params: torch.optim.SGD(model.parameters(), 0.0),
        loss=lambda model, batch: model(batch[0] + mean).mean(),
        train=(X,),
        batch_size=16,
    )
    found = noise_scale(probe, rate=0.0, steps=0)

    assert found.low < 1 / mean**2 < found.high
    assert found.high < 6 / mean**2


def test_the_scale_of_a_training_is_positive_and_bracketed() -> None:
    found = noise_scale(healthy(batch_size=16), rate=3e-3, steps=20)

    assert 0 < found.low <= found.scale <= found.high


@pytest.mark.parametrize(("rate", "steps"), [(math.nan, 5), (-0.1, 5), (0.1, -5)])
def test_a_rate_and_steps_are_numbers_of_at_least_0(rate: float, steps: int) -> None:
    with pytest.raises(ValueError, match="noise_scale needs a finite"):
        noise_scale(healthy(), rate=rate, steps=steps)


@pytest.mark.parametrize("count", [128, 256, 512])
def test_few_examples_do_not_bias_the_scale(count: int) -> None:
    """Batches of a quarter of the data and more are drawn without replacement."""
    X = torch.randn(count, 8, generator=torch.Generator().manual_seed(0))
    probe = Probe(
        model=lambda params: torch.nn.Linear(8, 1, bias=False),
        optimizer=lambda model, params: torch.optim.SGD(model.parameters(), 0.0),
        loss=lambda model, batch: model(batch[0] + 0.5).mean(),
        train=(X,),
        batch_size=8,
    )

    found = noise_scale(probe, rate=0.0, steps=1)

    mean = (X + 0.5).mean(0)
    assert found.low < X.var(0).sum() / mean.square().sum() < found.high


def test_too_few_examples_for_two_batches_are_refused() -> None:
    probe = replace(healthy(), train=tuple(part[:40] for part in healthy().train))

    with pytest.raises(ValueError, match=r"40 examples: .*smaller batch_size"):
        noise_scale(probe, rate=0.1)


def test_the_program_s_own_step_trains_it() -> None:
    calls: list[int] = []

    noise_scale(healthy(step=counted_step(calls)), rate=0.01, steps=7)

    assert 7 == len(calls)
