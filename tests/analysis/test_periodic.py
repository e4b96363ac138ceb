from __future__ import annotations

import numpy as np
import pytest

from danlu.analysis.base import Finding
from danlu.analysis.periodic import periodicity
from tests.analysis.curves import HEALTHY, Array, falling, known, noisy, plain

SD = 0.01


def found(curve: Array, seed: int = 0, trials: int = 5, sd: float = SD) -> Finding:
    rng = np.random.default_rng(seed)
    (finding,) = periodicity(*known(val=noisy(curve, rng, trials, sd)))
    return finding


def wave(reports: int, period: float, sds: float) -> Array:
    swing: Array = sds * SD * np.sin(2 * np.pi * np.arange(reports) / period)
    return falling(reports) + swing


@pytest.mark.parametrize("period", [2.5, 4.0, 5.3, 7.0])
@pytest.mark.parametrize(("reports", "sds"), [(50, 1.5), (100, 1)])
def test_an_oscillation_of_the_stated_size_is_found(
    reports: int, sds: float, period: float
) -> None:
    findings = [found(wave(reports, period, sds), seed) for seed in range(40)]
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


def test_noise_that_all_trials_share_is_no_oscillation() -> None:
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        shared = SD * rng.normal(size=60)
        own = SD * rng.normal(size=(16, 60))
        (finding,) = periodicity(*known(val=falling(60) + shared + own))
        alarms += finding.level == "warning"

    assert alarms <= 2


def test_smooth_curves_do_not_oscillate() -> None:
    steep = np.exp(-np.linspace(0, 4, 40))

    assert found(steep + falling(40), sd=1e-5).level == "ok"


def test_noise_that_turns_around_is_no_oscillation() -> None:
    rng = np.random.default_rng(0)
    noise = SD * rng.normal(size=(16, 61))

    (finding,) = periodicity(*known(val=falling(60) + np.diff(noise, axis=1)))

    assert finding.level == "ok"


def test_a_few_reports_tell_no_period() -> None:
    finding = found(falling(20))

    assert finding.level == "unknown"
    assert finding.evidence == plain(finding.evidence)
