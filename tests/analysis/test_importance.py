from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from danlu.analysis.base import Finding, Level
from danlu.analysis.effects import Shares, filling, totals
from danlu.analysis.forest import forest
from danlu.analysis.importance import importance, importances
from danlu.domain import Choice, Domain, Float
from tests.analysis.drawn import Surface, bowl, drawn, unit

DRAWS = 15
WEIGHTS = {"a": 1.0, "b": 0.5, "c": 0.3, "d": 0.0}


def bowls(seed: int) -> tuple[Surface, dict[str, float]]:
    places = np.random.default_rng(seed).uniform(0.2, 0.8, 4).tolist()
    optimum = dict(zip(WEIGHTS, places, strict=True))
    return bowl(optimum, **WEIGHTS), optimum


def fixed(findings: tuple[Finding, ...]) -> set[str]:
    changes = [own.evidence.get("change", {}).get("space", {}) for own in findings]
    return {path for change in changes for path in change}


def joint(findings: tuple[Finding, ...]) -> list[list[str]]:
    return [own.evidence["paths"] for own in findings if "interact" in own.message]


def test_what_changes_nothing_may_be_fixed_and_what_matters_not() -> None:
    hits, wrong = 0, 0
    for seed in range(DRAWS):
        surface, _ = bowls(seed)
        found = importance(*drawn(unit(4), surface, count=60, seed=seed, noise=0.05))
        hits += "d" in fixed(found)
        wrong += bool(fixed(found) - {"d"})

    assert hits >= 0.85 * DRAWS  # 90 % over many draws
    assert 0 == wrong


def test_a_product_is_found_and_none_where_there_is_none() -> None:
    hits, alarms = 0, 0
    for seed in range(DRAWS):
        surface, best = bowls(seed)

        def tilted(params: Mapping[str, Any], own: Any = (surface, best)) -> float:
            off = {name: params[name] - own[1][name] for name in "ab"}
            return float(own[0](params) + 2.5 * off["a"] * off["b"])

        tilt = importance(*drawn(unit(4), tilted, count=40, seed=seed, noise=0.05))
        hits += ["a", "b"] in joint(tilt)
        plain = importance(*drawn(unit(4), surface, count=40, seed=seed, noise=0.05))
        alarms += bool(joint(plain))

    assert hits >= 0.9 * DRAWS
    assert alarms <= 1


def test_what_is_fixed_has_the_value_of_the_best_trial() -> None:
    surface, _ = bowls(1)
    study, history = drawn(unit(4), surface, count=100, seed=1, noise=0.05)

    found = importance(study, history)

    (change,) = [own.evidence["change"] for own in found if "change" in own.evidence]
    best = history.ranked()[0].params["d"]
    assert {"space": {"d": {"fixed": best}}} == change


def test_a_scientific_hyperparameter_is_not_fixed() -> None:
    surface, _ = bowls(1)
    own = drawn(unit(4), surface, count=100, seed=1, noise=0.05, scientific=["d"])

    assert set() == fixed(importance(*own))


def test_noise_alone_is_not_enough_to_say() -> None:
    (finding,) = importance(*drawn(unit(3), lambda _: 0.0, count=60, seed=0, noise=1.0))

    assert (Level.UNKNOWN, 60) == (finding.level, finding.evidence["missing"])


def test_too_few_trials_say_how_many_are_missing() -> None:
    (finding,) = importance(*drawn(unit(2), bowl({"a": 0.5}), count=12, seed=0))

    assert (Level.UNKNOWN, 8) == (finding.level, finding.evidence["missing"])


def test_a_conditional_hyperparameter_counts_where_it_is_active() -> None:
    space: dict[str, Domain] = {
        "opt": Choice({"adam": {"lr": Float(0, 1)}, "sgd": {"rate": Float(0, 1)}}),
        "b": Float(0, 1),
    }

    def surface(params: Mapping[str, Any]) -> float:
        if params["opt"] == "adam":
            return float((params["lr"] - 0.4) ** 2 + 0.1 * params["b"])
        return 0.1 * float(params["b"])  # the rate of sgd changes nothing

    own = drawn(space, surface, count=120, seed=0, noise=0.002)
    seen = importances(*own)

    assert seen is not None
    rows = {row.path: row for row in seen.rows}
    assert "matters" == rows["opt=adam/lr"].verdict
    assert "insensitive" == rows["opt=sgd/rate"].verdict
    assert 60 == rows["opt=adam/lr"].trials
    assert rows["opt=adam/lr"].share > 0.5 > 0.1 > rows["opt=sgd/rate"].share


def test_an_option_matters_by_what_belongs_to_it() -> None:
    space: dict[str, Domain] = {
        "opt": Choice({"adam": {"lr": Float(0, 1)}, "sgd": {"rate": Float(0, 1)}}),
        "b": Float(0, 1),
    }

    def surface(params: Mapping[str, Any]) -> float:
        return float(params["lr"] if params["opt"] == "adam" else 3 + params["rate"])

    seen = importances(*drawn(space, surface, count=80, seed=0, noise=0.002))

    assert seen is not None
    rows = {row.path: row for row in seen.rows}
    assert "matters" == rows["opt"].verdict
    assert rows["opt"].share > 0.9 > 0.1 > rows["b"].share


def test_the_shares_of_a_known_function_are_found() -> None:
    # x + 2 y: variances 1/12 and 4/12 (Hutter et al., 2014, section 2: no interaction)
    rng = np.random.default_rng(0)
    points = rng.random((400, 3))
    values = points[:, 0] + 2 * points[:, 1]
    trees = forest(points, values, 16, rng)

    cut = [Shares(tree, {}) for tree in trees]
    alone = [np.mean([own.alone(j) / own.variance for own in cut]) for j in range(3)]
    both = np.mean([own.together(0, 1) / own.variance for own in cut])

    assert [0.2, 0.8, 0.0] == pytest.approx(alone, abs=0.05)
    assert both < 0.05


def test_all_shares_of_two_columns_are_the_whole_variance() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((200, 2))
    values = np.sin(6 * points[:, 0]) * points[:, 1]
    (tree,) = forest(points, values, 1, rng)

    own = Shares(tree, {})

    whole = own.alone(0) + own.alone(1) + own.together(0, 1)
    assert own.variance == pytest.approx(whole)


def test_the_total_of_what_says_nothing_is_around_zero() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((200, 2))
    values = points[:, 0]
    trees = forest(points, values, 16, rng)

    (first, second), explained = totals(trees, points, values, rng, together=[[0], [1]])

    assert first.share == pytest.approx(1.0, abs=0.1)
    assert second.share == pytest.approx(0.0, abs=0.01)
    assert explained > 0.95


def test_an_inactive_entry_is_filled_with_the_middle() -> None:
    assert [[0.2, 0.5]] == filling(np.array([[0.2, np.nan]])).tolist()
