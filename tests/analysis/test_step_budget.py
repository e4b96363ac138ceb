from __future__ import annotations

import numpy as np
import pytest

from danlu.analysis.base import Finding
from danlu.analysis.step_budget import step_budget
from tests.analysis.curves import HEALTHY, Array, falling, known, noisy, plain

SD = 0.01


def early(reports: int) -> Array:
    """At its level after a twentieth of the steps."""
    level: Array = np.where(np.arange(reports) < reports / 20, 0.5, 0.0)
    return level


def found(seed: int, curve: Array, sd: float = SD) -> Finding:
    rng = np.random.default_rng(seed)
    (finding,) = step_budget(*known(val=noisy(curve, rng, trials=16, sd=sd)))
    return finding


def test_far_too_many_steps_are_found() -> None:
    findings = [found(seed, early(100)) for seed in range(40)]

    assert np.mean([own.level == "warning" for own in findings]) >= 0.9
    assert findings[0].evidence["change"]["max_steps"] <= 30


def test_too_few_steps_are_found() -> None:
    slow: Array = np.arange(1.0, 101) ** -0.5
    slow *= 2.5 * SD / (slow[74] - slow[99])
    findings = [found(seed, slow) for seed in range(40)]

    assert np.mean([own.level == "warning" for own in findings]) >= 0.9
    assert findings[0].evidence["change"] == {"max_steps": 200}
    assert sum(findings[0].evidence["histogram"]) == 8


@pytest.mark.parametrize("reports", [20, 50, 100])
@pytest.mark.parametrize("healthy", HEALTHY)
def test_healthy_curves_have_the_steps_they_need(healthy: object, reports: int) -> None:
    curve = healthy(reports)  # type: ignore[operator]
    tail = float(curve[-reports // 4] - curve[-1]) if healthy is falling else 0
    findings = [found(seed, curve, max(SD, tail)) for seed in range(40)]

    assert np.mean([own.level == "warning" for own in findings]) <= 0.05
    assert findings[0].evidence == plain(findings[0].evidence)
