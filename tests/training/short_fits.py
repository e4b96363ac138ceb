"""Short trainings with `fit`, for its tests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from danlu import client, training

Params = Mapping[str, Any]
PLAIN: Params = {"epochs": 4, "batch_size": 16, "lr": 0.05, "optimizer": "nesterov"}
CYCLE = {**PLAIN, "schedule": "one_cycle", "momentum_low": 0.8, "layer_lr_factor": 0.5}
EVERYTHING = {
    "epochs": 4,
    "batch_size": 16,
    "lr": 0.05,
    "optimizer": "adamw",
    "weight_decay_norm": 0.01,
    "accumulation": 2,
    "schedule": "restarts",
    "warmup_steps": 3,
    "clip_norm": 0.5,
    "clip_value": 0.3,
    "ema_half_life": 100.0,
    "label_smoothing": 0.1,
    "mixup_alpha": 0.4,
    "flip": True,
    "shift": 1,
    "erase": 2,
    "noise": 0.1,
    "drop_path": 0.3,
    "dropout": 0.2,
    "initialization": "he",
    "data_share": 0.9,
    "class_balance": 0.5,
    "patience": 20,
    "keep_best": 1,
}


class Killed(Exception):
    """What ends a training in the middle of an epoch."""


class Silent(client.Channel):
    """Keeps the reports; asks to end after `last`."""

    def __init__(self, last: float = math.inf) -> None:
        self.last = last
        self.steps: list[int] = []

    def send(self, step: int, metrics: Mapping[str, float]) -> None:
        self.steps.append(step)

    def stopping(self) -> bool:
        return self.steps[-1] >= self.last


class Residual(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Linear(width, width)
        self.drop = training.DropPath(0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.drop(self.branch(x).relu())


class Bomb(nn.Module):  # type: ignore[misc]
    """Lets inputs through; at the training pass number `at` the program is ended."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at
        self.passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += self.training
        if self.training and self.passes > self.at:
            raise Killed
        return x


class Louder(nn.Module):  # type: ignore[misc]
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 1000


def network(params: Params, at: float = math.inf) -> nn.Module:
    return nn.Sequential(
        Bomb(at),
        nn.Flatten(),
        nn.Linear(36, 16),
        nn.BatchNorm1d(16),
        nn.Dropout(params.get("dropout", 0.0)),
        Residual(16),
        nn.Linear(16, 3),
    )


def examples(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(count) % 3
    noise = torch.randn(count, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    noise[torch.arange(count), 0, labels] += 2.0
    return noise, labels


def run(
    params: Params, folder: Path, *, at: float = math.inf, last: float = math.inf
) -> training.Fitted:
    folder.mkdir(exist_ok=True)
    trial = client.LiveTrial(params, Silent(last))
    trial.folder, trial.seed = folder, 5
    return training.fit(
        trial,
        lambda own: network(own, at),
        train=examples(80, seed=0),
        val=examples(40, seed=1),
    )


def flat(state: Any) -> list[Any]:
    if isinstance(state, dict):
        return [leaf for key in state for leaf in flat(state[key])]
    if isinstance(state, list | tuple):
        return [leaf for part in state for leaf in flat(part)]
    return [state.tolist() if isinstance(state, torch.Tensor) else state]
