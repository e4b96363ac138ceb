from __future__ import annotations

import numpy as np
import pytest

from danlu.analysis.base import Finding
from danlu.analysis.rising import training_rises
from tests.analysis.curves import HEALTHY, Array, falling, known, noisy, plain, plateau

SD = 0.01


def bent(reports: int, rise: float) -> Array:
    """Falls to the middle of the training, then rises to its end."""
    share = np.linspace(0, 1, reports)
    low: Array = plateau(reports) + rise * np.maximum(0, 2 * share - 1)
    return low


def found(training: Array, seed: int = 0) -> Finding:
    rng = np.random.default_rng(seed)
    validation = noisy(falling(len(training)), rng, trials=16)
    curves = {"val": validation, "train_loss": noisy(training, rng, trials=16)}
    (finding,) = training_rises(*known(**curves))
    return finding


@pytest.mark.parametrize(("reports", "sds"), [(100, 2), (20, 5)])
def test_a_rise_of_the_stated_size_is_found(reports: int, sds: float) -> None:
    findings = [found(bent(reports, sds * SD), seed) for seed in range(40)]

    assert np.mean([own.level == "warning" for own in findings]) >= 0.9


@pytest.mark.parametrize("reports", [20, 50, 100])
@pytest.mark.parametrize("healthy", HEALTHY)
def test_healthy_training_does_not_rise(healthy: object, reports: int) -> None:
    curve = healthy(reports)  # type: ignore[operator]
    findings = [found(curve, seed) for seed in range(40)]

    assert np.mean([own.level == "warning" for own in findings]) <= 0.05


def test_a_spike_is_unstable_and_does_not_rise() -> None:
    curve = falling(50)
    curve[30] += 0.5

    finding = found(curve)

    assert finding.level == "ok"
    assert len(finding.evidence["unstable"]) == 16
    assert finding.evidence == plain(finding.evidence)


def test_without_a_training_metric_nothing_can_be_said() -> None:
    rng = np.random.default_rng(0)

    (finding,) = training_rises(*known(val=noisy(falling(50), rng, trials=16)))

    assert (finding.level, finding.evidence["metric"]) == ("unknown", "train_loss")
