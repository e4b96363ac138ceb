"""A small network on images of handwritten digits, in numpy: what examples train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

HIDDEN = 32
BATCH = 50


def train(
    params: Mapping[str, Any],
    seed: int,
    epochs: int,
    report: Callable[..., bool],
    data: tuple[np.ndarray, ...],
) -> None:
    """SGD with momentum 0.9; `warmup` is the share of updates in which lr rises."""
    x, labels, x_val, labels_val = data
    rng = np.random.default_rng(seed)
    weights = [
        rng.normal(size=(64, HIDDEN)) * np.sqrt(2 / 64),
        rng.normal(size=(HIDDEN, 10)) * np.sqrt(2 / HIDDEN),
    ]
    velocities = [np.zeros_like(own) for own in weights]
    updates = epochs * max(1, len(x) // BATCH)
    update, rising = 0, updates * params.get("warmup", 0.0)
    for epoch in range(1, epochs + 1):
        for batch in np.array_split(rng.permutation(len(x)), max(1, len(x) // BATCH)):
            update += 1
            lr = params["lr"] * min(1.0, update / rising if rising else 1.0)
            slopes = gradients(weights, x[batch], labels[batch])
            for place, slope in enumerate(slopes):
                pull = slope + params.get("weight_decay", 0.0) * weights[place]
                velocities[place] = 0.9 * velocities[place] - lr * pull
                weights[place] = weights[place] + velocities[place]
        measured = {
            "train_loss": loss(weights, x, labels),
            "val_loss": loss(weights, x_val, labels_val),
        }
        if not np.isfinite(measured["train_loss"]):
            measured["val_loss"] = float("nan")
        if not report(epoch, **measured):
            return


def gradients(
    weights: list[np.ndarray], x: np.ndarray, labels: np.ndarray
) -> list[np.ndarray]:
    """The slopes of the mean cross-entropy, by backpropagation."""
    hidden = np.maximum(x @ weights[0], 0)
    errors = probabilities(hidden @ weights[1])
    errors[np.arange(len(x)), labels] -= 1
    errors /= len(x)
    return [x.T @ (errors @ weights[1].T * (hidden > 0)), hidden.T @ errors]


def loss(weights: list[np.ndarray], x: np.ndarray, labels: np.ndarray) -> float:
    said = probabilities(np.maximum(x @ weights[0], 0) @ weights[1])
    return float(-np.log(said[np.arange(len(labels)), labels] + 1e-12).mean())


def probabilities(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def digits(examples: int = 1200) -> tuple[np.ndarray, ...]:
    """Images (n, 64) and labels to train on, and 597 of each to validate."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x, y = images[order] / 16, labels[order]
    return x[:examples], y[:examples], x[1200:], y[1200:]
