from __future__ import annotations

import numpy as np
import pytest

from danlu.analysis.base import Finding
from danlu.analysis.saturated import saturation
from tests.analysis.curves import Array, cosine, known, noisy, one_cycle, plain, plateau

SD = 0.01


def slow(reports: int, sds: float) -> Array:
    """Falls by so many sds of a report over the later half, evenly."""
    share = np.linspace(0, 1, reports)
    low: Array = np.exp(-12 * share) - 2 * sds * SD * share
    return low


def found(
    seed: int, validation: Array, training: Array | None = None, trials: int = 16
) -> Finding:
    rng = np.random.default_rng(seed)
    curves = {"val": noisy(validation, rng, trials)}
    if training is not None:
        curves["train_loss"] = noisy(training, rng, trials)
    (finding,) = saturation(*known(**curves))
    return finding


@pytest.mark.parametrize(("reports", "trials"), [(50, 16), (100, 16)])
def test_curves_flat_from_a_third_on_are_found(reports: int, trials: int) -> None:
    curve = plateau(reports)
    findings = [found(seed, curve, curve, trials) for seed in range(40)]
    flat = [own for own in findings if own.level == "notice"]

    assert len(flat) >= 36
    shorter = [own.evidence["change"]["max_steps"] for own in flat]
    assert 0.1 * reports <= np.median(shorter) <= 0.5 * reports


@pytest.mark.parametrize("reports", [20, 50, 100])
def test_curves_that_fall_are_not_called_flat(reports: int) -> None:
    for curve in (slow(reports, 2), cosine(reports), one_cycle(reports)):
        alarms = [found(seed, curve).level == "notice" for seed in range(40)]

        assert np.mean(alarms) <= 0.05


def test_training_that_goes_on_is_not_saturated() -> None:
    assert found(0, plateau(50), slow(50, 5)).level == "ok"


def test_without_a_training_metric_it_is_said() -> None:
    finding = found(0, plateau(50))

    assert finding.level == "notice"
    assert "No training metric is reported" in finding.message
    assert finding.evidence == plain(finding.evidence)
