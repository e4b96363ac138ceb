"""Twenty programs that cannot be trained, with the verdict that each should get.

The list and its verdicts were written before any of them was run. A fault that only
makes training worse is not here: the range test looks at learning alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional

from danlu.training import Probe, freeze
from tests.training.planted_bugs import (
    BUGS,
    LATER,
    Digits,
    Examples,
    Params,
    adamw,
    digits,
    entropy,
    healthy,
)

# --- the examples


def _labels_of_validation_shuffled() -> Probe:
    X, y = digits()[1]
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(5))
    return healthy(val=(X, y[order]))


def _inputs_in_another_order_than_labels() -> Probe:
    return healthy(
        loss=lambda model, batch: functional.cross_entropy(
            model(batch[0].flip(0)), batch[1]
        )
    )


def _constant_inputs() -> Probe:
    train, val = (((0 * X + 0.5), y) for X, y in digits())
    return healthy(train=train, val=val)


def _nan_in_validation() -> Probe:
    X, y = digits()[1]
    X = X.clone()
    X[100, 7] = float("nan")
    return healthy(val=(X, y))


# --- the loss


def _probability_of_zero() -> Probe:
    """A logarithm of probabilities that are 0 in float32."""

    def loss(model: nn.Module, batch: Examples) -> Tensor:
        probabilities = (500 * model(batch[0])).softmax(1)
        right = probabilities.gather(1, batch[1][:, None])
        return -right.log().mean()

    return healthy(loss=loss)


def _scores_detached() -> Probe:
    """Only the penalty is trained."""

    def loss(model: nn.Module, batch: Examples) -> Tensor:
        weights: Tensor = model.head.weight
        fit = functional.cross_entropy(model(batch[0]).detach(), batch[1])
        return fit + 1e-6 * weights.square().sum()

    return healthy(loss=loss)


# --- the model


class _NoGradients(Digits):
    """Only a factor of the scores is outside of `no_grad`."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, X: Tensor) -> Tensor:
        with torch.no_grad():
            scores = super().forward(X)
        return scores * self.factor


class _MadeAnew(Digits):
    """The weights are others at each call."""

    def forward(self, X: Tensor) -> Tensor:
        hidden = nn.Linear(64, 64)(X).relu()
        scores: Tensor = nn.Linear(64, 10)(hidden)
        return scores


def _all_but_one_offset_frozen() -> Probe:
    def model(params: Params) -> nn.Module:
        built = Digits()
        freeze(built)
        built.head.bias.requires_grad_(True)
        return built

    return healthy(model=model)


# --- the update


def _ascent() -> Probe:
    return healthy(
        optimizer=lambda model, params: torch.optim.AdamW(
            model.parameters(), lr=params["lr"], maximize=True
        )
    )


def _rate_written_over() -> Probe:
    def step(model: nn.Module, optimizer: Any, batch: Examples) -> None:
        for group in optimizer.param_groups:
            group["lr"] = 1e-2
        optimizer.zero_grad()
        entropy(model, batch).backward()
        optimizer.step()

    return healthy(step=step)


def _optimizer_of_its_own() -> Probe:
    """The step looks away from the optimizer that it is given."""
    own: WeakKeyDictionary[nn.Module, torch.optim.Optimizer] = WeakKeyDictionary()

    def step(model: nn.Module, optimizer: Any, batch: Examples) -> None:
        used = own.setdefault(model, adamw(model, {"lr": 1e-2}))
        used.zero_grad()
        entropy(model, batch).backward()
        used.step()

    return healthy(step=step)


FAULTS: Mapping[str, tuple[Callable[[], Probe], str]] = {
    "labels shuffled": (BUGS["labels shuffled"], "flat"),
    "labels of validation shuffled": (_labels_of_validation_shuffled, "flat"),
    "inputs in another order": (_inputs_in_another_order_than_labels, "flat"),
    "constant inputs": (_constant_inputs, "flat"),
    "nan in an input": (BUGS["nan in the inputs"], "fault"),
    "nan in validation": (_nan_in_validation, "fault"),
    "log of 0": (_probability_of_zero, "fault"),
    "wrong sign of the loss": (BUGS["wrong sign of the loss"], "no end"),
    "ascent": (_ascent, "flat"),
    "scores detached": (_scores_detached, "flat"),
    "no gradients but of a factor": (
        lambda: healthy(model=lambda params: _NoGradients()),
        "flat",
    ),
    "dead units": (BUGS["dead units"], "flat"),
    "all weights zero": (BUGS["all weights zero"], "flat"),
    "everything dropped": (
        lambda: healthy(
            model=lambda params: Digits(
                nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(1.0))
            )
        ),
        "flat",
    ),
    "layers made anew at each call": (
        lambda: healthy(model=lambda params: _MadeAnew()),
        "flat",
    ),
    "frozen but for one offset": (_all_but_one_offset_frozen, "flat"),
    "an optimizer of a copy": (BUGS["the optimizer holds a copy"], "flat"),
    "gradients clipped to nothing": (LATER["gradients clipped to nothing"], "flat"),
    "the rate is written over": (_rate_written_over, "fault"),
    "the step has its own optimizer": (_optimizer_of_its_own, "fault"),
}
