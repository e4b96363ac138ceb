"""Is the suggested rate usable? The range test against a grid of real trainings.

A suggestion is usable where a training with it ends at a validation loss of at most
twice that of the best rate of the grid, from the same seed. Run by

    python -m benchmarks.rate_range [--data FOLDER] [--seeds 20]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from danlu.training import Probe, build_optimizer

from .workloads import workloads

RATES = [10 ** (power / 2) for power in range(-8, 2)]  # 1e-4 to 3
UPDATES = 150
FACTOR = 2.0
CHARACTERS = 32  # in a sequence


class Characters(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """A transformer of one block that predicts the next character."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(count, 32)
        self.places = nn.Parameter(torch.randn(CHARACTERS, 32) * 0.02)
        block = nn.TransformerEncoderLayer(
            32, 4, 64, dropout=0.0, norm_first=True, batch_first=True
        )
        self.body = nn.TransformerEncoder(block, 1, enable_nested_tensor=False)
        self.head = nn.Linear(32, count)

    def forward(self, X: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(CHARACTERS)
        scores: Tensor = self.head(
            self.body(self.embedding(X) + self.places, mask=mask, is_causal=True)
        )
        return scores


def entropy(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    scores = model(batch[0])
    return cross_entropy(scores.flatten(0, -2), batch[1].flatten())


def probes(data: Path | None) -> Mapping[str, Callable[[str, int], Probe]]:
    """For each task, a probe from the name of an optimizer and a seed."""
    return {name: _of_workload(own) for name, own in workloads(data).items()} | (
        {"characters": _characters(data)} if data is not None else {}
    )


def _of_workload(own: Any) -> Callable[[str, int], Probe]:
    def probe(optimizer: str, seed: int) -> Probe:
        parts = own.parts()
        return Probe(
            model=lambda params: own.network(own.usual, parts),
            optimizer=build_optimizer,
            loss=entropy,
            train=parts["train"],
            val=parts["val"],
            params={"optimizer": optimizer, "lr": 1e-3},
            batch_size=own.batch,
            seed=seed,
        )

    return probe


def _characters(data: Path) -> Callable[[str, int], Probe]:
    text = next((data / "tinyshakespeare").glob("*.txt")).read_text("utf-8")[:200_000]
    known = sorted(set(text))
    places = {letter: place for place, letter in enumerate(known)}
    tokens = torch.tensor([places[letter] for letter in text])
    rows = tokens[: len(tokens) // (CHARACTERS + 1) * (CHARACTERS + 1)]
    rows = rows.view(-1, CHARACTERS + 1)
    X, y = rows[:, :-1], rows[:, 1:]
    end = int(0.8 * len(X))

    def probe(optimizer: str, seed: int) -> Probe:
        return Probe(
            model=lambda params: Characters(len(known)),
            optimizer=build_optimizer,
            loss=entropy,
            train=(X[:end], y[:end]),
            val=(X[end : end + 256], y[end : end + 256]),
            params={"optimizer": optimizer, "lr": 1e-3},
            batch_size=32,
            seed=seed,
        )

    return probe


def trained(probe: Probe, rate: float) -> float:
    """The validation loss after a short training, infinite where it diverged."""
    model, optimizer = probe.build({"lr": rate})
    for batch in islice(probe.batches(), UPDATES):
        probe.update(model, optimizer, batch)
    model.eval()
    with torch.no_grad():
        loss = float(probe.loss(model, probe.val))
    return loss if math.isfinite(loss) else math.inf


def share(make: Callable[[str, int], Probe], optimizer: str, seeds: int) -> str:
    """One row of the table."""
    grid = [trained(make(optimizer, 1000), rate) for rate in RATES]
    usable, found = 0, []
    for seed in range(seeds):
        answer = make(optimizer, 100 * seed).lr_range()
        if answer.suggestion is not None:
            found.append(answer.suggestion)
            loss = trained(make(optimizer, 1000), answer.suggestion)
            usable += loss <= FACTOR * min(grid)
    best = RATES[int(np.argmin(grid))]
    middle = f"{np.median(found):.2g}" if found else "-"
    return f"| {usable}/{seeds} | {middle} | {best:.2g} | {min(grid):.3g} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print("| task | usable | median suggestion | best of the grid | its loss |")
    print("|---|---|---|---|---|")
    for name, make in probes(given.data).items():
        for optimizer in ("adamw", "nesterov"):
            if given.only in (None, name):
                row = share(make, optimizer, given.seeds)
                print(f"| {name}, {optimizer} {row}", flush=True)


if __name__ == "__main__":
    main()
