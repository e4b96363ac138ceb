"""Trainings that a harness can follow step by step: generated, or read from a folder.

A generated one ends at the loss f of `surfaces.smooth`, and comes to it by a power law:

    loss(t) = f + (0.9 - f) s(t),   s(t) = (p(t) - p(R)) / (1 - p(R)),
    p(t) = (1 + t / tau)^-1.5,      tau = R / 10 * 10^(-0.8 (heat - heat of the best))

so that s falls from 1 to 0, where R is the full length. Hot steps are fast at first and
end worse, so curves cross. What is seen has normal noise of 0.005 at each step.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .surfaces import FLOOR, NOISE, RANGE, heat, optimum, smooth
from .task import Entry, Params

FULL = 27  # steps of a generated training
POWER, QUICK, BY_HEAT = 1.5, 10, 0.8

# The losses of the steps after `first` up to `last`, from params, both, and the run's
# seed: as the optimizer sees them, and without noise.
Curve = Callable[[Params, int, int, int], tuple[list[float], list[float]]]


@dataclass(frozen=True)
class Training:
    """A space, and how each training in it goes.

    `steps` is the full length, `best` the lowest loss at any step, `median` that of
    random params at the end.
    """

    name: str
    space: Sequence[Entry]
    steps: int
    curve: Curve
    best: float
    median: float


def learning(instance: int) -> Training:
    """A generated training with seven hyperparameters."""
    task, hottest = smooth(instance), heat(optimum(instance))
    assert task.median is not None

    def curve(
        params: Params, first: int, last: int, seed: int
    ) -> tuple[list[float], list[float]]:
        _, end = task.train(params, seed)
        left = _left(heat(params) - hottest)
        true = (end + (FLOOR + RANGE - end) * left)[first:last]
        key = zlib.crc32(json.dumps(dict(params), sort_keys=True).encode())
        noise = NOISE * np.random.default_rng([seed, key]).normal(size=FULL)
        return (true + noise[first:last]).tolist(), true.tolist()

    name = f"learning:{instance}"
    return Training(name, task.space, FULL, curve, FLOOR, task.median)


def _left(hotter: float) -> Any:
    """s at the steps 1 to R: the share of the way to the end that is still to go."""
    tau = FULL / QUICK * 10 ** (-BY_HEAT * hotter)
    p = (1 + np.arange(1, FULL + 1) / tau) ** -POWER
    return (p - p[-1]) / (1 - p[-1])


def from_folder(folder: Path, names: str) -> list[Training]:
    """The tasks of a benchmark folder, by the name of a list in its `splits.json`.

    Its `tasks.py` has `get_task(name)` with `space`, `stats`, `max_fidelity` and
    `curve(params, first, last, seed)`, triples of a step, its loss and its cost.
    """
    sys.path.insert(0, str(folder))
    sys.modules.pop("tasks", None)  # of another folder
    theirs = import_module("tasks")
    listed = json.loads((folder / "splits.json").read_text("utf-8"))[names]
    return [_adapted(theirs.get_task(name)) for name in listed]


def _adapted(theirs: Any) -> Training:
    def curve(
        params: Params, first: int, last: int, seed: int
    ) -> tuple[list[float], list[float]]:
        losses = [loss for _, loss, _ in theirs.curve(dict(params), first, last, seed)]
        return losses, losses

    best, median = theirs.stats["best_any"], theirs.stats["median"]
    return Training(theirs.name, theirs.space, theirs.max_fidelity, curve, best, median)
