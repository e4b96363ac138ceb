"""Training programs with one silent bug each, and healthy ones, to try `check` on.

The bugs are of the kinds that real programs had (Jiang et al., 2025, "TrainCheck",
OSDI): each trains without an error. The list was written before the checks were.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from danlu.training import DropPath, Probe, build_optimizer, decay_groups, freeze

Params = Mapping[str, Any]
Examples = tuple[Tensor, Tensor]
TRAIN, VAL = 512, 256


@cache
def digits() -> tuple[Examples, Examples]:
    found = load_digits()
    order = torch.randperm(len(found.data), generator=torch.Generator().manual_seed(0))
    X = torch.as_tensor(found.data / 16, dtype=torch.float32)[order]
    y = torch.as_tensor(found.target, dtype=torch.int64)[order]
    end = TRAIN + VAL
    return (X[:TRAIN], y[:TRAIN]), (X[TRAIN:end], y[TRAIN:end])


@cache
def curve() -> tuple[Examples, Examples]:
    """A regression: the target is a function of eight numbers, and a little noise."""
    draw = torch.Generator().manual_seed(1)
    X = torch.randn(TRAIN + VAL, 8, generator=draw)
    y = X[:, 0] + X[:, 1] * X[:, 2] + 0.1 * torch.randn(len(X), generator=draw)
    return (X[:TRAIN], y[:TRAIN, None]), (X[TRAIN:], y[TRAIN:, None])


@cache
def words() -> tuple[Examples, Examples]:
    """Sequences where the next token is most often 3 times the last, plus one."""
    draw = torch.Generator().manual_seed(2)
    tokens = torch.randint(0, 16, (TRAIN + VAL, 13), generator=draw)
    follows = torch.rand(tokens.shape, generator=draw) < 0.6  # rarely alike
    for place in range(1, 13):
        next_one = (3 * tokens[:, place - 1] + 1) % 16
        keep = follows[:, place]
        tokens[keep, place] = next_one[keep]
    X, y = tokens[:, :-1], tokens[:, 1:]
    return (X[:TRAIN], y[:TRAIN]), (X[TRAIN:], y[TRAIN:])


class Digits(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """A body and a head."""

    def __init__(self, body: nn.Module | None = None, width: int = 64) -> None:
        super().__init__()
        self.body = body if body is not None else dense_body(width)
        self.head = nn.Linear(width, 10)

    def forward(self, X: Tensor) -> Tensor:
        scores: Tensor = self.head(self.body(X))
        return scores


def dense_body(width: int = 64) -> nn.Module:
    return nn.Sequential(
        nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
    )


class Attention(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """The rows of an image are its tokens."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.start = nn.Linear(8, 32)
        self.places = nn.Parameter(torch.randn(8, 32) * 0.02)
        block = nn.TransformerEncoderLayer(
            32, 4, 64, dropout=0.1, norm_first=True, batch_first=batch_first
        )
        self.body = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 10)

    def forward(self, X: Tensor) -> Tensor:
        tokens = self.start(X.view(-1, 8, 8)) + self.places
        scores: Tensor = self.head(self.body(tokens).mean(1))
        return scores


class Language(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    def __init__(self, *, masked: bool = True) -> None:
        super().__init__()
        self.masked = masked
        self.embedding = nn.Embedding(16, 32)
        self.places = nn.Parameter(torch.randn(12, 32) * 0.02)
        block = nn.TransformerEncoderLayer(
            32, 4, 64, dropout=0.0, norm_first=True, batch_first=True
        )
        self.body = nn.TransformerEncoder(block, 1, enable_nested_tensor=False)
        self.head = nn.Linear(32, 16)

    def forward(self, X: Tensor) -> Tensor:
        tokens = self.embedding(X) + self.places[: X.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(X.shape[1])
        states = self.body(tokens, mask=mask if self.masked else None)
        scores: Tensor = self.head(states)
        return scores


def entropy(model: nn.Module, batch: Examples) -> Tensor:
    return functional.cross_entropy(model(batch[0]), batch[1])


def token_entropy(model: nn.Module, batch: Examples) -> Tensor:
    scores = model(batch[0])
    return functional.cross_entropy(scores.flatten(0, 1), batch[1].flatten())


def square(model: nn.Module, batch: Examples) -> Tensor:
    return functional.mse_loss(model(batch[0]), batch[1])


def adamw(model: nn.Module, params: Params) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=params["lr"])


def healthy(**changes: Any) -> Probe:
    train, val = digits()
    given = Probe(
        model=lambda params: Digits(),
        optimizer=adamw,
        loss=entropy,
        train=train,
        val=val,
        params={"lr": 3e-3},
    )
    return replace(given, **changes)


def counted_step(calls: list[int]) -> Any:
    """A plain update as a program's own `step`, which notes each of its calls."""

    def step(model: nn.Module, optimizer: torch.optim.Optimizer, batch: Any) -> None:
        calls.append(1)
        optimizer.zero_grad()
        entropy(model, batch).backward()
        optimizer.step()

    return step


def language(**changes: Any) -> Probe:
    train, val = words()
    given = healthy(
        model=lambda params: Language(), loss=token_entropy, train=train, val=val
    )
    return replace(given, **changes)


def regression(**changes: Any) -> Probe:
    train, val = curve()
    given = healthy(model=lambda params: small(), loss=square, train=train, val=val)
    return replace(given, **changes)


def small(last: nn.Module | None = None) -> nn.Module:
    layers = [nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1)]
    return nn.Sequential(*layers, *([last] if last is not None else []))


