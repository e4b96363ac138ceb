"""A study at rungs whose sampler learns, and whose checkpoints say what was trained.

python killed_rungs.py FOLDER SAMPLER SLOTS TRIALS [SCHEDULER]
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

STEP_S = 0.01
STEPS = 9


def study(sampler: str, trials: int, scheduler: str) -> danlu.Study:
    return danlu.Study(
        name="rungs",
        goal="Is every trial trained once, whatever happens?",
        metric="loss",
        space={"x": danlu.Float(0, 1), "y": danlu.Float(1e-3, 1.0, log=True)},
        sampler=sampler,
        scheduler=scheduler,
        trials=trials,
        max_steps=STEPS,
    )


def train(trial: LiveTrial) -> None:
    """Keeps the params of every step, and goes on from there."""
    saved = trial.checkpoints.latest()
    done = [] if saved is None else json.loads(saved.path.read_text())
    x, y = trial.params["x"], trial.params["y"]
    assert isinstance(x, float)
    assert isinstance(y, float)
    if done:  # it may have been killed after it saved and before it reported
        trial.report(len(done), loss=loss_at(x, y, len(done)))
    while len(done) < (trial.budget or STEPS):
        done.append([trial.number, x, y])
        time.sleep(STEP_S)
        text = json.dumps(done)
        trial.checkpoints.save(len(done), partial(Path.write_text, data=text))
        if not trial.report(len(done), loss=loss_at(x, y, len(done))):
            return


def loss_at(x: float, y: float, step: int) -> float:
    return (x - 0.3) ** 2 + y / 10 + 1 / step


class FirstStart:
    """Writes down when the first trial of this process has started."""

    def __init__(self, folder: Path) -> None:
        self._mark = folder / f"started.{os.getpid()}"

    def __call__(self, progress: danlu.Progress) -> None:
        if progress.running and not self._mark.exists():
            self._mark.touch()


def main() -> None:
    folder, sampler = Path(sys.argv[1]), sys.argv[2]
    slots, trials = map(int, sys.argv[3:5])
    scheduler = sys.argv[5] if len(sys.argv) > 5 else "asha"
    with danlu.open(folder / "tuning.db", folder) as project:
        own = study(sampler, trials, scheduler)
        project.run(own, train, slots=slots, watch=FirstStart(folder))


if __name__ == "__main__":
    main()
