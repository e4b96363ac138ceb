"""A population whose checkpoints say which trial trained each of their steps.

python killed_population.py FOLDER SLOTS MEMBERS STEPS SCHEDULER
"""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from pathlib import Path

import danlu
from danlu.client import LiveTrial
from danlu.schedulers import AsyncPbt, Pbt

STEP_S = 0.02
INTERVAL = 3
SCHEDULERS = {"pbt": Pbt, "async_pbt": AsyncPbt}


def study(members: int, steps: int, scheduler: str) -> danlu.Study:
    return danlu.Study(
        name="population",
        goal="Is every lineage consistent, whatever happens?",
        metric="loss",
        space={"lr": danlu.Float(1e-3, 1.0, log=True)},
        sampler="quasi_random",
        scheduler=SCHEDULERS[scheduler](population=members, interval=INTERVAL),
        trials=1000,
        max_steps=steps,
    )


def train(trial: LiveTrial) -> None:
    saved = trial.checkpoints.latest()
    done = [] if saved is None else json.loads(saved.path.read_text())
    while len(done) < (trial.budget or 0):
        done.append([trial.number, trial.params["lr"]])
        time.sleep(STEP_S)
        text = json.dumps(done)
        trial.checkpoints.save(len(done), partial(Path.write_text, data=text))
        if not trial.report(len(done), loss=loss_of(done)):
            return
    trial.report(len(done), loss=loss_of(done))  # it was killed before it could


def loss_of(done: list[list[float]]) -> float:
    """SGD on a noisy parabola."""
    variance = 100.0
    for _, lr in done:
        variance = (1 - lr) ** 2 * variance + lr**2
    return variance


class FirstStart:
    """Writes down when the first trial of this process has started."""

    def __init__(self, folder: Path) -> None:
        self._mark = folder / f"started.{os.getpid()}"

    def __call__(self, progress: danlu.Progress) -> None:
        if progress.running and not self._mark.exists():
            self._mark.touch()


def main() -> None:
    folder, slots, members, steps = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    with danlu.open(folder / "tuning.db", folder) as project:
        own = study(members, steps, sys.argv[5])
        project.run(own, train, slots=slots, watch=FirstStart(folder))


if __name__ == "__main__":
    main()