# --- the optimizer


def _head_forgotten() -> Probe:
    return healthy(
        optimizer=lambda model, params: torch.optim.AdamW(
            model.body.parameters(), lr=params["lr"]
        )
    )


def _optimizer_of_a_copy() -> Probe:
    return healthy(optimizer=lambda model, params: adamw(copy.deepcopy(model), params))


class _Unregistered(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(64, 64), nn.Linear(64, 64)]  # not a ModuleList
        self.head = nn.Linear(64, 10)

    def forward(self, X: Tensor) -> Tensor:
        for layer in self.layers:
            X = functional.relu(layer(X))
        scores: Tensor = self.head(X)
        return scores


def _layers_in_a_list() -> Probe:
    return healthy(model=lambda params: _Unregistered())


def _body_still_frozen() -> Probe:
    def model(params: Params) -> nn.Module:
        built = Digits()
        freeze(built.body)
        return built

    return healthy(model=model)


def _decay_inverted() -> Probe:
    def optimizer(model: nn.Module, params: Params) -> torch.optim.Optimizer:
        groups = [
            {"params": group["params"], "weight_decay": 0.1 - 0.1 * factor}
            for group in decay_groups(model)
            for factor in [group["weight_decay_factor"]]
        ]
        return torch.optim.AdamW(groups, lr=params["lr"])

    return healthy(optimizer=optimizer)


def _rate_hard_coded() -> Probe:
    return healthy(
        optimizer=lambda model, params: torch.optim.AdamW(model.parameters(), lr=1e-3)
    )


# --- the step


def _plain_step(model: nn.Module, optimizer: Any, batch: Examples) -> None:
    optimizer.zero_grad()
    entropy(model, batch).backward()
    optimizer.step()


def _no_zero_grad() -> Probe:
    def step(model: nn.Module, optimizer: Any, batch: Examples) -> None:
        entropy(model, batch).backward()
        optimizer.step()

    return healthy(step=step)


def _zeroed_before_the_step() -> Probe:
    def step(model: nn.Module, optimizer: Any, batch: Examples) -> None:
        entropy(model, batch).backward()
        optimizer.zero_grad(set_to_none=False)
        optimizer.step()

    return healthy(step=step)


def _accumulated_without_dividing() -> Probe:
    def step(model: nn.Module, optimizer: Any, batch: Examples) -> None:
        optimizer.zero_grad()
        for X, y in zip(batch[0].chunk(4), batch[1].chunk(4), strict=True):
            entropy(model, (X, y)).backward()
        optimizer.step()

    return healthy(step=step)


def _eval_left_on() -> Probe:
    def step(model: nn.Module, optimizer: Any, batch: Examples) -> None:
        _plain_step(model, optimizer, batch)
        model.eval()  # for a look at the validation error
        with torch.no_grad():
            model(digits()[1][0])

    body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2))
    return healthy(step=step, model=lambda params: Digits(copy.deepcopy(body)))


# --- the model


class _Detached(Digits):
    def forward(self, X: Tensor) -> Tensor:
        scores: Tensor = self.head(self.body(X).detach())
        return scores


def _detached() -> Probe:
    return healthy(model=lambda params: _Detached())


def _dropout_in_eval() -> Probe:
    class Model(Digits):
        def forward(self, X: Tensor) -> Tensor:
            scores: Tensor = self.head(functional.dropout(self.body(X), 0.3))
            return scores

    return healthy(model=lambda params: Model())


