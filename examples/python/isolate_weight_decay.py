"""How much weight decay a small network needs: an isolation plot of five values.

Weight decay is scientific, the learning rate a nuisance: it is searched anew for every
value, so that none is compared at a rate that suits another one. The plot shows the
best of each value with what luck leaves open. The network has few images to learn from.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from small_network import digits, train

import danlu
from danlu.analysis.isolation import isolations
from danlu.client import LiveTrial

EPOCHS = 15
EXAMPLES = 150
WIDTH = 48  # columns of the plot


def main(folder: Path) -> None:
    study = danlu.Study(
        name="decay",
        goal="How much weight decay does a small network need?",
        metric="val_loss",
        space={
            "weight_decay": danlu.Choice([0.0, 1e-3, 1e-2, 3e-2, 1e-1], ordered=True),
            "lr": danlu.Float(1e-2, 1.0, log=True),
        },
        scientific=["weight_decay"],
        trials=60,
        max_steps=EPOCHS,
    )
    with danlu.open(folder / "danlu.db") as project:
        history = project.run(study, partial(learn, data=digits(EXAMPLES)), slots=2)
        for finding in project.analyze(study):
            if finding.check == "isolation":
                print(finding.message)
    (isolation,) = isolations(study, history)
    rows = [row for row in isolation.rows if row.best is not None]
    top = max(row.high or 0.0 for row in rows)
    for row in rows:
        low, best, high = (
            round(WIDTH * (value or 0.0) / top)
            for value in (row.low, row.best, row.high)
        )
        band = "".join(
            "o" if column == best else "-" if low <= column <= high else " "
            for column in range(WIDTH + 1)
        )
        print(f"{row.name:<20} {band} {row.best:.3f}")


def learn(trial: LiveTrial, data: tuple[np.ndarray, ...]) -> None:
    train(trial.params, trial.seed, EPOCHS, trial.report, data)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else place))
