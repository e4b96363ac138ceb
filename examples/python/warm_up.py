"""Warm-up moves the learning rate from which training is unstable.

The same network is trained at learning rates up to far too large ones, with and without
warm-up: lr then rises from 0 over the first third of the updates. What counts is up to
which rate it still learns; and where the best checkpoints fall in a training.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from small_network import digits, train

import danlu
from danlu.analysis.step_budget import step_budget
from danlu.client import LiveTrial

EPOCHS = 8
LEARNED = 0.69  # nats: twice as good as a guess among two digits


def main(folder: Path) -> None:
    study = danlu.Study(
        name="warm-up",
        goal="Up to which learning rate does it learn, with and without warm-up?",
        metric="val_loss",
        space={
            "warmup": danlu.Choice([0.0, 0.3]),
            "lr": danlu.Float(0.05, 5.0, log=True),
        },
        scientific=["warmup"],
        trials=48,
        max_steps=EPOCHS,
    )
    with danlu.open(folder / "danlu.db") as project:
        history = project.run(study, partial(learn, data=digits()), slots=2)
    for arm in study.arms:
        own = [
            trial for trial in history.trials if study.arms[_arm(study, trial)] == arm
        ]
        losses = {float(trial.params["lr"]): history.loss(trial) for trial in own}
        rates = [
            lr for lr, loss in losses.items() if loss is not None and loss < LEARNED
        ]
        print(f"warmup={arm['warmup']:g}: learns up to lr={max(rates):.2g}")
    (finding,) = step_budget(study, history)
    counts = finding.evidence["histogram"]
    print("best checkpoints by tenths of the steps:", *counts)


def _arm(study: danlu.Study, trial: danlu.Trial) -> int:
    place = study.arm_of(trial.params)
    assert place is not None
    return place


def learn(trial: LiveTrial, data: tuple[np.ndarray, ...]) -> None:
    train(trial.params, trial.seed, EPOCHS, trial.report, data)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else place))
