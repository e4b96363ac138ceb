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
from small_network import digits, train

import danlu
from danlu.client import LiveTrial

EPOCHS = 10


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
    program = partial(learn, data=digits())
    with danlu.open(folder / "danlu.db") as project:
        first = project.run(study, program, slots=2)
        show(study, first)
        for finding in project.analyze(study):
            if finding.level is danlu.Level.WARNING:
                print(f"  {finding.check}: {finding.message}")
        proposal = project.next(study)[0]
        print(f"next: {proposal.study.goal}")
        project.plan(proposal.study)
        taken_over = project.carry(proposal.study, study)
        print(f"  {taken_over} trials are taken over, the others are trained")
        second = project.run(proposal.study, program, slots=2)
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


def learn(trial: LiveTrial, data: tuple[np.ndarray, ...]) -> None:
    train(trial.params, trial.seed, EPOCHS, trial.report, data)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else place))
