"""A study by successive halving whose program keeps a checkpoint of one number.

python halving_study.py FOLDER
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import danlu
from danlu.client import LiveTrial

STUDY = danlu.Study(
    name="halving",
    goal="Are the same trials promoted, whatever happens?",
    metric="loss",
    space={"x": danlu.Float(0, 1)},
    trials=9,
    sampler="quasi_random",
    scheduler="successive_halving",
    max_steps=9,
)


def train(trial: LiveTrial) -> None:
    """Goes on from the step in its checkpoint, which is written after each report."""
    saved = trial.folder / "step"
    first = int(saved.read_text()) if saved.exists() else 0
    for step in range(first + 1, (trial.budget or 9) + 1):
        time.sleep(0.05)
        x = trial.params["x"]
        assert isinstance(x, float)
        goes_on = trial.report(step, loss=(x - 0.3) ** 2 + 1 / step)
        new = saved.with_suffix(".new")
        new.write_text(str(step))
        new.replace(saved)  # a process that is killed leaves the old one or the new
        if not goes_on:
            return


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with danlu.open(folder / "tuning.db") as project:
        project.run(STUDY, train, slots=2)