def _batch_first_forgotten() -> Probe:
    return healthy(model=lambda params: Attention(batch_first=False))


def _no_causal_mask() -> Probe:
    return language(model=lambda params: Language(masked=False))


def _dead_units() -> Probe:
    def model(params: Params) -> nn.Module:
        built = Digits()
        nn.init.constant_(built.body[2].bias, -10.0)
        return built

    return healthy(model=model)


def _all_zero() -> Probe:
    def model(params: Params) -> nn.Module:
        built = Digits()
        for parameter in built.parameters():
            nn.init.zeros_(parameter)
        return built

    return healthy(model=model)


def _too_large_at_start() -> Probe:
    def model(params: Params) -> nn.Module:
        built = Digits()
        for layer in (built.body[0], built.body[2], built.head):
            nn.init.normal_(layer.weight)
        return built

    return healthy(model=model)


# --- the loss and what comes out


def _softmax_twice() -> Probe:
    return healthy(model=lambda params: nn.Sequential(Digits(), nn.Softmax(1)))


def _wrong_sign() -> Probe:
    return healthy(loss=lambda model, batch: -entropy(model, batch))


def _summed() -> Probe:
    return healthy(
        loss=lambda model, batch: functional.cross_entropy(
            model(batch[0]), batch[1], reduction="sum"
        )
    )


def _targets_broadcast() -> Probe:
    def loss(model: nn.Module, batch: Examples) -> Tensor:
        errors: Tensor = (model(batch[0]) - batch[1][:, 0]) ** 2  # (n, 1) - (n,)
        return errors.mean()

    return regression(loss=loss)


def _rectified_scores() -> Probe:
    return healthy(model=lambda params: nn.Sequential(Digits(), nn.ReLU()))


def _bounded_regression() -> Probe:
    return regression(model=lambda params: small(nn.Sigmoid()))


# --- the examples


def _labels_shuffled() -> Probe:
    X, y = digits()[0]
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(3))
    return healthy(train=(X, y[order]))


def _unseen_classes() -> Probe:
    X, y = (torch.cat(both) for both in zip(*digits(), strict=True))
    order = y.argsort()
    train, val = order[:TRAIN], order[TRAIN:]
    return healthy(train=(X[train], y[train]), val=(X[val], y[val]))


class Augmented(torch.utils.data.Dataset):  # type: ignore[misc]  # torch is Any
    """Noise on every reading of an example."""

    def __init__(self, examples: Examples) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples[1])

    def __getitem__(self, place: int) -> Examples:
        X, y = self.examples[0][place], self.examples[1][place]
        return X + 0.1 * torch.randn(X.shape), y


def _augmented_validation() -> Probe:
    train, val = digits()
    return healthy(train=Augmented(train), val=Augmented(val))


def _validation_in_training() -> Probe:
    (X, y), (val_X, val_y) = digits()
    part = VAL // 4
    both = torch.cat([X, val_X[:part]]), torch.cat([y, val_y[:part]])
    return healthy(train=both)


def _nan_in_inputs() -> Probe:
    X, y = digits()[0]
    X = X.clone()
    X[100, 7] = float("nan")
    return healthy(train=(X, y))


def _raw_pixels() -> Probe:
    (X, y), (val_X, val_y) = digits()
    return healthy(train=(255 * X, y), val=(255 * val_X, val_y))


BUGS: Mapping[str, Callable[[], Probe]] = {
    "the head is not in the optimizer": _head_forgotten,
    "the optimizer holds a copy": _optimizer_of_a_copy,
    "layers in a plain list": _layers_in_a_list,
    "the body is still frozen": _body_still_frozen,
    "decay on biases, not on weights": _decay_inverted,
    "the rate is hard-coded": _rate_hard_coded,
    "no zero_grad": _no_zero_grad,
    "zero_grad before the step": _zeroed_before_the_step,
    "accumulation not divided": _accumulated_without_dividing,
    "eval mode left on": _eval_left_on,
    "a detached body": _detached,
    "dropout in eval mode": _dropout_in_eval,
    "batch_first forgotten": _batch_first_forgotten,
    "no causal mask": _no_causal_mask,
    "dead units": _dead_units,
    "all weights zero": _all_zero,
    "weights too large at the start": _too_large_at_start,
    "softmax twice": _softmax_twice,
    "wrong sign of the loss": _wrong_sign,
    "summed, not averaged": _summed,
    "targets broadcast": _targets_broadcast,
    "rectified scores": _rectified_scores,
    "labels shuffled": _labels_shuffled,
    "classes only in validation": _unseen_classes,
    "augmented validation": _augmented_validation,
    "validation in training": _validation_in_training,
    "nan in the inputs": _nan_in_inputs,
    "raw pixels": _raw_pixels,
}


