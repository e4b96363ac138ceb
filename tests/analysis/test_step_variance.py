from __future__ import annotations

import numpy as np
import pytest

from danlu.analysis.base import Finding
from danlu.analysis.step_variance import step_variance
from tests.analysis.curves import Array, known, plain, plateau

SD = 0.01


def found(seed: int, levels: Array, reports: int = 50) -> Finding:
    rng = np.random.default_rng(seed)
    noise = SD * rng.normal(size=(len(levels), reports))
    (finding,) = step_variance(*known(val=levels[:, None] + plateau(reports) + noise))
    return finding


@pytest.mark.parametrize("reports", [10, 20, 100])
def test_trials_that_differ_by_noise_alone_are_found(reports: int) -> None:
    findings = [found(seed, np.zeros(16), reports) for seed in range(40)]

    assert np.mean([own.level == "warning" for own in findings]) >= 0.9


@pytest.mark.parametrize("reports", [10, 20, 100])
def test_trials_that_differ_more_are_told_apart(reports: int) -> None:
    levels = np.linspace(0, 4 * 4 * SD, 16)  # 4 sds to the middle of the better half
    findings = [found(seed, levels, reports) for seed in range(40)]

    assert np.mean([own.level == "warning" for own in findings]) <= 0.05
    assert findings[0].evidence == plain(findings[0].evidence)


def test_a_steep_start_is_not_taken_for_noise() -> None:
    levels = np.linspace(0, 0.2, 16)[:, None]
    noise = 0.003 * np.random.default_rng(0).normal(size=(16, 9))
    curves = levels + 0.1 + 0.5 / np.arange(1, 10) ** 1.2 + noise

    (finding,) = step_variance(*known(val=curves))

    assert finding.level == "ok"
    assert finding.evidence["steps"] == pytest.approx(0.003 * np.sqrt(2), rel=0.5)
