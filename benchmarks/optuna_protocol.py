"""Optuna behind the line protocol of `protocol.py`, as its users call it.

PEER_PYTHON benchmarks/optuna_protocol.py tpe

A loss that is not finite is told as nan, which Optuna takes as a failed trial and its
samplers leave out; `tpe_1e6` is told a million instead. An ordered choice of whole
numbers in a row is an integer. What is believed is queued as the first trial.
"""

from __future__ import annotations

import json
import math
import os
import sys
import warnings
from typing import Any

import optuna

SAMPLERS = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "tpe_group": lambda seed: optuna.samplers.TPESampler(
        seed=seed, multivariate=True, group=True
    ),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}
LARGE = 1e6  # what many write for a training that diverged


class Run:
    """One study in memory, asked and told."""

    def __init__(self, init: dict[str, Any], name: str) -> None:
        self.space = init["space"]
        self.worst = LARGE if name.endswith("_1e6") else math.nan
        sampler = SAMPLERS[name.removesuffix("_1e6")](init["seed"])
        self.study = optuna.create_study(sampler=sampler)
        believed = {
            one["name"]: one["belief"]["center"]
            for one in self.space
            if one.get("belief")
        }
        if believed:
            self.study.enqueue_trial(believed)
        self.running: dict[int, Any] = {}

    def ask(self) -> dict[str, Any]:
        trial = self.study.ask()
        self.running[trial.number] = trial
        params: dict[str, Any] = {}
        for one in self.space:
            if is_active(one, params):
                params[one["name"]] = suggest(trial, one)
        return {"id": trial.number, "config": params}

    def tell(self, told: dict[str, Any]) -> dict[str, Any]:
        value = told["value"]
        finite = value is not None and math.isfinite(value)
        trial = self.running.pop(told["id"])
        self.study.tell(trial, value if finite else self.worst)
        return {"ok": True}


def is_active(one: dict[str, Any], params: dict[str, Any]) -> bool:
    condition = one.get("cond")
    return condition is None or params.get(condition["parent"]) in condition["in"]


def suggest(trial: Any, one: dict[str, Any]) -> Any:
    name = one["name"]
    if one["type"] == "cat":
        options = one["choices"]
        if one.get("ordered") and options == list(range(options[0], options[-1] + 1)):
            return trial.suggest_int(name, options[0], options[-1])
        return trial.suggest_categorical(name, options)
    number = trial.suggest_int if one["type"] == "int" else trial.suggest_float
    return number(name, one["low"], one["high"], log=one["log"])


def main() -> None:
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    run = None
    for line in sys.stdin:
        ((verb, said),) = json.loads(line).items()
        if verb == "stop":
            return
        if verb == "init":
            run, answer = Run(said, sys.argv[1]), {"ok": True}
        else:
            answer = run.ask() if verb == "ask" else run.tell(said)
        out.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
