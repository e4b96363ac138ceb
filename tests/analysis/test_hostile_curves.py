"""Whatever a training program reports, the checks of curves say something."""

from __future__ import annotations

import numpy as np
import pytest

from danlu.analysis.budget_agreement import budget_agreement
from danlu.analysis.classes import classes
from danlu.analysis.improving import still_improving
from danlu.analysis.overfitting import overfitting
from danlu.analysis.periodic import periodicity
from danlu.analysis.rising import training_rises
from danlu.analysis.saturated import saturation
from danlu.analysis.step_budget import step_budget
from danlu.analysis.step_variance import step_variance
from danlu.history import History
from danlu.study import Study
from danlu.trial import Curve, State, Trial
from tests.analysis.curves import Array, plain
from tests.studies import bowl

CHECKS = (
    budget_agreement,
    overfitting,
    periodicity,
    saturation,
    step_budget,
    step_variance,
    still_improving,
    training_rises,
)
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=40)
ODD = {
    "constant": np.ones(40),
    "zero": np.zeros(40),
    "nan inside": np.where(np.arange(40) % 7 == 3, np.nan, NOISE),
    "nan alone": np.full(40, np.nan),
    "infinite": np.where(np.arange(40) > 30, np.inf, NOISE),
    "too large to square": 1e308 * np.ones(40) * np.sign(NOISE),
    "tiny": 1e-300 * NOISE,
    "one jump": np.where(np.arange(40) < 20, 1.0, 0.0),
    "alternating": np.arange(40) % 2.0,
    "errors counted": np.round(NOISE),
    "exact fall": 1.0 / np.arange(1, 41),
    "one report": np.ones(1),
    "eight reports": NOISE[:8],
    "eight alike": np.ones(8),
    "none": np.empty(0),
}


def trial(number: int, values: Array, training: Array | None) -> Trial:
    own = {"val_error": values}
    if training is not None:
        own["train_loss"] = training
    curves = {name: Curve(np.arange(1, len(v) + 1), v) for name, v in own.items()}
    return Trial(number, {"x": 0.5}, State.COMPLETED, curves=curves)


def known(*trials: Trial) -> tuple[Study, History]:
    study = bowl(metric="val_error", max_steps=40)
    space = study.search_space
    return study, History(space, study.objective, trials, max_steps=40)


@pytest.mark.parametrize("training", [None, *ODD])
@pytest.mark.parametrize("validation", ODD)
def test_odd_curves_are_no_trouble(validation: str, training: str | None) -> None:
    own = None if training is None else ODD[training]
    study, history = known(*(trial(k, ODD[validation], own) for k in range(12)))

    for check in CHECKS:
        (finding,) = check(study, history)
        assert finding.evidence == plain(finding.evidence)
        assert "nan" not in finding.message
        if finding.level == "unknown":
            assert finding.evidence["missing"] >= 1
    assert set(classes(history).read) <= set(range(12))


def test_curves_of_all_kinds_stand_beside_each_other() -> None:
    values = list(ODD.values())
    study, history = known(*(trial(k, own, own[::-1]) for k, own in enumerate(values)))

    for check in CHECKS:
        assert len(check(study, history)) == 1


def test_flat_trials_without_any_noise_are_saturated() -> None:
    _, history = known(*(trial(k, ODD["one jump"], None) for k in range(12)))

    assert classes(history).share("saturated") == 1
