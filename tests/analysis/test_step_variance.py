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
    levels = np.linspace(0, 4 * 3 * SD, 16)  # 3 sds to the middle of the better half
    findings = [found(seed, levels, reports) for seed in range(40)]

    assert np.mean([own.level == "warning" for own in findings]) <= 0.05
    assert findings[0].evidence == plain(findings[0].evidence)
