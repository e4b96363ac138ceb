from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from danlu.analysis.base import Level
from danlu.analysis.boundary import boundary
from danlu.analysis.checks import Check
from danlu.analysis.coverage import coverage
from danlu.analysis.edge_of_stability import edge_of_stability
from danlu.analysis.importance import importance
from danlu.analysis.infeasible import infeasible
from danlu.analysis.isolation import isolation
from danlu.analysis.noise import noise
from danlu.domain import Choice, Domain, Float, Int
from danlu.jsontext import dumps
from tests.analysis.drawn import drawn

CHECKS: tuple[Check, ...] = (
    infeasible,
    boundary,
    edge_of_stability,
    coverage,
    isolation,
    importance,
    noise,
)
SPACE: dict[str, Domain] = {
    "opt": Choice(
        {
            "adam": {"lr": Float(1e-5, 1e-1, log=True), "beta": Float(0.8, 0.999)},
            "sgd": {"lr": Float(1e-3, 1.0, log=True)},
        }
    ),
    "depth": Int(1, 4),
    "width": Int(16, 2**70, log=True),
    "act": Choice(["relu", "gelu", "tanh"]),
    "batch": Choice([32, 64, 128, 256], ordered=True),
    "fixed": Float(1.0, 1.0),
    "only": Choice(["one"]),
}
SURFACES: Mapping[str, Callable[[Mapping[str, Any]], float | None]] = {
    "constant": lambda _: 1.0,
    "all infeasible": lambda _: None,
    "huge": lambda params: 1e300 * params["depth"],
    "both signs of huge": lambda params: 1.7e308 * (-1) ** params["depth"],
    "tiny": lambda params: 1e-300 * params["depth"],
    "two values": lambda params: float(params["depth"] > 2),
    "one is good": lambda params: math.log(params["width"]) + params["lr"],
    "most infeasible": lambda p: 1.0 * p["batch"] if p["depth"] == 1 else None,
}


@pytest.mark.parametrize("count", [0, 1, 7, 20, 60, 130])
@pytest.mark.parametrize("name", SURFACES)
def test_every_check_says_something_of_any_study(name: str, count: int) -> None:
    study, history = drawn(
        SPACE, SURFACES[name], count=count, seed=1, trials=130, scientific=["opt"]
    )

    for check in CHECKS:
        found = check(study, history)

        assert found
        for finding in found:
            assert finding.message
            assert "nan" not in finding.message
            assert dumps(dict(finding.evidence))
            if finding.level is Level.UNKNOWN:
                assert finding.evidence["missing"] > 0


def test_no_check_changes_the_global_generator() -> None:
    study, history = drawn(SPACE, SURFACES["one is good"], count=60, seed=1)
    np.random.seed(3)  # the generator that must stay as it is
    before = np.random.get_state()[1].tolist()  # type: ignore[index]

    for check in CHECKS:
        check(study, history)

    assert before == np.random.get_state()[1].tolist()  # type: ignore[index]


def test_the_same_study_is_told_the_same() -> None:
    study, history = drawn(SPACE, SURFACES["one is good"], count=60, seed=1)

    for check in CHECKS:
        assert check(study, history) == check(study, history)
