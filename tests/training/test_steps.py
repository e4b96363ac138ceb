from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from danlu.training.before_tuning import counted
from danlu.training.steps import (
    FACTORS,
    MOST,
    ConstantRate,
    Look,
    Steps,
    judged_steps,
    steps_to_fit,
)
from tests.training.planted_bugs import BUGS, healthy

torch.set_num_threads(1)


def run(rate: float, *misfits: float, error: float = 0.0) -> ConstantRate:
    """A trial whose misfits were looked at every 10 steps, from 0 on."""
    looks = [Look(10 * at, own, error, own) for at, own in enumerate(misfits)]
    return ConstantRate(rate, tuple(looks))


def test_the_fastest_to_fit_everything_says_the_steps() -> None:
    trials = run(0.1, 0.9, 0.5, 0.2), run(0.2, 0.9, 0.1, 0.0), run(0.4, 0.9, 0.8, 0.8)
    found = judged_steps(trials, 100)

    assert ("ok", 20, 0.2, 0.0) == (found.verdict, found.steps, found.rate, found.fits)


def test_where_nothing_fits_everything_as_good_as_any_is_a_fit() -> None:
    slow = run(0.1, 0.9, 0.8, 0.6, 0.4, 0.3, error=0.02)
    fast = run(0.2, 0.9, 0.31, 0.31, 0.31, 0.31, error=0.02)
    found = judged_steps([slow, fast, run(0.4, 0.9, 0.9)], 100)

    assert (10, 0.2) == (found.steps, found.rate)
    assert found.fits == pytest.approx(0.32)


@pytest.mark.parametrize(("place", "side"), [(0, "smaller"), (2, "larger")])
def test_the_edge_of_the_sweep_is_said(place: int, side: str) -> None:
    misfits = [(0.9, 0.5)] * 3
    misfits[place] = (0.9, 0.0)
    trials = [run(0.1 * 2**at, *own) for at, own in enumerate(misfits)]
    found = judged_steps(trials, 100)

    assert "edge" == found.verdict
    assert f"a {side} rate" in found.message


def test_what_still_gets_better_at_the_end_needs_more_steps() -> None:
    trials = [run(rate, 0.9, 0.8, 0.7, 0.6, 0.5) for rate in (0.1, 0.2, 0.4)]
    found = judged_steps(trials, 40)

    assert "too short" == found.verdict
    assert "within 40 steps" in found.message


def test_what_does_not_get_better_is_flat() -> None:
    trials = [run(rate, 0.9, 0.88, error=0.02) for rate in (0.1, 0.2)]
    found = judged_steps([*trials, ConstantRate(0.4, ())], 40)

    assert ("flat", None) == (found.verdict, found.steps)


def test_the_best_step_is_a_share_of_the_fastest_run() -> None:
    looks = [(0, 0.9), (10, 0.3), (40, 0.5)]
    run_of = tuple(Look(step, 1 - step / 40, 0.0, val) for step, val in looks)
    found = judged_steps([ConstantRate(0.2, run_of)], 100)

    assert 0.25 == found.best_at
    assert "lowest at 25%" in found.message


@pytest.fixture(scope="module")
def fitted() -> tuple[Steps, int]:
    """A healthy classifier's steps, and how many updates they took to find."""
    with counted() as count:
        found = steps_to_fit(healthy(), 0.03)
    return found, count.updates


def test_a_classifier_is_trained_until_no_example_is_wrong(
    fitted: tuple[Steps, int],
) -> None:
    found, _ = fitted

    assert 0.0 == found.fits
    assert "ok" == found.verdict
    assert 10 < (found.steps or 0) < 400
    assert len(FACTORS) == len(found.trials)
    assert found.best_at is not None


def test_a_trial_that_is_slower_than_another_ends_with_it(
    fitted: tuple[Steps, int],
) -> None:
    found, updates = fitted
    ends = sorted(own.looks[-1].step for own in found.trials)

    assert ends[0] == found.steps
    assert updates < len(FACTORS) * MOST / 3


