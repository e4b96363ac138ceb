"""SMAC 2 behind the line protocol of `protocol.py`, with its hyperparameter facade.

PEER_PYTHON benchmarks/smac_protocol.py

A loss that is not finite is told as that of a crashed trial, with the cost of 1e6.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import tempfile
import warnings
from typing import Any

import ConfigSpace
from smac import HyperparameterOptimizationFacade, Scenario
from smac.runhistory import StatusType
from smac.runhistory.dataclasses import TrialValue

LARGE = 1e6  # infinity, which is SMAC's own, is refused by its forest


class Run:
    """One optimization, asked and told."""

    def __init__(self, init: dict[str, Any]) -> None:
        scenario = Scenario(
            space_of(init["space"], init["seed"]),
            deterministic=True,
            seed=init["seed"],
            n_trials=init["max_trials"],
            output_directory=tempfile.mkdtemp(prefix="smac"),
        )
        self.smac = HyperparameterOptimizationFacade(
            scenario, unused, overwrite=True, logging_level=logging.ERROR
        )
        self.running: list[Any] = []

    def ask(self) -> dict[str, Any]:
        trial = self.smac.ask()
        self.running.append(trial)
        params = {
            name: value.item() if hasattr(value, "item") else value
            for name, value in dict(trial.config).items()
        }
        return {"id": len(self.running) - 1, "config": params}

    def tell(self, told: dict[str, Any]) -> dict[str, Any]:
        value = told["value"]
        finite = value is not None and math.isfinite(value)
        status = StatusType.SUCCESS if finite else StatusType.CRASHED
        found = TrialValue(cost=value if finite else LARGE, status=status)
        self.smac.tell(self.running[told["id"]], found, save=False)
        return {"ok": True}


def unused(config: Any, seed: int = 0) -> float:
    """SMAC wants a function even where it is asked and told."""
    return 0.0


def space_of(entries: list[dict[str, Any]], seed: int) -> Any:
    space = ConfigSpace.ConfigurationSpace(seed=seed)
    made = {one["name"]: hyperparameter(one) for one in entries}
    space.add(*made.values())
    for one in entries:
        if condition := one.get("cond"):
            parent = made[condition["parent"]]
            own = made[one["name"]]
            space.add(ConfigSpace.InCondition(own, parent, condition["in"]))
    return space


def hyperparameter(one: dict[str, Any]) -> Any:
    name = one["name"]
    if one["type"] == "cat":
        if one.get("ordered"):
            return ConfigSpace.OrdinalHyperparameter(name, one["choices"])
        return ConfigSpace.CategoricalHyperparameter(name, one["choices"])
    number = {
        "int": ConfigSpace.UniformIntegerHyperparameter,
        "float": ConfigSpace.UniformFloatHyperparameter,
    }[one["type"]]
    return number(name, one["low"], one["high"], log=one["log"])


def main() -> None:
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    run = None
    for line in sys.stdin:
        ((verb, said),) = json.loads(line).items()
        if verb == "stop":
            return
        if verb == "init":
            run, answer = Run(said), {"ok": True}
        else:
            answer = run.ask() if verb == "ask" else run.tell(said)
        out.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
