"""Three small real trainings in PyTorch, for whole tunings from start to end.

digits    a network with dense layers on scikit-learn's digits, 10 epochs
fashion   a convolutional network on 1,000 images of Fashion-MNIST, halved, 9 epochs
text      a convolutional network on queries of 10 intents of CLINC150, 6 epochs

A step is an epoch. Each step reports the validation error, the test error of the same
weights, and the training loss.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy

import danlu

PARTS = ("train", "val", "test")
INTENTS = 10  # of the 150, in the order of their names
LEAST_COUNT, WORDS = 2, 16  # a word stands twice at least; a query is cut at 16 words
Parts = Mapping[str, tuple[Tensor, Tensor]]
Params = Mapping[str, Any]
Report = Callable[[int, Mapping[str, float]], bool]


@dataclass(frozen=True)
class Workload:
    """What is trained for `epochs`, on which examples, and what may vary.

    `usual` are the params that one would begin with.
    """

    name: str
    epochs: int
    batch: int
    space: Mapping[str, danlu.Domain]
    usual: Mapping[str, Any]
    parts: Callable[[], Parts]
    network: Callable[[Params, Parts], nn.Module]

    def train(self, params: Params, seed: int, report: Report) -> None:
        """One training; it ends early where `report` answers False."""
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        parts = self.parts()
        network = self.network(params, parts)
        optimizer = torch.optim.AdamW(
            network.parameters(),
            params["lr"],
            betas=(1 - params["one_minus_beta1"], 0.999),
            weight_decay=params["weight_decay"],
        )
        for epoch in range(1, self.epochs + 1):
            loss = self._epoch(network, optimizer, parts["train"], params)
            measured = {
                f"{part}_error": _error(network, *parts[part])
                for part in ("val", "test")
            }
            if not math.isfinite(loss):
                measured["val_error"] = math.nan
            if not report(epoch, {"train_loss": loss, **measured}):
                return

    def _epoch(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        examples: tuple[Tensor, Tensor],
        params: Params,
    ) -> float:
        """The mean training loss of one pass over the examples."""
        network.train()
        X, y = examples
        total = 0.0
        for batch in torch.randperm(len(X)).split(self.batch):
            optimizer.zero_grad()
            smoothing = params["label_smoothing"]
            loss = cross_entropy(network(X[batch]), y[batch], label_smoothing=smoothing)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        return total / len(X)


def _error(network: nn.Module, X: Tensor, y: Tensor) -> float:
    network.eval()
    with torch.no_grad():
        return float((network(X).argmax(1) != y).float().mean())


_OPTIMIZER: dict[str, danlu.Domain] = {
    "lr": danlu.Float(1e-4, 1.0, log=True),
    "one_minus_beta1": danlu.Float(1e-2, 0.5, log=True),
    "weight_decay": danlu.Float(1e-4, 1.0, log=True),
    "label_smoothing": danlu.Float(0.0, 0.3),
    "dropout": danlu.Float(0.0, 0.8),
}
_USUAL = {
    "lr": 1e-3,
    "one_minus_beta1": 0.1,
    "weight_decay": 1e-2,
    "label_smoothing": 0.0,
    "dropout": 0.0,
}


def workloads(data: Path | None) -> dict[str, Workload]:
    """The workloads by name: only digits without the folder of the others' data."""
    found = [
        Workload(
            "digits",
            10,
            32,
            {**_OPTIMIZER, "width": danlu.Int(8, 256, log=True)}
            | {"layers": danlu.Int(1, 3)},
            {**_USUAL, "width": 32, "layers": 1},
            digit_images,
            _dense,
        )
    ]
    if data is not None:
        found.append(
            Workload(
                "fashion",
                9,
                64,
                {**_OPTIMIZER, "channels": danlu.Int(4, 32, log=True)},
                {**_USUAL, "channels": 16},
                lambda: fashion_images(data),
                _convolutions,
            )
        )
        found.append(
            Workload(
                "text",
                6,
                32,
                {**_OPTIMIZER, "embedding": danlu.Int(16, 128, log=True)}
                | {"channels": danlu.Int(8, 128, log=True)},
                {**_USUAL, "embedding": 64, "channels": 32},
                lambda: intent_queries(data),
                TextCnn,
            )
        )
    return {own.name: own for own in found}


