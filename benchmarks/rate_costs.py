"""What a range test costs, beside bare loops of as many updates.

python -m benchmarks.rate_costs --rounds 5

Three sweeps and the training that confirms what they suggest, against four trainings
with fresh weights that make the same updates, in turn, in one process and on one
thread. The networks are from one that takes 300 microseconds an update, which is mostly
Python, to one whose arithmetic counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from torch import nn

from danlu.training import Probe

from .rate_range import probe
from .rate_tasks import Characters, Task, dense, digits, entropy, noisy_regression
from .training_costs import cpu_s

BUILDS = 4  # of models: a sweep each, and the training at the end


def convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, 10),
    )


def measured_on() -> Iterator[Task]:
    """Tasks of several sizes."""
    train, val = digits()
    yield noisy_regression()
    yield Task("digits, 64 wide", dense, "adamw", 64, train, val, entropy)
    yield Task("digits, convolutions", convolutions, "sgd", 64, train, val, entropy)
    letters = torch.randint(0, 40, (2, 512, 32))
    parts = (letters[0], letters[0] // 2), (letters[1], letters[1] // 2)
    yield Task(
        "letters, a transformer", lambda: Characters(40), "adamw", 32, *parts, entropy
    )


def ways(own: Probe) -> Mapping[str, Callable[[], object]]:
    """The range test, and loops of as many updates as it made."""
    made = updates(own)

    def bare() -> None:
        for build in range(BUILDS):
            model, optimizer = own.build(seed=build)
            for batch in islice(own.batches(seed=build), made // BUILDS):
                own.update(model, optimizer, batch)

    return {"a bare loop": bare, "lr_range": own.lr_range}


def updates(own: Probe) -> int:
    """How many updates its range test makes."""
    made = 0

    def step(model: nn.Module, optimizer: Any, batch: Any) -> None:
        nonlocal made
        made += 1
        own.update(model, optimizer, batch)

    replace(own, step=step).lr_range()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="at least 4")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    for task in measured_on():
        own = probe(task, 0)
        bare_s, ours_s = cpu_s(ways(own), rounds).values()
        each_us = 1e6 * bare_s / updates(own)
        ratio = ours_s / bare_s
        print(f"{task.name:<24} {each_us:7.0f} us an update {ratio:6.2f}", flush=True)


if __name__ == "__main__":
    main()
