from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from danlu.analysis.base import Level
from danlu.analysis.edge_of_stability import edge_of_stability
from danlu.domain import Domain, Float, Int
from tests.analysis.drawn import Surface, drawn, unit

DRAWS = 20
RATES = {"lr": Float(1e-4, 1.0, log=True), "b": Float(0, 1), "c": Float(0, 1)}


def limited(optimum: float) -> Surface:
    """A bowl over the decades of lr that is cut off at 0.1, where training diverges."""

    def surface(params: Mapping[str, Any]) -> float | None:
        decade = math.log10(params["lr"])
        if decade > -1:
            return None
        others = (params["b"] - 0.4) ** 2 + (params["c"] - 0.6) ** 2
        return float(4 * ((decade - optimum) / 4) ** 2 + 4 * others)

    return surface


def warned(optimum: float) -> int:
    own = [
        drawn(RATES, limited(optimum), count=40, seed=s, noise=0.05)
        for s in range(DRAWS)
    ]
    return sum(edge_of_stability(*study)[0].level is Level.WARNING for study in own)


def test_a_rate_that_would_be_best_beyond_the_edge_is_found() -> None:
    assert warned(0.0) >= 0.9 * DRAWS


@pytest.mark.parametrize("decade", [-2.0, -2.5])
def test_a_rate_that_is_best_below_the_edge_alarms_rarely(decade: float) -> None:
    assert warned(decade) <= 0.05 * DRAWS


def test_ten_times_the_rate_and_a_warm_up_are_proposed() -> None:
    (finding,) = edge_of_stability(*drawn(RATES, limited(0.0), count=64, seed=0))

    space = finding.evidence["change"]["space"]
    assert 0.5 < space["lr"]["high"] < 2
    assert {"add": {"low": 0.0, "high": 0.1}} == space["warmup_share"]


def test_a_rate_is_known_as_a_command_line_spells_it() -> None:
    spelled = {
        "learning-rate" if name == "lr" else name: own for name, own in RATES.items()
    }

    def surface(params: Mapping[str, Any]) -> float | None:
        return limited(0.0)({**params, "lr": params["learning-rate"]})

    (finding,) = edge_of_stability(*drawn(spelled, surface, count=64, seed=0))

    assert "learning-rate" in finding.evidence["change"]["space"]


def test_where_there_is_a_warm_up_none_is_added() -> None:
    space: dict[str, Domain] = {**RATES, "warmup_steps": Int(0, 10)}

    (finding,) = edge_of_stability(*drawn(space, limited(0.0), count=64, seed=0))

    assert ["lr"] == list(finding.evidence["change"]["space"])


def test_without_divergence_all_is_well() -> None:
    own = drawn(RATES, lambda params: float(params["b"]), count=40, seed=0)

    (finding,) = edge_of_stability(*own)

    assert Level.OK == finding.level


def test_without_a_rate_there_is_nothing_to_say() -> None:
    (finding,) = edge_of_stability(
        *drawn(unit(2), limited(0.0), count=0, seed=0, trials=1)
    )

    assert Level.OK == finding.level