def _dense(params: Params, parts: Parts) -> nn.Module:
    size, layers = parts["train"][0].shape[1], []
    for _ in range(params["layers"]):
        layers += [nn.Linear(size, params["width"]), nn.ReLU()]
        layers += [nn.Dropout(params["dropout"])]
        size = params["width"]
    return nn.Sequential(*layers, nn.Linear(size, 10))


def _convolutions(params: Params, parts: Parts) -> nn.Module:
    channels = params["channels"]
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(channels, 2 * channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(params["dropout"]),
        nn.Linear(2 * channels * 9, 10),
    )


class TextCnn(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """Words to vectors, convolutions over two and three of them, the largest of each.

    Y. Kim, "Convolutional neural networks for sentence classification", 2014.
    """

    def __init__(self, params: Params, parts: Parts) -> None:
        super().__init__()
        words = 1 + int(max(own.max() for own, _ in parts.values()))
        width, channels = params["embedding"], params["channels"]
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, channels, size, padding=1) for size in (2, 3)
        )
        self.dropout = nn.Dropout(params["dropout"])
        intents = 1 + int(parts["train"][1].max())
        self.output = nn.Linear(2 * channels, intents)

    def forward(self, X: Tensor) -> Tensor:
        vectors = self.embedding(X).transpose(1, 2)
        largest = [own(vectors).relu().amax(2) for own in self.convolutions]
        logits: Tensor = self.output(self.dropout(torch.cat(largest, 1)))
        return logits


@cache
def digit_images() -> Parts:
    """297 images to train on, or it is too easy; 750 to validate, 750 to test."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = torch.randperm(len(digits.data), generator=torch.Generator().manual_seed(0))
    X = torch.as_tensor(digits.data / 16.0, dtype=torch.float32)
    y = torch.as_tensor(digits.target, dtype=torch.int64)
    pieces = order.split([297, 750, 750])
    return {part: (X[own], y[own]) for part, own in zip(PARTS, pieces, strict=True)}


@cache
def fashion_images(
    data: Path, counts: tuple[int, int, int] = (1000, 1000, 1000)
) -> Parts:
    """The first images to train on, to validate and to test, 14 x 14."""
    import numpy as np

    found = np.load(data / "fashion_mnist" / "fashion_mnist_20k.npz")
    parts = {}
    for part, count in zip(PARTS, counts, strict=True):
        images = torch.as_tensor(found[f"x_{part}"][:count], dtype=torch.float32) / 255
        labels = torch.as_tensor(found[f"y_{part}"][:count], dtype=torch.int64)
        parts[part] = avg_pool2d(images[:, None], 2), labels
    return parts


@cache
def intent_queries(data: Path, count: int = INTENTS) -> Parts:
    """Queries as the numbers of their words (n, 16), 0 beyond their end, 1 unknown."""
    text = (data / "clinc150" / "data_full.json").read_text("utf-8")
    found = json.loads(text)
    intents = sorted({intent for _, intent in found["train"]})[:count]
    own = {
        part: [(query.split(), intent) for query, intent in found[part]]
        for part in PARTS
    }
    kept = {part: [row for row in own[part] if row[1] in intents] for part in PARTS}
    counts = Counter(word for words, _ in kept["train"] for word in words)
    known = sorted(word for word, count in counts.items() if count >= LEAST_COUNT)
    numbers = {word: place for place, word in enumerate(known, start=2)}
    parts = {}
    for part, rows in kept.items():
        X = torch.zeros(len(rows), WORDS, dtype=torch.int64)
        for row, (words, _) in zip(X, rows, strict=True):
            coded = [numbers.get(word, 1) for word in words[:WORDS]]
            row[: len(coded)] = torch.tensor(coded)
        parts[part] = X, torch.tensor([intents.index(intent) for _, intent in rows])
    return parts
