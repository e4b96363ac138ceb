"""Small trainings whose rate is looked for: by our range test and by others'.

Nothing of danlu is imported here, so that Pythons without it can run the same tasks;
those of `benchmarks.workloads` are added where it can be imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

Examples: TypeAlias = tuple[Tensor, Tensor]
CHARACTERS = 32  # in a sequence
LETTERS = 200_000  # of the text
PRETRAINED, PRETRAINING = 400, 1e-2  # updates before fine-tuning, and their rate


@dataclass(frozen=True)
class Task:
    """A model, an optimizer by its name, examples and what is to become small.

    `model` draws its weights from torch's random state.
    """

    name: str
    model: Callable[[], nn.Module]
    kind: str  # of the optimizer
    batch: int
    train: Examples
    val: Examples
    criterion: Callable[[Tensor, Tensor], Tensor]

    def optimizer(self, model: nn.Module, rate: float) -> torch.optim.Optimizer:
        """As torch gives it by default; momentum is 0.9."""
        if self.kind == "adamw":
            return torch.optim.AdamW(model.parameters(), rate)
        return torch.optim.SGD(
            model.parameters(), rate, momentum=0.9, nesterov=self.kind == "nesterov"
        )

    def loss(self, model: nn.Module, batch: Examples) -> Tensor:
        return self.criterion(model(batch[0]), batch[1])

    def batches(self, seed: int) -> Iterator[Examples]:
        """Batches in a new order in each epoch, without end."""
        draw = torch.Generator().manual_seed(seed)
        X, y = self.train
        while True:
            for places in torch.randperm(len(X), generator=draw).split(self.batch):
                if len(places) == self.batch:
                    yield X[places], y[places]

    def trained(self, rate: float, updates: int, seed: int) -> tuple[nn.Module, float]:
        """A model after a training at a constant rate, and its validation loss."""
        torch.manual_seed(seed)
        model = self.model()
        optimizer = self.optimizer(model, rate)
        for batch in islice(self.batches(seed), updates):
            optimizer.zero_grad()
            self.loss(model, batch).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            return model, float(self.loss(model, self.val))


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


def tasks(data: Path | None, *, more: bool) -> Iterator[Task]:
    """All tasks that can be had: some need `data`, and with `more` danlu's own."""
    train, val = digits()
    for kind in ("sgd", "adamw"):
        yield Task(f"digits, {kind}", dense, kind, 64, train, val, entropy)
    yield noisy_regression()
    yield other_digits()
    if data is not None:
        for kind in ("adamw", "nesterov"):
            yield characters(data, kind)
        yield other_characters(data)
    if more:
        yield from of_workloads(data)


def entropy(scores: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(scores.flatten(0, -2), labels.flatten())


def dense() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


@cache
def digits() -> tuple[Examples, Examples]:
    """1,000 images of scikit-learn's to train on, 797 to validate."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = torch.randperm(len(found.data), generator=torch.Generator().manual_seed(0))
    X = torch.as_tensor(found.data / 16, dtype=torch.float32)[order]
    y = torch.as_tensor(found.target, dtype=torch.int64)[order]
    return (X[:1000], y[:1000]), (X[1000:], y[1000:])


def noisy_regression() -> Task:
    """Batches of 8, whose losses say little: a fifth of the variance is noise."""
    draw = torch.Generator().manual_seed(1)
    X = torch.randn(3000, 16, generator=draw)
    curve = X[:, :4].sum(1) / 4**0.5 + X[:, 4] * X[:, 5]
    y = (curve + (0.5**0.5) * torch.randn(3000, generator=draw))[:, None]

    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1))

    parts = (X[:2000], y[:2000]), (X[2000:], y[2000:])
    return Task("noisy regression, adamw", model, "adamw", 8, *parts, mse_loss)


def other_digits() -> Task:
    """Fine-tuning: a model of the digits 0 to 4 learns 5 to 9 as the same classes."""
    train, val = digits()
    first = _where(train, low=True), _where(val, low=True)
    then = _where(train, low=False), _where(val, low=False)
    return fine_tuned("other digits, adamw", dense, 64, first, then)


def _where(examples: Examples, *, low: bool) -> Examples:
    X, y = examples
    kept = (y < 5) == low
    return X[kept], y[kept] % 5


def fine_tuned(
    name: str,
    build: Callable[[], nn.Module],
    batch: int,
    first: tuple[Examples, Examples],
    then: tuple[Examples, Examples],
) -> Task:
    """The task to train `then` from weights that were trained on `first`."""
    before = Task(name, build, "adamw", batch, *first, entropy)

    @cache
    def weights() -> Mapping[str, Tensor]:
        known: Mapping[str, Tensor] = before.trained(PRETRAINING, PRETRAINED, 0)[
            0
        ].state_dict()
        return known

    def model() -> nn.Module:
        with torch.random.fork_rng():
            known = weights()
        built = build()
        built.load_state_dict(known)
        return built

    return Task(name, model, "adamw", batch, *then, entropy)


def characters(data: Path, kind: str) -> Task:
    tokens, count = _tokens(data)
    parts = _sequences(tokens)
    return Task(
        f"characters, {kind}", lambda: Characters(count), kind, 32, *parts, entropy
    )


def other_characters(data: Path) -> Task:
    """Fine-tuning: the same text, in which each letter has become another one."""
    tokens, count = _tokens(data)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(4))
    half = len(tokens) // 2
    first, then = _sequences(tokens[:half]), _sequences(order[tokens[half:]])
    name = "other characters, adamw"
    return fine_tuned(name, lambda: Characters(count), 32, first, then)


@cache
def _tokens(data: Path) -> tuple[Tensor, int]:
    """Letters as numbers, and how many kinds there are."""
    text = next((data / "tinyshakespeare").glob("*.txt")).read_text("utf-8")[:LETTERS]
    known = sorted(set(text))
    places = {letter: place for place, letter in enumerate(known)}
    return torch.tensor([places[letter] for letter in text]), len(known)


def _sequences(tokens: Tensor) -> tuple[Examples, Examples]:
    """Each character is the label of those before it; the last fifth validates."""
    rows = tokens[: len(tokens) // (CHARACTERS + 1) * (CHARACTERS + 1)]
    rows = rows.view(-1, CHARACTERS + 1)
    X, y = rows[:, :-1], rows[:, 1:]
    end = int(0.8 * len(X))
    return (X[:end], y[:end]), (X[end : end + 256], y[end : end + 256])


def of_workloads(data: Path | None) -> Iterator[Task]:
    """Those of `benchmarks.workloads` which are not here yet, with two optimizers."""
    from .workloads import workloads

    for name, own in workloads(data).items():
        parts = own.parts()
        for kind in ("adamw", "nesterov"):
            yield Task(
                f"{name} of workloads, {kind}",
                partial(own.network, own.usual, parts),
                kind,
                own.batch,
                parts["train"],
                parts["val"],
                entropy,
            )
