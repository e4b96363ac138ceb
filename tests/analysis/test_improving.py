from __future__ import annotations

import numpy as np
import pytest

from danlu.analysis.base import Finding
from danlu.analysis.improving import still_improving
from tests.analysis.curves import HEALTHY, Array, falling, known, noisy

SD = 0.01


def slow(reports: int, sds: float) -> Array:
    """Falls as 1 / sqrt(step), by so many sds of a report over the last quarter."""
    law = np.arange(1, reports + 1) ** -0.5
    slow: Array = law * sds * SD / (law[-(reports // 4) - 1] - law[-1])
    return slow


def found(seed: int, curve: Array, sd: float = SD) -> Finding:
    rng = np.random.default_rng(seed)
    (finding,) = still_improving(*known(val=noisy(curve, rng, trials=16, sd=sd)))
    return finding


@pytest.mark.parametrize(("reports", "sds"), [(100, 2.5), (20, 5)])
def test_a_fall_of_the_stated_size_is_found(reports: int, sds: float) -> None:
    curve = slow(reports, sds)
    detected = [found(seed, curve).level == "warning" for seed in range(60)]

    assert np.mean(detected) >= 0.9


@pytest.mark.parametrize("reports", [20, 50, 100])
@pytest.mark.parametrize("healthy", HEALTHY)
def test_healthy_curves_need_no_more_steps(healthy: object, reports: int) -> None:
    curve = healthy(reports)  # type: ignore[operator]
    tail = float(curve[-reports // 4] - curve[-1]) if healthy is falling else 0
    alarms = [
        found(seed, curve, max(SD, tail)).level == "warning" for seed in range(40)
    ]

    assert np.mean(alarms) <= 0.05
