"""Healthy programs of many kinds, in their losses, inputs and steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.utils.data import DataLoader, TensorDataset

from danlu.training import Probe

Kinds = Mapping[str, Callable[[], Probe]]
TRAIN = 600  # of 800 examples


class Named(NamedTuple):
    """An example, or a batch, with names."""

    x: Tensor
    y: Tensor


class Recurrent(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.LSTM(3, 24, batch_first=True)
        self.head = nn.Linear(24, 1)

    def forward(self, rows: Tensor) -> Tensor:
        found: Tensor = self.head(self.body(rows)[0][:, -1])
        return found


class Standardized(nn.Module):  # type: ignore[misc]
    """The mean and deviation of pixels are buffers of the model."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(128.0))
        self.body = network(20, 4)

    def forward(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self.body((pixels - self.mean) / 40)
        return scores


class Experts(nn.Module):  # type: ignore[misc]
    """One expert in eight for each example; some are rarely chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(20, 8)
        self.experts = nn.ModuleList(network(20, 4, 16) for _ in range(8))

    def forward(self, rows: Tensor) -> Tensor:
        shares = self.gate(3 * rows).softmax(-1)
        best, place = shares.max(-1)
        every = torch.stack([own(rows) for own in self.experts], 1)
        return every[torch.arange(len(rows)), place] * best[:, None]


class Query(nn.Module):  # type: ignore[misc]
    """Attention from a query that is learned, the same for all examples."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 2, 32) * 0.5)
        self.start, self.asked = nn.Linear(5, 32), nn.Linear(32, 32)
        self.head = nn.Linear(64, 4)

    def forward(self, rows: Tensor) -> Tensor:
        tokens = functional.gelu(self.start(rows.view(-1, 4, 5)))
        asked = self.asked(self.query.expand(len(rows), -1, -1))
        found = functional.scaled_dot_product_attention(asked, tokens, tokens)
        scores: Tensor = self.head(found.flatten(1))
        return scores


def network(inputs: int, outputs: int, width: int = 64) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))


def adam(model: nn.Module, params: Mapping[str, Any]) -> Optimizer:
    return torch.optim.Adam(model.parameters(), lr=params["lr"])


@cache
def rows() -> tuple[Tensor, Tensor]:
    """Numbers, and a function of them."""
    draw = torch.Generator().manual_seed(7)
    X = torch.randn(800, 20, generator=draw)
    hidden = torch.tanh(X @ torch.randn(20, 8, generator=draw) / 3)
    y = hidden @ torch.randn(8, 1, generator=draw)
    return X, (y - y.mean()) / y.std()


@cache
def classes() -> tuple[Tensor, Tensor]:
    X, _ = rows()
    weights = torch.randn(20, 4, generator=torch.Generator().manual_seed(8))
    return X, (X @ weights).argmax(1)


def probe_of(
    examples: tuple[Tensor, ...],
    model: Callable[[], nn.Module],
    loss: Callable[[nn.Module, Any], Tensor],
    **changes: Any,
) -> Probe:
    stated: dict[str, Any] = {
        "model": lambda params: model(),
        "optimizer": adam,
        "loss": loss,
        "train": tuple(part[:TRAIN] for part in examples),
        "val": tuple(part[TRAIN:] for part in examples),
        "params": {"lr": 5e-3},
    }
    return Probe(**(stated | changes))


def squares(model: nn.Module, batch: Any) -> Tensor:
    return functional.mse_loss(model(batch[0]), batch[1])


def entropy(model: nn.Module, batch: Any) -> Tensor:
    return functional.cross_entropy(model(batch[0]), batch[1])


def normed() -> Probe:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(20, 64), nn.RMSNorm(64), network(64, 1))

    return probe_of(rows(), model, squares)


def recurrent() -> Probe:
    X = torch.randn(800, 9, 3, generator=torch.Generator().manual_seed(1))
    return probe_of((X, X[:, :, 0].sum(1, keepdim=True) / 3), Recurrent, squares)


def density() -> Probe:
    """A loss that has no lower end, and is negative in the end."""

    def loss(model: nn.Module, batch: Any) -> Tensor:
        outputs = model(batch[0])
        variance = 0.05 * outputs[:, 1:].exp()
        return functional.gaussian_nll_loss(outputs[:, :1], batch[1], variance)

    X, y = rows()
    return probe_of(
        (X, 0.2 * y),
        lambda: network(20, 2),
        loss,
        forward=lambda model, batch: model(batch[0])[:, :1],
    )


def noise() -> Probe:
    """A loss that draws noise, also in eval mode, as that of diffusion does."""

    def loss(model: nn.Module, batch: Any) -> Tensor:
        drawn = torch.randn_like(batch[0])
        return functional.mse_loss(model(batch[0] + drawn), drawn)

    return probe_of(rows()[:1], lambda: network(20, 20), loss)


def slopes() -> Probe:
    """A loss of the slopes along the inputs, as of a differential equation."""

    def loss(model: nn.Module, batch: Any) -> Tensor:
        at = batch[0].clone().requires_grad_()
        found = model(at)
        (slope,) = torch.autograd.grad(found.sum(), at, create_graph=True)
        far = functional.mse_loss(slope, batch[0].cos())
        return functional.mse_loss(found, batch[1]) + 0.1 * far

    x = 6 * torch.rand(800, 1, generator=torch.Generator().manual_seed(2))
    model = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
    return probe_of(
        (x, x.sin()), lambda: nn.Sequential(*_fresh(model), nn.Linear(64, 1)), loss
    )


