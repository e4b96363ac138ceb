"""Is the suggested rate usable? Range tests against grids of real trainings.

A suggestion is usable where a training with it would end at a validation loss of at
most twice that of the best rate of the grid; the loss between two rates of the grid is
read off a straight line, both on a log scale. The second figure is the same for a loss
of at most a tenth more than the best. Run by

    python -m benchmarks.rate_range [--data FOLDER] [--peer-python PYTHON] [--seeds 20]

What was measured is a line of `--results`, and is not measured again.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch

from danlu.training import Probe

from .rate_finders import FINDERS
from .rate_tasks import Task, tasks
from .speaker import Speaker

RATES = [1e-5, 1e-4, *(10 ** (power / 4) for power in range(-12, 1)), 10.0]
UPDATES = 150
GRID_SEEDS = (1000, 1001)
TWICE, TENTH = 2.0, 1.1
OURS = "danlu"


class Results:
    """Lines of a file, each measured once; without a file, kept in memory alone."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.known: dict[tuple[Any, ...], Any] = {}
        if path is not None and path.exists():
            for line in path.read_text("utf-8").splitlines():
                key, value = json.loads(line)
                self.known[tuple(key)] = value

    def get(self, key: tuple[Any, ...], measure: Callable[[], Any]) -> Any:
        """What is known for the key, measured first if need be."""
        if key not in self.known:
            self.known[key] = measure()
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, self.known[key]]) + "\n")
        return self.known[key]


def probe(task: Task, seed: int) -> Probe:
    """The task as the range test takes it."""
    return Probe(
        model=lambda params: task.model(),
        optimizer=lambda model, params: task.optimizer(model, params["lr"]),
        loss=task.loss,
        train=task.train,
        val=task.val,
        batch_size=task.batch,
        seed=seed,
    )


def our_answer(task: Task, seed: int) -> dict[str, Any]:
    """The suggestion of one seed, with its spread and verdict."""
    found = probe(task, 100 * seed).lr_range()  # seeds of sweeps are in a row
    return {
        "rate": found.suggestion,
        "verdict": found.verdict,
        "spread": found.spread,
        "high": found.high,
    }


def losses(task: Task) -> list[float]:
    """The mean validation loss at each rate of the grid."""
    return [
        mean(_finite(task.trained(rate, UPDATES, seed)[1]) for seed in GRID_SEEDS)
        for rate in RATES
    ]


def _finite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf


def loss_at(rate: float, grid: Sequence[float]) -> float:
    """The loss of a training at the rate, between those of the grid.

    >>> loss_at(10.0, [1.0] * (len(RATES) - 1) + [2.0])
    2.0
    """
    logs = [math.log(own) if math.isfinite(own) else math.inf for own in grid]
    return math.exp(np.interp(math.log(rate), np.log(RATES), logs))


def share(rates: Sequence[float | None], grid: Sequence[float], factor: float) -> int:
    """How many of the rates end at no more than `factor` times the least loss."""
    limit = factor * min(grid)
    return sum(rate is not None and loss_at(rate, grid) <= limit for rate in rates)


def measured(
    task: Task, seeds: int, results: Results, peer: Speaker | None
) -> dict[str, list[float | None]]:
    """The suggestions of each finder, seed by seed."""
    rates: dict[str, list[float | None]] = {OURS: []}
    for seed in range(seeds):
        key = (task.name, seed)
        ours = results.get((*key, OURS), partial(our_answer, task, seed))
        rates[OURS].append(ours["rate"])
    if peer is not None and " of workloads" not in task.name:
        for finder, seed in ((f, s) for f in FINDERS for s in range(seeds)):
            said = {"task": task.name, "finder": finder, "seed": seed}
            answer = results.get(
                (task.name, seed, finder), partial(peer.say, "find", said)
            )
            for name, rate in answer["found"].items():
                rates.setdefault(name, []).append(rate)
    return rates


def rows(
    task: Task, grid: Sequence[float], rates: dict[str, list[float | None]], seeds: int
) -> Iterator[str]:
    """Lines of the table for one task."""
    best = RATES[int(np.argmin(grid))]
    for name, own in rates.items():
        known = [rate for rate in own if rate is not None]
        middle = f"{median(known):.2g}" if known else "-"
        yield (
            f"| {task.name} | {name} | {share(own, grid, TWICE)}/{seeds} | "
            f"{share(own, grid, TENTH)}/{seeds} | {middle} | {best:.2g} | "
            f"{min(grid):.3g} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", action="append", help="a part of a task's name")
    parser.add_argument("--peer-python")
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    results = Results(given.results)
    print("| task | range test | within 2x | within 1.1x | median | best | its loss |")
    print("|---|---|---|---|---|---|---|")
    with ExitStack() as stack:
        peer = None
        if given.peer_python:
            command = [given.peer_python, "-m", "benchmarks.rate_finders"]
            peer = stack.enter_context(Speaker(command))
            peer.say("init", {"data": str(given.data) if given.data else None})
        for task in tasks(given.data, more=True):
            if given.only and not any(part in task.name for part in given.only):
                continue
            grid = results.get((task.name, "grid"), partial(losses, task))
            found = measured(task, given.seeds, results, peer)
            for row in rows(task, grid, found, given.seeds):
                print(row, flush=True)


if __name__ == "__main__":
    main()
