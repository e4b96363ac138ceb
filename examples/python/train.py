"""Linear regression on noisy data by gradient descent, one report per epoch."""

from __future__ import annotations

import numpy as np

from danlu.client import LiveTrial


def train(trial: LiveTrial) -> None:
    rng = np.random.default_rng(trial.seed)
    lr, momentum = float(trial.params["lr"]), float(trial.params.get("momentum", 0.0))
    x, y = examples(200, seed=1)
    x_val, y_val = examples(200, seed=2)
    weights, velocity = rng.normal(size=x.shape[1]), np.zeros(x.shape[1])
    for epoch in range(1, int(trial.params["epochs"]) + 1):
        for batch in np.split(rng.permutation(len(x)), 10):
            gradient = x[batch].T @ (x[batch] @ weights - y[batch]) / len(batch)
            velocity = momentum * velocity - lr * gradient
            weights = weights + velocity
        val_loss = np.mean((x_val @ weights - y_val) ** 2)
        if not trial.report(epoch, val_loss=val_loss):
            return


def examples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 20)) * np.geomspace(0.1, 2.0, 20)
    return x, x @ np.linspace(-1, 1, 20) + 0.1 * rng.normal(size=count)
