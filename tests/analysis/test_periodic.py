from __future__ import annotations

import numpy as np
import pytest

from danlu.analysis.base import Finding
from danlu.analysis.periodic import periodicity
from tests.analysis.curves import HEALTHY, Array, falling, known, noisy, plain

SD = 0.01


def found(curve: Array, seed: int = 0, trials: int = 5) -> Finding:
    rng = np.random.default_rng(seed)
    (finding,) = periodicity(*known(val=noisy(curve, rng, trials)))
    return finding


def wave(reports: int, period: float) -> Array:
    swing: Array = SD * np.sin(2 * np.pi * np.arange(reports) / period)
    return falling(reports) + swing


@pytest.mark.parametrize("period", [2.5, 4.0, 5.3, 7.0])
@pytest.mark.parametrize("reports", [50, 100])
def test_an_oscillation_of_the_stated_size_is_found(
    reports: int, period: float
) -> None:
    findings = [found(wave(reports, period), seed) for seed in range(40)]
    alarms = [own for own in findings if own.level == "warning"]

    assert len(alarms) >= 36
    periods = [own.evidence["period"] for own in alarms]
    assert np.median(periods) == pytest.approx(period, rel=0.15)


@pytest.mark.parametrize("reports", [30, 50, 100])
@pytest.mark.parametrize("healthy", HEALTHY)
def test_healthy_curves_do_not_oscillate(healthy: object, reports: int) -> None:
    curve = healthy(reports)  # type: ignore[operator]
    findings = [found(curve, seed, trials=16) for seed in range(40)]

    assert np.mean([own.level == "warning" for own in findings]) <= 0.05


def test_noise_that_goes_on_is_no_oscillation() -> None:
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        noise = SD * rng.normal(size=(16, 100))
        for report in range(1, 100):
            noise[:, report] += 0.7 * noise[:, report - 1]
        (finding,) = periodicity(*known(val=falling(100) + noise))
        alarms += finding.level == "warning"

    assert alarms <= 2


def test_a_few_reports_tell_no_period() -> None:
    finding = found(falling(20))

    assert finding.level == "unknown"
    assert finding.evidence == plain(finding.evidence)
