from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from danlu.analysis.base import Finding, Level
from danlu.analysis.boundary import boundary
from danlu.analysis.widen import widened
from danlu.domain import Choice, Domain, Float, Int
from danlu.history import History
from danlu.space import Dimension
from danlu.study import Study
from danlu.trial import Curve, State, Trial
from tests.analysis.drawn import Surface, bowl, drawn, unit

DRAWS = 20


def found(findings: tuple[Finding, ...]) -> set[tuple[str, str]]:
    """Path and edge of each warning."""
    return {
        (finding.evidence["path"], finding.evidence["edge"])
        for finding in findings
        if finding.level is Level.WARNING
    }


def inside(seed: int, count: int) -> dict[str, float]:
    """An optimum well inside of the unit cube."""
    places = np.random.default_rng(seed).uniform(0.2, 0.8, count)
    return dict(zip(unit(count), places.tolist(), strict=True))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_bowl_a_third_of_the_range_outside_is_found(count: int) -> None:
    hits = 0
    for seed in range(DRAWS):
        optimum = {**inside(seed, count), "a": 4 / 3}
        own = drawn(unit(count), bowl(optimum), count=10 * count, seed=seed, noise=0.05)
        hits += found(boundary(*own)) == {("a", "high")}

    assert hits >= 0.9 * DRAWS


def stopped_early(study: Study, history: History, seed: int) -> tuple[Study, History]:
    """The study in which half of the trials were stopped, wherever they are."""
    rng = np.random.default_rng(seed)

    def cut(trial: Trial) -> Trial:
        loss = history.loss(trial)
        assert loss is not None
        curves = {"loss": Curve.of({1: loss + 8 * rng.random()})}
        return replace(trial, state=State.STOPPED, curves=curves)

    trials = [cut(own) if rng.random() < 0.5 else own for own in history.trials]
    return study, replace(history, trials=trials)


def test_trials_that_were_stopped_early_do_not_hide_an_edge() -> None:
    hits = 0
    for seed in range(DRAWS):
        own = drawn(unit(2), bowl({"a": 1.2, "b": 0.5}), count=40, seed=seed, noise=0.1)
        hits += found(boundary(*stopped_early(*own, seed))) == {("a", "high")}

    assert hits >= 0.9 * DRAWS


@pytest.mark.parametrize("count", [2, 3, 5])
def test_an_optimum_inside_alarms_rarely(count: int) -> None:
    alarms = 0
    for seed in range(DRAWS):
        optimum = inside(seed, count)
        del optimum["b"]  # one of them changes nothing
        own = drawn(unit(count), bowl(optimum), count=10 * count, seed=seed, noise=0.05)
        alarms += bool(found(boundary(*own)))

    assert alarms <= 1


def test_the_new_bound_is_behind_the_lowest_point() -> None:
    own = drawn(unit(2), bowl({"a": 4 / 3, "b": 0.5}), count=40, seed=0)

    (finding,) = boundary(*own)

    assert {"low": 0.0, "high": 1.6} == finding.evidence["change"]["space"]["a"]


def test_a_bound_beside_infeasible_params_stays() -> None:
    surface = bowl({"a": 4 / 3, "b": 0.5})

    def diverging(params: Any) -> float | None:
        return None if params["a"] > 0.95 else surface(params)

    (finding,) = boundary(*drawn(unit(2), diverging, count=64, seed=1))

    assert Level.OK == finding.level
    assert "infeasible" in finding.message


def arms(seed: int, first: float) -> tuple[Study, History]:
    """Two arms of 40 trials; the first has its optimum in `a` at `first`."""
    optima = {"relu": {**inside(seed, 2), "a": first}, "gelu": inside(seed + 100, 2)}
    surfaces = {option: bowl(optimum) for option, optimum in optima.items()}
    return drawn(
        {"act": Choice(["relu", "gelu"]), **unit(2)},
        lambda params: surfaces[params["act"]](params),
        count=80,
        seed=seed,
        noise=0.05,
        scientific=["act"],
    )


