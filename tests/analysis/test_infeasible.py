from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from danlu.analysis.base import Level
from danlu.analysis.infeasible import infeasible
from danlu.analysis.splits import Side
from danlu.domain import Choice, Domain, Float, Int
from danlu.history import History
from danlu.space import Dimension
from danlu.trial import State
from tests.analysis.drawn import bowl, drawn, unit

DRAWS = 10
BOWL = bowl({"a": 0.4, "b": 0.6})


def corner(params: Mapping[str, Any]) -> float | None:
    """An eighth of the space diverges."""
    return None if params["a"] > 0.75 and params["b"] > 0.5 else BOWL(params)


@pytest.mark.parametrize(("count", "trials"), [(2, 40), (4, 40), (6, 60)])
def test_a_corner_that_diverges_is_found(count: int, trials: int) -> None:
    found = 0
    for seed in range(DRAWS):
        own = drawn(unit(count), corner, count=trials, seed=seed)
        found += "a above" in infeasible(*own)[0].evidence.get("where", "")

    assert found >= 0.9 * DRAWS


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_trials_that_diverge_anywhere_are_given_no_region(share: float) -> None:
    regions = 0
    for seed in range(2 * DRAWS):
        rng = np.random.default_rng(seed)

        def anywhere(params: Mapping[str, Any], luck: Any = rng) -> float | None:
            return None if luck.random() < share else BOWL(params)

        own = drawn(unit(4), anywhere, count=40, seed=seed)
        regions += "where" in infeasible(*own)[0].evidence

    assert regions <= 1


def test_a_region_of_one_condition_may_be_left_out() -> None:
    space: dict[str, Domain] = {"lr": Float(1e-4, 1.0, log=True), "b": Float(0, 1)}

    def diverging(params: Mapping[str, Any]) -> float | None:
        return None if params["lr"] > 0.1 else params["b"]

    finding = infeasible(*drawn(space, diverging, count=64, seed=0))[0]

    fields = finding.evidence["change"]["space"]["lr"]
    assert Level.WARNING == finding.level
    assert (1e-4, True) == (fields["low"], fields["log"])
    assert 0.07 < fields["high"] < 0.14


def test_an_option_that_diverges_may_be_left_out() -> None:
    space: dict[str, Domain] = {"act": Choice(["relu", "gelu", "tanh"])}

    def diverging(params: Mapping[str, Any]) -> float | None:
        return None if params["act"] == "tanh" else 0.5

    finding = infeasible(*drawn(space, diverging, count=30, seed=0))[0]

    assert "act = tanh" == finding.evidence["where"]
    assert {"options": ["relu", "gelu"]} == finding.evidence["change"]["space"]["act"]


def test_no_infeasible_trial_is_fine() -> None:
    (finding,) = infeasible(*drawn(unit(2), BOWL, count=20, seed=0))

    assert Level.OK == finding.level


def test_failed_trials_are_counted_apart() -> None:
    study, history = drawn(unit(2), BOWL, count=20, seed=0)
    failed = [
        replace(trial, state=State.FAILED) if trial.number < 5 else trial
        for trial in history.trials
    ]

    own = infeasible(study, History(history.space, history.metric, failed))

    assert [Level.OK, Level.NOTICE] == [finding.level for finding in own]
    assert [0, 1, 2, 3, 4] == own[1].evidence["trials"]


def test_of_few_trials_nothing_is_said() -> None:
    (finding,) = infeasible(*drawn(unit(2), corner, count=6, seed=0))

    assert (Level.UNKNOWN, 4) == (finding.level, finding.evidence["missing"])


def test_where_everything_diverges_there_is_no_region() -> None:
    (finding,) = infeasible(*drawn(unit(2), lambda _: None, count=20, seed=0))

    assert Level.WARNING == finding.level
    assert "where" not in finding.evidence


def test_a_study_without_any_value_is_a_warning_however_small() -> None:
    def nothing(params: Mapping[str, Any]) -> float | None:
        return None

    (three,) = infeasible(*drawn(unit(2), nothing, count=3, seed=0))
    (two,) = infeasible(*drawn(unit(2), nothing, count=2, seed=0))

    assert three.level is Level.WARNING
    assert "All 3 trials are infeasible" in three.message
    assert two.level is Level.UNKNOWN


@pytest.mark.parametrize(
    ("domain", "cut", "expected"),
    [
        (Int(1, 4), 0.5, "x above 2"),
        (Choice([32, 64, 128, 256], ordered=True), 0.5, "x above 64"),
        (Float(0, 10), 0.8, "x above 8"),
    ],
)
def test_what_is_above_a_threshold_does_not_hold_it(
    domain: Domain, cut: float, expected: str
) -> None:
    assert expected == Side(0, Dimension("x", "x", domain), cut, upper=True).words
