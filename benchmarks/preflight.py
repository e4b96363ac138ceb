"""Whole tunings with and without a pre-flight, after the same number of trained steps.

python -m benchmarks.preflight --data FOLDER --seeds 0-9
python -m benchmarks.preflight --data FOLDER --seeds 0-9 --trainings 10 --longer 5

All sides are `danlu tune` with the steps of 50 full trainings, or of so many. One that
is longer has so many times the updates, of which a pre-flight takes no more for it.
`preflight` looks for faults and for the learning rate first, searches the rate where it
was measured to be usable, and pays for it: each update of a test counts as much as one
of a training. `wide` begins with the space of `benchmarks.workloads`, `preset` with the
rates of danlu's own preset, `unknown` with those of somebody who has no idea. What each
ends with is trained again on the same five fresh seeds, as in `benchmarks.tuned`. Each
run is one line of `--results`; runs that are there are not done again. The tables go to
stdout.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

import danlu
from danlu import training

from .tuned import (
    FRESH,
    RETRAINED,
    Record,
    by_danlu,
    go_on,
    keyed,
    retrained,
)
from .workloads import Params, Workload

RATES = {
    "preset": danlu.presets.adamw().domains["lr"],
    "unknown": danlu.Float(1e-6, 10.0, log=True),
}
SIDES = ("preflight", "wide", *RATES)


def probe_of(workload: Workload, seed: int) -> training.Probe:
    """The workload's training as a probe, at the params that one would begin with."""
    parts = workload.parts()

    def loss(model: nn.Module, batch: Any) -> torch.Tensor:
        return cross_entropy(model(batch[0]), batch[1])

    return training.Probe(
        model=lambda params: workload.network(params, parts),
        optimizer=_optimizer,
        loss=loss,
        train=parts["train"],
        val=parts["val"],
        params=workload.usual,
        batch_size=workload.batch,
        seed=seed,
        updates=workload.epochs * math.ceil(len(parts["train"][0]) / workload.batch),
    )


def _optimizer(model: nn.Module, params: Params) -> torch.optim.Optimizer:
    """As in `Workload.train`."""
    return torch.optim.AdamW(
        model.parameters(),
        params["lr"],
        betas=(1 - params["one_minus_beta1"], 0.999),
        weight_decay=params["weight_decay"],
    )


def one(workload: Workload, side: str, seed: int, trainings: int) -> Record:
    """One tuning, and what its params lead to on fresh seeds."""
    before_s = time.process_time()
    torch.set_num_threads(1)
    preflight = probe_of(workload, seed).preflight() if side == "preflight" else None
    begun = workload
    if side in RATES:
        begun = replace(workload, space={**workload.space, "lr": RATES[side]})
    epochs = trainings * workload.epochs
    params, trained = by_danlu(begun, seed, epochs, preflight)
    searched_s = time.process_time() - before_s
    ends = [retrained(workload, params, FRESH + own) for own in range(RETRAINED)]
    return {
        **keyed(workload, side, seed, trainings),
        "params": dict(params),
        "trained": trained,
        "before": 0.0 if preflight is None else preflight.trainings,
        "rates": None if preflight is None else preflight.rates,
        "said": []
        if preflight is None
        else [own.message for own in preflight.findings if own.level != "ok"],
        "val_error": [val for val, _ in ends],
        "test_error": [test for _, test in ends],
        "cpu_s": round(searched_s, 1),
    }


def main(words: Sequence[str] | None = None) -> None:
    """Does what is left to do, and prints the table."""
    go_on(words, __doc__, SIDES, one)


if __name__ == "__main__":
    main()
