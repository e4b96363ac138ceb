from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from danlu.analysis.base import Level
from danlu.analysis.compared import holm
from danlu.analysis.isolation import isolation, isolations
from danlu.domain import Choice, Domain, Float
from danlu.history import History
from danlu.metric import Metric
from danlu.study import Study
from tests.analysis.drawn import drawn

DRAWS = 20
ARMS: dict[str, Domain] = {
    "opt": Choice(["adam", "sgd"]),
    "a": Float(0, 1),
    "b": Float(0, 1),
}


def two_arms(lead: float, seed: int, *, count: int = 40, **changes: Any) -> Any:
    """Bowls with their lowest points anywhere inside; adam's is lower by `lead`."""
    rng = np.random.default_rng(seed)
    best = {opt: rng.uniform(0.2, 0.8, 2) for opt in ("adam", "sgd")}

    def surface(params: Mapping[str, Any]) -> float:
        a, b = best[params["opt"]]
        behind = lead if params["opt"] == "sgd" else 0.0
        return float(4 * (params["a"] - a) ** 2 + 4 * (params["b"] - b) ** 2 + behind)

    return drawn(
        ARMS, surface, count=count, seed=seed, noise=0.02, scientific=["opt"], **changes
    )


def test_a_lead_of_three_tenths_of_a_bowl_is_told() -> None:
    told = 0
    for seed in range(DRAWS):
        finding = isolation(*two_arms(0.3, seed))[0]
        told += finding.level is Level.OK and finding.evidence["best"] == "opt=adam"

    assert told >= 0.85 * DRAWS  # 90 % over many draws


def test_equal_arms_are_told_apart_rarely() -> None:
    levels = [isolation(*two_arms(0.0, seed))[0].level for seed in range(DRAWS)]

    assert levels.count(Level.OK) <= 0.05 * DRAWS


def test_the_missing_trials_are_more_for_a_smaller_lead() -> None:
    near = isolation(*two_arms(0.05, 3))[0]
    far = isolation(*two_arms(0.15, 3))[0]

    assert [Level.UNKNOWN, Level.UNKNOWN] == [near.level, far.level]
    assert near.evidence["missing"] > far.evidence["missing"] >= 4


def test_an_arm_without_trials_is_told() -> None:
    (finding,) = isolation(*two_arms(0.0, 0, count=5, trials=40))

    assert (Level.UNKNOWN, 3) == (finding.level, finding.evidence["missing"])


def test_equal_effort_counts() -> None:
    study, history = two_arms(0.0, 0)
    kept = [
        trial
        for trial in history.trials
        if trial.params["opt"] == "adam" or trial.number < 20
    ]
    fewer = History(history.space, history.metric, kept)

    (seen,) = isolations(study, fewer)

    assert 10 == seen.effort
    assert [20, 10] == [row.trials for row in seen.rows]
    losses = [fewer.loss(t) or 0 for t in kept if t.params["opt"] == "adam"]
    assert seen.rows[0].best is not None
    assert seen.rows[0].best > min(losses)
    assert "unequal effort" in isolation(study, fewer)[1].message


def test_the_band_of_a_metric_to_maximize_is_in_its_own_units() -> None:
    def surface(params: Mapping[str, Any]) -> float:
        return float(0.9 - (params["a"] - 0.5) ** 2)

    metric = Metric("loss", maximize=True)
    own = drawn(ARMS, surface, count=32, seed=0, scientific=["opt"], metric=metric)
    (seen,) = isolations(*own)

    row = seen.rows[0]
    assert row.low is not None
    assert row.best is not None
    assert row.high is not None
    assert 0.8 < row.low <= row.best <= row.high <= 0.9


def test_a_continuous_value_is_cut_in_buckets() -> None:
    space: dict[str, Domain] = {"wd": Float(1e-4, 1.0, log=True), "b": Float(0, 1)}
    own = drawn(
        space, lambda params: float(params["b"]), count=40, seed=0, scientific=["wd"]
    )

    (seen,) = isolations(*own)

    assert [
        "wd 0.0001 to 0.001",
        "wd 0.001 to 0.01",
        "wd 0.01 to 0.1",
        "wd 0.1 to 1",
    ] == [row.name for row in seen.rows]
    assert {10} == {row.trials for row in seen.rows}


def test_each_value_of_a_lone_arm_has_its_row() -> None:
    options = [f"act{k}" for k in range(6)]
    space: dict[str, Domain] = {"act": Choice(options), "b": Float(0, 1)}
    own = drawn(space, lambda p: float(p["b"]), count=20, seed=0, scientific=["act"])

    (seen,) = isolations(*own)

    assert ({},) == own[0].arms
    assert [f"act={option}" for option in options] == [row.name for row in seen.rows]


def test_an_infeasible_trial_is_an_effort() -> None:
    def surface(params: Mapping[str, Any]) -> float | None:
        return None if params["a"] > 0.5 else float(params["b"])

    (seen,) = isolations(*drawn(ARMS, surface, count=32, seed=0, scientific=["opt"]))

    assert 16 == seen.effort


def test_nothing_scientific_is_nothing_to_isolate() -> None:
    study = Study("s", "Which a?", "loss", {"a": Float(0, 1)}, trials=4)

    (finding,) = isolation(study, History(study.search_space, study.objective))

    assert Level.OK == finding.level


def test_holm_corrects_the_smallest_most() -> None:
    assert [0.03, 0.06, 0.06] == pytest.approx(holm([0.01, 0.04, 0.03]))
