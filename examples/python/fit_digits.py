"""Does a one-cycle read digits better than a constant rate, in as many epochs?

The training is `danlu.training.fit`: the network is ours, all the rest is said by the
params. Every trial draws `curves.svg` in its folder while it runs, and one that is
interrupted goes on from its last epoch. It takes some seconds.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

import danlu
from danlu import training
from danlu.client import LiveTrial

EPOCHS = 6
TRIALS = 8
Labeled = tuple[torch.Tensor, torch.Tensor]


def study() -> danlu.Study:
    rates = danlu.Float(1e-3, 1.0, log=True)
    cycle = {"lr": rates, "momentum_low": danlu.Float(0.7, 0.9)}
    return danlu.Study(
        name="cycle",
        goal="Does a one-cycle read digits better than a constant rate?",
        metric="val_loss",
        space={
            "schedule": danlu.Choice({"constant": {"lr": rates}, "one_cycle": cycle})
        },
        scientific=["schedule"],
        fixed={
            "optimizer": "nesterov",
            "epochs": EPOCHS,
            "batch_size": 32,
            "width": 32,
            "initialization": "he",
            "label_smoothing": 0.05,
        },
        sampler="quasi_random",
        trials=TRIALS,
        max_steps=EPOCHS,
    )


def network(params: Mapping[str, Any]) -> nn.Module:
    width = params["width"]
    return nn.Sequential(
        nn.Linear(64, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 10)
    )


def train(trial: LiveTrial, data: tuple[Labeled, Labeled]) -> None:
    torch.set_num_threads(1)
    fitted = training.fit(trial, network, train=data[0], val=data[1])
    for finding in fitted.findings:
        print(f"trial {trial.number}: {finding.message}", file=sys.stderr)


def digits() -> tuple[Labeled, Labeled]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    x, y = torch.tensor(images / 16).float()[order], torch.tensor(labels)[order]
    return (x[:1000], y[:1000]), (x[1000:], y[1000:])


def main(folder: Path) -> None:
    with danlu.open(folder / "danlu.db") as project:
        history = project.run(study(), partial(train, data=digits()), slots=2)
        for arm in study().arms:
            of_arm = [t for t in history.trials if arm.items() <= t.params.items()]
            best = min(of_arm, key=lambda t: history.loss(t) or float("inf"))
            print(
                f"{arm['schedule']}: val_loss {history.loss(best):.3f} "
                f"with lr={best.params['lr']:.2g}, trial {best.number}"
            )
    pictures = sorted(folder.rglob("curves.svg"))
    print(f"{len(pictures)} pictures, the first: {pictures[0].relative_to(folder)}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else place))