def test_an_arm_whose_own_best_is_beyond_a_bound_is_found_and_named() -> None:
    said = [boundary(*arms(seed, 4 / 3)) for seed in range(DRAWS)]

    hits = [own[0] for own in said if found(own) == {("a", "high")}]
    assert len(hits) >= 0.8 * DRAWS
    assert {"act": "relu"} == hits[0].evidence["arm"]
    assert hits[0].message.startswith("The best trials of act=relu lie at the high end")


def test_arms_with_their_optima_inside_alarm_rarely() -> None:
    assert sum(bool(found(boundary(*arms(seed, 0.5)))) for seed in range(DRAWS)) <= 1


def test_a_bound_that_all_arms_crowd_is_said_once() -> None:
    space = {"act": Choice(["relu", "gelu"]), **unit(2)}
    surface = bowl({"a": 4 / 3, "b": 0.5})

    (finding,) = boundary(
        *drawn(space, surface, count=80, seed=0, noise=0.05, scientific=["act"])
    )

    assert "a" == finding.evidence["path"]
    assert "arm" not in finding.evidence


def test_only_trials_count_in_which_a_hyperparameter_is_active() -> None:
    space: dict[str, Domain] = {
        "opt": Choice({"adam": {"lr": Float(1e-4, 1e-2, log=True)}, "sgd": {}}),
        "b": Float(0, 1),
    }

    def surface(params: Any) -> float:
        lr = 3.0 if params["opt"] == "sgd" else np.log10(0.1 / params["lr"])
        return float(lr + params["b"])

    warnings = found(boundary(*drawn(space, surface, count=60, seed=3)))

    assert ("opt=adam/lr", "high") in warnings


def test_too_few_trials_say_how_many_are_missing() -> None:
    (finding,) = boundary(*drawn(unit(5), bowl({"a": 0.5}), count=14, seed=0))

    assert (Level.UNKNOWN, 6) == (finding.level, finding.evidence["missing"])


def test_an_adaptive_sampler_is_said() -> None:
    surface: Surface = bowl({"a": 4 / 3, "b": 0.5})

    (finding,) = boundary(*drawn(unit(2), surface, count=40, seed=0, sampler="tpe"))

    assert "that the sampler chose" in finding.message


@pytest.mark.parametrize(
    ("domain", "upper", "fields"),
    [
        (Float(1e-4, 1e-2, log=True), True, {"low": 1e-4, "high": 0.1, "log": True}),
        (Float(1e-4, 1e-2, log=True), False, {"low": 1e-5, "high": 1e-2, "log": True}),
        (Float(1, 2), True, {"low": 1.0, "high": 2.5}),
        (Float(0, 2), False, None),
        (Int(1, 4), False, None),
        (Int(2, 4), False, {"low": 1, "high": 4}),
        (Int(16, 256, log=True), True, {"low": 16, "high": 1024, "log": True}),
        (Choice([32, 64, 128], ordered=True), True, {"options": [32, 64, 128, 256]}),
        (Choice([10, 12, 14], ordered=True), False, {"options": [8, 10, 12, 14]}),
        (Choice(["s", "m", "l"], ordered=True), True, None),
    ],
)
def test_a_bound_moves_by_half_the_range(
    domain: Domain, upper: bool, fields: dict[str, Any] | None
) -> None:
    assert fields == widened(Dimension("x", "x", domain), upper, 0.5)


@pytest.mark.parametrize("name", ["dropout", "drop-rate", "attentionDropout"])
def test_a_share_stays_below_one(name: str) -> None:
    dropout = Dimension(name, name, Float(0.0, 0.5))

    assert {"low": 0.0, "high": 0.75} == widened(dropout, True, 1.0)


@pytest.mark.parametrize(
    ("name", "domain", "upper", "expected"),
    [
        ("scale", Float(1000, 1010), True, {"low": 1000.0, "high": 1015.0}),
        ("scale", Float(1000, 1010), False, {"low": 995.0, "high": 1010.0}),
        ("beta2", Float(0.9, 0.999), True, {"low": 0.9, "high": 0.9995}),
        ("x", Float(0.0, 1.0), True, {"low": 0.0, "high": 1.5}),
    ],
)
def test_a_bound_moves_outward_by_half_of_the_range(
    name: str, domain: Float, upper: bool, expected: dict[str, float]
) -> None:
    assert expected == pytest.approx(widened(Dimension(name, name, domain), upper, 0.5))