def test_without_classes_the_loss_says_what_fits() -> None:
    from danlu import training

    X = torch.randn(256, 4, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(256, 1, generator=torch.Generator().manual_seed(1))
    probe = training.Probe(
        model=lambda params: torch.nn.Linear(4, 1),
        optimizer=lambda model, params: torch.optim.SGD(
            model.parameters(), params["lr"]
        ),
        loss=lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
        train=(X, X.sum(1, keepdim=True) + noise),
    )
    found = probe.steps(0.1, most=200)

    assert found.fits == pytest.approx(float(noise.var()), rel=0.3)
    assert (found.steps or math.inf) < 60
    assert found.best_at is None


def test_a_batch_that_is_a_dictionary_has_its_loss_alone() -> None:
    from danlu import training

    draw = torch.Generator().manual_seed(0)
    rows = [{"x": own, "y": own.sum()} for own in torch.randn(64, 4, generator=draw)]
    probe = training.Probe(
        model=lambda params: torch.nn.Linear(4, 1),
        optimizer=lambda model, params: torch.optim.SGD(
            model.parameters(), params["lr"]
        ),
        loss=lambda model, batch: (
            (model(batch["x"])[:, 0] - batch["y"]).square().mean()
        ),
        train=rows,
        val=rows,
    )
    found = probe.steps(0.1, most=50)

    assert "flat" != found.verdict
    assert found.best_at is not None


def _next_letter(model: torch.nn.Module, batch: Any) -> torch.Tensor:
    """As language models of others have it: labels are the inputs, the loss shifts."""
    scores, labels = model(batch[0])[:, :-1], batch[1][:, 1:]
    return cross_entropy(scores.flatten(0, -2), labels.flatten())


def test_a_loss_that_shifts_the_labels_says_what_fits() -> None:
    """In a row each number is one more than the one before it."""
    from danlu import training

    begins = torch.arange(64)[:, None] % 8
    rows = (begins + torch.arange(6)) % 8
    probe = training.Probe(
        model=lambda params: torch.nn.Sequential(
            torch.nn.Embedding(8, 16), torch.nn.Linear(16, 8)
        ),
        optimizer=training.build_optimizer,
        loss=_next_letter,
        train=(rows, rows),
    )
    found = probe.steps(0.05, most=100)

    assert "flat" != found.verdict
    assert (found.fits or math.inf) < 0.1


def test_labels_that_the_loss_ignores_are_not_wrong() -> None:
    from danlu import training

    rows = (torch.arange(64)[:, None] + torch.arange(6)) % 8
    labels = rows.where(torch.arange(6) > 2, torch.tensor(-100))
    probe = training.Probe(
        model=lambda params: torch.nn.Sequential(
            torch.nn.Embedding(8, 16), torch.nn.Linear(16, 8)
        ),
        optimizer=training.build_optimizer,
        loss=lambda model, batch: cross_entropy(
            model(batch[0]).flatten(0, -2), batch[1].flatten()
        ),
        train=(rows, labels),
    )

    assert 0.0 == probe.steps(0.05, most=100).fits


def test_a_model_that_is_not_trained_is_flat() -> None:
    found = steps_to_fit(BUGS["the optimizer holds a copy"](), 0.03, most=40)

    assert "flat" == found.verdict


def test_the_same_seed_gives_the_same_steps() -> None:
    first, second = (steps_to_fit(healthy(), 0.03, most=20) for _ in range(2))

    assert first == second


@pytest.mark.parametrize(("rate", "most"), [(0.0, 100), (math.nan, 100), (0.1, 5)])
def test_what_cannot_be_swept_is_refused(rate: float, most: int) -> None:
    with pytest.raises(ValueError, match="steps needs"):
        steps_to_fit(healthy(), rate, most=most)
