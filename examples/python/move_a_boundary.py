"""A study whose best trials crowd the edge of its space, and the next one: better.

The first study searches learning rates that are too small, as one may when the code
comes from another problem. The checks say so, and what they propose is run. Both train
a small network on scikit-learn's images of handwritten digits; it takes some seconds.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

import danlu
from danlu.client import LiveTrial

EPOCHS = 10
HIDDEN = 32
BATCH = 50


def main(folder: Path) -> None:
    study = danlu.Study(
        name="digits",
        goal="Which learning rate and decay read digits best?",
        metric="val_loss",
        space={
            "lr": danlu.Float(1e-4, 1e-2, log=True),
            "weight_decay": danlu.Float(1e-6, 1e-2, log=True),
        },
        sampler="quasi_random",  # explore first, without looking at the results
        trials=24,
        max_steps=EPOCHS,
    )
    learn = partial(train, data=digits())
    with danlu.open(folder / "danlu.db") as project:
        first = project.run(study, learn, slots=2)
        show(study, first)
        for finding in project.analyze(study):
            if finding.level is danlu.Level.WARNING:
                print(f"  {finding.check}: {finding.message}")
        proposal = project.next(study)[0]
        print(f"next: {proposal.study.goal}")
        project.plan(proposal.study)
        taken_over = project.carry(proposal.study, study)
        print(f"  {taken_over} trials are taken over, the others are trained")
        second = project.run(proposal.study, learn, slots=2)
        show(proposal.study, second)
    assert best_loss(second) < best_loss(first)


def show(study: danlu.Study, history: danlu.History) -> None:
    best = history.best
    assert best is not None
    rate = study.search_space.domains["lr"]
    print(
        f"{study.name}: lr in {rate}, best val_loss {best_loss(history):.4f} "
        f"with lr={best.params['lr']:.3g}"
    )


def best_loss(history: danlu.History) -> float:
    best = history.best
    loss = None if best is None else history.loss(best)
    return float("inf") if loss is None else loss


def train(trial: LiveTrial, data: tuple[np.ndarray, ...]) -> None:
    """Two layers, cross-entropy, SGD with momentum 0.9 and weight decay."""
    x, labels, x_val, labels_val = data
    rng = np.random.default_rng(trial.seed)
    lr, decay = float(trial.params["lr"]), float(trial.params["weight_decay"])
    weights = [
        rng.normal(size=(64, HIDDEN)) * np.sqrt(2 / 64),
        rng.normal(size=(HIDDEN, 10)) * np.sqrt(1 / HIDDEN),
    ]
    velocities = [np.zeros_like(own) for own in weights]
    for epoch in range(1, EPOCHS + 1):
        for batch in np.array_split(rng.permutation(len(x)), len(x) // BATCH):
            slopes = gradients(weights, x[batch], labels[batch])
            for place, slope in enumerate(slopes):
                velocity = 0.9 * velocities[place] - lr * (
                    slope + decay * weights[place]
                )
                velocities[place] = velocity
                weights[place] = weights[place] + velocity
        if not trial.report(epoch, val_loss=loss(weights, x_val, labels_val)):
            return


def gradients(
    weights: list[np.ndarray], x: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    hidden = np.maximum(x @ weights[0], 0)
    errors = probabilities(hidden @ weights[1])
    errors[np.arange(len(x)), labels] -= 1
    errors /= len(x)
    return x.T @ (errors @ weights[1].T * (hidden > 0)), hidden.T @ errors


def loss(weights: list[np.ndarray], x: np.ndarray, labels: np.ndarray) -> float:
    said = probabilities(np.maximum(x @ weights[0], 0) @ weights[1])
    return float(-np.log(said[np.arange(len(x)), labels] + 1e-12).mean())


def probabilities(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def digits() -> tuple[np.ndarray, ...]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x, y = images[order] / 16, labels[order]
    return x[:1200], y[:1200], x[1200:], y[1200:]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else place))
