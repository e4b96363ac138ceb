"""Networks that learn to read digits: nothing may be said of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from danlu import training

pytestmark = pytest.mark.slow

STEPS = 100


class Attention(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """The rows of an image as eight tokens."""

    def __init__(self, *, norm_first: bool) -> None:
        super().__init__()
        self.start = nn.Linear(8, 32)
        self.places = nn.Parameter(torch.randn(8, 32) * 0.02)
        block = nn.TransformerEncoderLayer(
            32, 4, 64, norm_first=norm_first, batch_first=True
        )
        self.body = nn.TransformerEncoder(block, 3, enable_nested_tensor=False)
        self.head = nn.Linear(32, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = self.start(images.view(-1, 8, 8)) + self.places
        scores: torch.Tensor = self.head(self.body(tokens).mean(1))
        return scores


class Recurrent(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.LSTM(8, 32, 2, batch_first=True)
        self.head = nn.Linear(32, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        states, _ = self.body(images.view(-1, 8, 8))
        scores: torch.Tensor = self.head(states[:, -1])
        return scores


class Residual(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(64), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64)
            )
            for _ in range(6)
        )
        self.head = nn.Linear(64, 10)
        training.zero_residual(*(branch[3] for branch in self.branches))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        for branch in self.branches:
            images = images + branch(images)
        scores: torch.Tensor = self.head(images)
        return scores


def dense(activation: Callable[[], nn.Module], depth: int, *, norm: bool) -> nn.Module:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers.append(nn.Linear(64, 64))
        layers += [nn.BatchNorm1d(64)] if norm else []
        layers.append(activation())
    return nn.Sequential(*layers, nn.Linear(64, 10))


def convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2048, 10),
    )


HEALTHY: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(64, 10),
    "two layers": lambda: dense(nn.ReLU, 2, norm=False),
    "four of tanh": lambda: dense(nn.Tanh, 4, norm=False),
    "eight with norms": lambda: dense(nn.ReLU, 8, norm=True),
    "convolutions": convolutions,
    "attention": lambda: Attention(norm_first=True),
    "attention, norms last": lambda: Attention(norm_first=False),
    "recurrent": Recurrent,
    "residual": Residual,
}
PARAMS = {
    "nesterov": {"optimizer": "nesterov", "lr": 0.05},
    "adamw": {"optimizer": "adamw", "lr": 2e-3, "weight_decay": 0.05},
}


@pytest.mark.parametrize("params", PARAMS.values(), ids=PARAMS)
@pytest.mark.parametrize("build", HEALTHY.values(), ids=HEALTHY)
def test_nothing_is_said_of_a_healthy_training(
    build: Callable[[], nn.Module], params: dict[str, object]
) -> None:
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.data / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    model = build()
    optimizer = training.build_optimizer(model, params)
    monitor = training.GradientMonitor(model)
    found = list(training.check_activations(model, images[:128]))
    for _ in range(STEPS):
        batch = torch.randint(0, len(images), (64,))
        optimizer.zero_grad()
        functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        training.take_step(optimizer, monitor=monitor)
    found += monitor.findings()

    assert ["ok", "ok"] == [finding.level for finding in found]
