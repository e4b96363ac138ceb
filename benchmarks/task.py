"""A tuning task that a harness can evaluate: generated, trained, or read from a folder.

Entries of a space are those of `benchmarks/protocol.py`.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

Entry = Mapping[str, Any]
Params = Mapping[str, Any]
# The loss that the optimizer sees and the one by which it is judged: they differ by the
# noise of one training. nan: the training diverged.
Train = Callable[[Params, int], tuple[float, float]]


@dataclass(frozen=True)
class Task:
    """A space and what a training in it reaches, from params and the run's seed.

    `best` and `median` are the lowest loss there is and that of random params, None
    where nobody knows: then the trials of all methods say it. `earlier` are studies to
    learn from, as an init message has them.
    """

    name: str
    space: Sequence[Entry]
    train: Train
    best: float | None = None
    median: float | None = None
    earlier: Sequence[Mapping[str, Any]] = ()

    @property
    def family(self) -> str:
        return self.name.partition(":")[0]


def entry(name: str, low: float, high: float, *, log: bool = False) -> dict[str, Any]:
    """A number's entry; two whole bounds make it a whole number."""
    whole = isinstance(low, int) and isinstance(high, int)
    kind = "int" if whole else "float"
    return {"name": name, "type": kind, "low": low, "high": high, "log": log}


def options(name: str, choices: Sequence[Any], *, ordered: bool = False) -> Entry:
    """A choice's entry."""
    return {"name": name, "type": "cat", "choices": list(choices), "ordered": ordered}


def under(parent: str, within: Sequence[Any], *entries: Entry) -> list[Entry]:
    """The entries, active where `parent` is one of `within`."""
    condition = {"parent": parent, "in": list(within)}
    return [{**one, "cond": condition} for one in entries]


def is_active(one: Entry, params: Params) -> bool:
    """Whether the params that stand before this entry switch it on."""
    condition = one.get("cond")
    return condition is None or params.get(condition["parent"]) in condition["in"]


def place(one: Entry, value: Any) -> float:
    """Where in [0, 1] a value lies, on the entry's own scale."""
    if one["type"] == "cat":
        return float((one["choices"].index(value) + 0.5) / len(one["choices"]))
    scale = math.log if one["log"] else float
    low, high = scale(one["low"]), scale(one["high"])
    return (scale(value) - low) / (high - low)


def value_at(one: Entry, u: float) -> Any:
    """The value at `u` in [0, 1]; whole numbers are rounded."""
    if one["type"] == "cat":
        return one["choices"][
            min(int(u * len(one["choices"])), len(one["choices"]) - 1)
        ]
    scale, back = (math.log, math.exp) if one["log"] else (float, float)
    low, high = scale(one["low"]), scale(one["high"])
    value = min(max(back(low + u * (high - low)), one["low"]), one["high"])
    return round(value) if one["type"] == "int" else value


def random_params(space: Sequence[Entry], rng: Generator) -> dict[str, Any]:
    """Params drawn evenly, each on its own scale."""
    params: dict[str, Any] = {}
    for one in space:
        u = rng.random()
        if is_active(one, params):
            params[one["name"]] = value_at(one, u)
    return params


def believing(task: Task, centers: Params, confidence: float) -> Task:
    """The task with a belief in each of the `centers`."""
    return replace(task, space=believing_space(task.space, centers, confidence))


def believing_space(
    space: Sequence[Entry], centers: Params, confidence: float
) -> list[Entry]:
    """The space with a belief in each of the `centers`."""
    beliefs = {
        name: {"center": center, "confidence": confidence}
        for name, center in centers.items()
    }
    return [{**one, "belief": beliefs.get(one["name"])} for one in space]


def after(task: Task, before: Task, trials: int) -> Task:
    """The task after so many random trials of another one, of which it learns."""
    rng = np.random.default_rng(0)
    drawn = [random_params(before.space, rng) for _ in range(trials)]
    told = [[params, before.train(params, 0)[0]] for params in drawn]
    return replace(task, earlier=[{"space": before.space, "trials": told}])


def from_folder(folder: Path, names: str) -> list[Task]:
    """The tasks of a benchmark folder, by the name of a list in its `splits.json`.

    None if there is no such list.
    Its `tasks.py` has `get_task(name)` with `space`, `stats` and `evaluate`.
    """
    sys.path.insert(0, str(folder))
    sys.modules.pop("tasks", None)  # of another folder
    theirs = import_module("tasks")
    lists = json.loads((folder / "splits.json").read_text("utf-8"))
    return [_adapted(theirs.get_task(name)) for name in lists.get(names, [])]


def _adapted(theirs: Any) -> Task:
    def train(params: Params, seed: int) -> tuple[float, float]:
        found = theirs.evaluate(dict(params), None, seed)
        return found["val_error"], found["true_error"]

    stats = theirs.stats
    return Task(theirs.name, theirs.space, train, stats["best"], stats["median"])


def digits() -> Task:
    """A network on scikit-learn's digits: real trainings of a second or less."""
    widths = [entry(f"width_{layer}", 8, 128, log=True) for layer in (1, 2, 3)]
    space = [
        options("solver", ["sgd", "adam"]),
        *under("solver", ["sgd"], entry("sgd_lr", 1e-4, 1.0, log=True)),
        *under("solver", ["sgd"], entry("momentum", 0.0, 0.99)),
        *under("solver", ["adam"], entry("adam_lr", 1e-5, 0.1, log=True)),
        *under("solver", ["adam"], entry("beta_1", 0.0, 0.99)),
        options("depth", [1, 2, 3], ordered=True),
        *under("depth", [1, 2, 3], widths[0]),
        *under("depth", [2, 3], widths[1]),
        *under("depth", [3], widths[2]),
        entry("alpha", 1e-6, 1.0, log=True),
        entry("batch_size", 16, 256, log=True),
    ]
    return Task("digits:mlp", space, _train_on_digits)


def _train_on_digits(params: Params, seed: int) -> tuple[float, float]:
    """The validation cross-entropy after 8 epochs; one training, so no other truth."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    x, y, held_x, held_y = _split_digits()
    own = {key: params[key] for key in ("solver", "alpha", "batch_size")}
    own |= {key: params[key] for key in ("momentum", "beta_1") if key in params}
    rate = params[f"{params['solver']}_lr"]
    widths = [params[f"width_{layer + 1}"] for layer in range(params["depth"])]
    network = MLPClassifier(
        widths, learning_rate_init=rate, max_iter=8, random_state=seed, **own
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 8 epochs are few
        try:
            network.fit(x, y)
        except ValueError as error:
            if "non-finite" not in str(error):
                raise
            return math.nan, math.nan
    found = float(log_loss(held_y, network.predict_proba(held_x)))
    return found, found


@cache
def _split_digits() -> tuple[Any, ...]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    train, held = order[:1200], order[1200:]
    return x[train] / 16, y[train], x[held] / 16, y[held]
