from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import danlu
from danlu.analysis.base import Finding
from danlu.analysis.overfitting import overfitting
from tests.analysis.curves import HEALTHY, Array, falling, known, noisy, plain, plateau

SD = 0.01


def bent(reports: int, rise: float) -> Array:
    """Falls to the middle of the training, then rises to its end."""
    share = np.linspace(0, 1, reports)
    low: Array = plateau(reports) + rise * np.maximum(0, 2 * share - 1)
    return low


def found(seed: int, validation: Array, training: Array | None) -> Finding:
    rng = np.random.default_rng(seed)
    curves = {"val": noisy(validation, rng, trials=16)}
    if training is not None:
        curves["train_loss"] = noisy(training, rng, trials=16)
    (finding,) = overfitting(*known(**curves))
    return finding


@pytest.mark.parametrize(("reports", "sds"), [(100, 2), (20, 5)])
def test_a_rise_of_the_stated_size_is_found(reports: int, sds: float) -> None:
    curve = bent(reports, sds * SD)
    detected = [
        found(seed, curve, falling(reports)).level == "warning" for seed in range(60)
    ]

    assert np.mean(detected) >= 0.9


@pytest.mark.parametrize("reports", [20, 50, 100])
@pytest.mark.parametrize("healthy", HEALTHY)
def test_healthy_curves_do_not_overfit(healthy: object, reports: int) -> None:
    curve = healthy(reports)  # type: ignore[operator]
    alarms = [found(seed, curve, curve).level == "warning" for seed in range(40)]

    assert np.mean(alarms) <= 0.05


def test_a_rise_of_both_is_not_overfitting() -> None:
    both = bent(50, 0.2)

    assert found(0, both, both).level == "ok"


def test_without_a_training_metric_it_may_be_instability() -> None:
    finding = found(0, bent(50, 0.2), None)

    assert finding.level == "warning"
    assert "may be instability" in finding.message
    assert "Report train_loss" in finding.advice


def test_the_evidence_is_plain_and_proposes_a_regularizer() -> None:
    evidence = found(0, bent(50, 0.2), falling(50)).evidence

    assert evidence == plain(evidence)
    assert "add" in evidence["change"]["space"]["weight_decay"]
    assert 0.9 <= evidence["share"] <= 1


def test_a_regularizer_is_known_as_a_command_line_spells_it() -> None:
    study, history = known(val=noisy(bent(50, 0.2), np.random.default_rng(0), 20))
    decay = {
        "weight-decay": danlu.Float(1e-6, 1e-3, log=True),
        **study.search_space.domains,
    }

    finding, *_ = overfitting(replace(study, space=decay), history)

    assert finding.evidence["change"]["space"] == {"weight-decay": {"high": 1e-2}}


def test_the_best_trial_of_each_arm_is_looked_at() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate(
        (
            noisy(falling(50), rng, trials=8),
            noisy(bent(50, 0.2), rng, trials=8) - 0.05,
        )
    )
    study, history = known(val=values, train_loss=noisy(falling(50), rng, trials=16))
    study = danlu.Study(
        name="arms",
        goal="Which is best?",
        metric="val",
        space={"x": danlu.Choice(["a", "b"]), "y": danlu.Float(0, 1)},
        scientific=["x"],
        trials=16,
    )
    trials = [
        danlu.Trial(
            own.number,
            {"x": "ab"[own.number // 8], "y": 0.5},
            own.state,
            curves=own.curves,
        )
        for own in history.trials
    ]
    history = danlu.History(study.search_space, study.objective, trials)

    (finding,) = overfitting(study, history)

    assert finding.evidence["arm"] == {"x": "b"}
    assert 0.4 <= finding.evidence["share"] <= 0.6
