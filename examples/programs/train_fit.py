"""A training program whose training is `danlu.training.fit`: the params say it all.

    danlu run -p 'lr=1e-3..1:log' -p 'label_smoothing=0..0.2' -p optimizer=nesterov \
        -p schedule=one_cycle -p epochs=6 --min val_loss --trials 10 --max-steps 6 \
        -- python examples/programs/train_fit.py

Alone it trains once with the params below and prints: python train_fit.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from danlu import client, training


def network(params: Mapping[str, Any]) -> nn.Module:
    width = params.get("width", 32)
    return nn.Sequential(
        nn.Linear(20, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 4)
    )


def examples(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points, and which of four directions each lies farthest in."""
    inputs = torch.randn(count, 20, generator=torch.Generator().manual_seed(seed))
    return inputs, inputs[:, :4].argmax(1)


def main() -> None:
    torch.set_num_threads(1)
    trial = client.current({"lr": 0.1, "epochs": 6, "optimizer": "nesterov"})
    fitted = training.fit(
        trial, network, train=examples(1000, seed=1), val=examples(500, seed=2)
    )
    for finding in fitted.findings:
        print(finding.message)


if __name__ == "__main__":
    main()
