"""One of several loops on one study, whose trials write down what was acknowledged.

python shared_study.py URL FOLDER TRIALS [NAME=SECONDS ...]

lease=S makes the lease shorter; jump=S makes the clock of this loop jump, forth and
back by turns; pause=S is how long a step of a trial takes.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import danlu
from danlu import loop
from danlu.client import LiveTrial

STEPS = 5
JUMP_EVERY_S = 0.7


def study(trials: int) -> danlu.Study:
    return danlu.Study(
        name="shared",
        goal="Does every trial end once, whatever happens?",
        metric="loss",
        space={"x": danlu.Float(0, 1)},
        sampler="random",
        trials=trials,
        max_steps=STEPS,
    )


class Train:
    """A trial of short steps."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s

    def __call__(self, trial: LiveTrial) -> None:
        for step in range(1, STEPS + 1):
            time.sleep(self.pause_s)
            goes_on = trial.report(step, loss=float(trial.number + 1 / step))
            _write_down(trial, step)
            if not goes_on:
                return


def _write_down(trial: LiveTrial, step: int) -> None:
    """One line for a report that was acknowledged."""
    ledger = trial.folder.parent.parent / "ledger.txt"
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{trial.number} {trial.attempt} {step}\n".encode())
    os.close(descriptor)


def _watch(progress: danlu.Progress) -> None:
    if progress.running:
        print("running", *(trial.number for trial in progress.running), flush=True)
    for message in progress.messages:
        print(message, flush=True)


def _let_clock_jump(jump_s: float) -> None:
    """From now on the clock of this process is ahead every other moment."""
    true_time = time.time
    began_s = time.monotonic()

    def jumping() -> float:
        turn = int((time.monotonic() - began_s) / JUMP_EVERY_S)
        return true_time() + (jump_s if turn % 2 else 0.0)

    time.time = jumping


def main() -> None:
    url, folder, trials = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    pairs = (word.split("=") for word in sys.argv[4:])
    settings = {name: float(seconds) for name, seconds in pairs}
    loop.LEASE_S = settings.get("lease", loop.LEASE_S)
    if "jump" in settings:
        _let_clock_jump(settings["jump"])
    with danlu.open(url, folder) as project:
        train = Train(settings.get("pause", 0.02))
        project.run(study(trials), train, slots=2, watch=_watch)


if __name__ == "__main__":
    main()