# --- healthy ones


def _convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 10),
    )


class _Residual(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(64), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64)
            )
            for _ in range(4)
        )
        self.drop = DropPath(0.1)
        self.head = nn.Linear(64, 10)
        for branch in self.branches:
            nn.init.zeros_(branch[3].weight)
            nn.init.zeros_(branch[3].bias)

    def forward(self, X: Tensor) -> Tensor:
        for branch in self.branches:
            X = X + self.drop(branch(X))
        scores: Tensor = self.head(X)
        return scores


class _Recurrent(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.LSTM(8, 32, batch_first=True)
        self.head = nn.Linear(32, 10)

    def forward(self, X: Tensor) -> Tensor:
        states, _ = self.body(X.view(-1, 8, 8))
        scores: Tensor = self.head(states[:, -1])
        return scores


def _clipped_step(model: nn.Module, optimizer: Any, batch: Examples) -> None:
    optimizer.zero_grad()
    for X, y in zip(batch[0].chunk(4), batch[1].chunk(4), strict=True):
        (entropy(model, (X, y)) * len(y) / len(batch[1])).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def _raw_pixels_with_a_norm() -> Probe:
    body = nn.Sequential(nn.BatchNorm1d(64), *dense_body().children())
    return replace(_raw_pixels(), model=lambda params: Digits(copy.deepcopy(body)))


def _smoothed(model: nn.Module, batch: Examples) -> Tensor:
    return functional.cross_entropy(model(batch[0]), batch[1], label_smoothing=0.1)


HEALTHY: Mapping[str, Callable[[], Probe]] = {
    "dense": healthy,
    "convolutions, SGD": lambda: healthy(
        model=lambda params: _convolutions(),
        optimizer=build_optimizer,
        params={"optimizer": "nesterov", "lr": 0.05, "weight_decay": 5e-4},
    ),
    "attention": lambda: healthy(model=lambda params: Attention(batch_first=True)),
    "language": language,
    "recurrent": lambda: healthy(model=lambda params: _Recurrent()),
    "residual, zero branches": lambda: healthy(model=lambda params: _Residual()),
    "regression": regression,
    "clipped and accumulated": lambda: healthy(step=_clipped_step),
    "raw pixels, a norm first": _raw_pixels_with_a_norm,
    "dropout, smoothed, augmented": lambda: healthy(
        model=lambda params: Digits(
            nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.3))
        ),
        loss=_smoothed,
        train=Augmented(digits()[0]),
    ),
}


# --- bugs that the checks were not looked at with while they were written


class _Mixing(Digits):
    def forward(self, X: Tensor) -> Tensor:
        turned = X.view(-1, 8, 8).permute(1, 0, 2).reshape(-1, 64)  # not 1, 0, 2 back
        scores: Tensor = self.head(self.body(turned))
        return scores


def _validation_scaled_otherwise() -> Probe:
    X, y = digits()[1]
    return healthy(val=(16 * X, y))


def _label_among_the_inputs() -> Probe:
    pairs = []
    for X, y in digits():
        X = X.clone()
        X[:, 0] = y / 10
        pairs.append((X, y))
    return healthy(train=pairs[0], val=pairs[1])


LATER: Mapping[str, Callable[[], Probe]] = {
    "examples mixed by a reshape": lambda: healthy(model=lambda params: _Mixing()),
    "validation scaled otherwise": _validation_scaled_otherwise,
    "nll without log_softmax": lambda: healthy(
        loss=lambda model, batch: functional.nll_loss(model(batch[0]), batch[1])
    ),
    "a bounded output for unbounded targets": _bounded_regression,
    "the label among the inputs": _label_among_the_inputs,
    "gradients clipped to nothing": lambda: healthy(step=_clipped_away),
    "a norm that forgets too slowly": lambda: healthy(
        model=lambda params: Digits(
            nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64, momentum=1e-4))
        )
    ),
}


def _clipped_away(model: nn.Module, optimizer: Any, batch: Examples) -> None:
    optimizer.zero_grad()
    entropy(model, batch).backward()
    torch.nn.utils.clip_grad_value_(model.parameters(), 0.0)
    optimizer.step()
