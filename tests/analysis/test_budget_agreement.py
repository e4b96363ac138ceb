from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from danlu.analysis.base import Finding
from danlu.analysis.budget_agreement import budget_agreement
from danlu.metric import Metric
from tests.analysis.curves import known, plain


def found(seed: int, trials: int, correlation: float) -> Finding:
    """Losses at a third of the steps and at the end are normal, and so correlated."""
    rng = np.random.default_rng(seed)
    early, rest = rng.normal(size=(2, trials, 1))
    late = correlation * early + np.sqrt(1 - correlation**2) * rest
    curves = np.concatenate([early + 9 - 3 * k for k in range(3)], axis=1)
    curves = np.concatenate((curves, curves[:, -1:] - 3 + 0 * late), axis=1)
    curves = np.concatenate((curves, np.tile(late - 9, 5)), axis=1)
    (finding,) = budget_agreement(*known(val=curves))
    return finding


@pytest.mark.parametrize(("trials", "correlation"), [(40, 0.0), (15, -0.9)])
def test_orders_that_do_not_agree_are_found(trials: int, correlation: float) -> None:
    findings = [found(seed, trials, correlation) for seed in range(60)]

    assert np.mean([own.level == "warning" for own in findings]) >= 0.9


def test_orders_that_agree_are_trusted() -> None:
    correlation = np.sin(np.pi / 2 * 0.6)  # of normal samples with a tau of 0.6
    findings = [found(seed, 20, correlation) for seed in range(60)]

    assert np.mean([own.level == "warning" for own in findings]) <= 0.05
    assert np.mean([own.level == "ok" for own in findings]) >= 0.9
    assert findings[0].evidence == plain(findings[0].evidence)


def test_what_cannot_be_told_says_how_many_trials_are_missing() -> None:
    findings = [found(seed, 12, 0.3) for seed in range(20)]

    unknown = [own for own in findings if own.level == "unknown"]
    assert unknown
    assert all(own.evidence["missing"] >= 1 for own in unknown)


def test_nine_trials_are_one_too_few() -> None:
    assert found(0, 9, 0.5).evidence["missing"] == 1


def test_trials_without_a_value_of_the_metric_do_not_count() -> None:
    study, history = known(val=np.zeros((12, 9)), other=np.zeros((12, 9)))
    other = replace(history, metric=Metric("never_reported"))

    (finding,) = budget_agreement(study, other)

    assert finding.message.startswith("0 trials with a value")
    assert finding.evidence["missing"] == 10
