from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("torch")

from benchmarks.preflight import SIDES, probe_of
from benchmarks.tuned import table
from benchmarks.workloads import workloads


def record(side: str, seed: int, error: float) -> dict[str, Any]:
    errors = {"val_error": [error, error], "test_error": [error, error]}
    return {"workload": "digits", "side": side, "seed": seed, **errors}


def test_the_probe_trains_as_the_workload_does() -> None:
    digits = workloads(None)["digits"]
    probe = probe_of(digits, seed=3)
    _, optimizer = probe.build()
    (group,) = optimizer.param_groups

    assert probe.updates == 10 * 10  # 297 examples in batches of 32, 10 epochs
    assert (group["lr"], group["weight_decay"]) == (1e-3, 1e-2)
    assert group["betas"] == (0.9, 0.999)


def test_only_seeds_of_both_sides_are_compared() -> None:
    both = [record("preflight", 0, 0.1), record("wide", 0, 0.3)]
    alone = [record("wide", 1, 0.9)]
    line = table([*both, *alone], SIDES[:2]).splitlines()[2]

    assert line == "| digits | val_error | 1 | 0.1000 | 0.3000 | -0.2000 ± nan | 1 |"