def _fresh(model: nn.Sequential) -> Iterator[nn.Module]:
    for layer in model:
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
        yield layer


def contrasts() -> Probe:
    """Two views of an example are to be alike, and unlike those of all others."""

    def loss(model: nn.Module, batch: Any) -> Tensor:
        views = [
            functional.normalize(model(batch[0] + 0.1 * torch.ones(20) * sign), dim=1)
            for sign in (-1, 1)
        ]
        scores = views[0] @ views[1].T / 0.2
        return functional.cross_entropy(scores, torch.arange(len(scores)))

    return probe_of(rows()[:1], lambda: network(20, 16), loss, coupled=True)


def rare() -> Probe:
    """Two of a hundred examples are what is looked for."""
    draw = torch.Generator().manual_seed(3)
    X = torch.randn(2600, 20, generator=draw)
    score = X[:, :5].sum(1)
    y = (score > score.quantile(0.98)).float()

    def loss(model: nn.Module, batch: Any) -> Tensor:
        return functional.binary_cross_entropy_with_logits(
            model(batch[0])[:, 0], batch[1], pos_weight=torch.tensor(20.0)
        )

    return probe_of(
        (X, y),
        lambda: network(20, 1),
        loss,
        forward=lambda model, batch: model(batch[0])[:, 0],
    )


def missing() -> Probe:
    """Targets that are nan where nobody knows them."""

    def loss(model: nn.Module, batch: Any) -> Tensor:
        known = batch[1].isfinite()
        return (model(batch[0])[known] - batch[1][known]).square().mean()

    X, _ = rows()
    draw = torch.Generator().manual_seed(4)
    targets = torch.tanh(X @ torch.randn(20, 5, generator=draw) / 3)
    targets[torch.rand(targets.shape, generator=draw) < 0.3] = torch.nan
    return probe_of((X, targets), lambda: network(20, 5), loss)


def tables() -> Probe:
    """Inputs of which there are few, so that validation repeats some of training."""
    draw = torch.Generator().manual_seed(5)
    X = torch.stack([torch.randint(0, 4, (1600,), generator=draw) for _ in range(3)], 1)
    chance = torch.sigmoid(2 * torch.randn(64, generator=draw))
    y = (torch.rand(1600, generator=draw) < chance[X @ torch.tensor([16, 4, 1])]).long()

    def model() -> nn.Module:
        return nn.Sequential(nn.Embedding(4, 8), nn.Flatten(), network(24, 2))

    return probe_of((X, y), model, entropy)


def pixels() -> Probe:
    X, y = classes()
    return probe_of((40 * X + 128, y), Standardized, entropy)


def accumulated() -> Probe:
    """Its step updates at every fourth call."""
    calls: dict[int, int] = {}

    def step(model: nn.Module, optimizer: Optimizer, batch: Any) -> None:
        calls[id(optimizer)] = calls.get(id(optimizer), 0) + 1
        (entropy(model, batch) / 4).backward()
        if calls[id(optimizer)] % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()

    return probe_of(
        classes(), lambda: network(20, 4), entropy, step=step, batch_size=16
    )


def clipped() -> Probe:
    """Gradients are clipped by value, which turns them."""

    def step(model: nn.Module, optimizer: Optimizer, batch: Any) -> None:
        optimizer.zero_grad()
        entropy(model, batch).backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.01)
        optimizer.step()

    return probe_of(classes(), lambda: network(20, 4), entropy, step=step)


def scheduled() -> Probe:
    """A schedule has set the rate to zero, to begin with."""

    def optimizer(model: nn.Module, params: Mapping[str, Any]) -> Optimizer:
        own = adam(model, params)
        torch.optim.lr_scheduler.LambdaLR(own, lambda step: min(1.0, step / 10))
        return own

    return probe_of(classes(), lambda: network(20, 4), entropy, optimizer=optimizer)


def loaders() -> Probe:
    X, y = classes()
    train, val = (
        DataLoader(TensorDataset(X[part], y[part]), 32, shuffle=True)
        for part in (slice(TRAIN), slice(TRAIN, None))
    )
    return probe_of(classes(), lambda: network(20, 4), entropy, train=train, val=val)


def named() -> Probe:
    """Examples and batches with names for their parts."""
    examples = [Named(x, y) for x, y in zip(*classes(), strict=True)]
    return probe_of(
        classes(),
        lambda: network(20, 4),
        lambda model, batch: functional.cross_entropy(model(batch.x), batch.y),
        train=examples[:TRAIN],
        val=examples[TRAIN:],
        forward=lambda model, batch: model(batch.x),
    )


HEALTHY: Kinds = {
    own.__name__: own
    for own in (
        *(normed, recurrent, density, noise, slopes, contrasts, rare, missing, tables),
        *(pixels, accumulated, clipped, scheduled, loaders, named),
    )
} | {
    "experts": lambda: probe_of(classes(), Experts, entropy),
    "a learned query": lambda: probe_of(classes(), Query, entropy),
}
