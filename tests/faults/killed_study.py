"""A study of real training that writes down, on its own, each acknowledged report.

python killed_study.py FOLDER TRIALS SLOTS
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import danlu
from danlu.client import LiveTrial

STEPS = 6


def study(trials: int) -> danlu.Study:
    return danlu.Study(
        name="killed",
        goal="Does every trial end once, whatever happens?",
        metric="val_error",
        space={
            "optimizer": danlu.Choice(
                {
                    "adam": {"lr": danlu.Float(1e-4, 1e-1, log=True)},
                    "sgd": {"lr": danlu.Float(1e-3, 1.0, log=True)},
                }
            ),
            "width": danlu.Int(8, 64, log=True),
        },
        scientific=["optimizer"],
        trials=trials,
        max_steps=STEPS,
    )


def train(trial: LiveTrial) -> None:
    import torch
    from sklearn.datasets import load_digits

    torch.set_num_threads(1)
    torch.manual_seed(trial.seed)
    digits = load_digits()
    images = torch.as_tensor(digits.data / 16.0, dtype=torch.float32)
    labels = torch.as_tensor(digits.target)
    width = int(trial.params["width"])  # type: ignore[arg-type]
    model = torch.nn.Sequential(
        torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10)
    )
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    optimizer = kinds[str(trial.params["optimizer"])](
        model.parameters(), lr=trial.params["lr"]
    )
    for step in range(1, STEPS + 1):
        for batch in torch.arange(1297).split(32):
            optimizer.zero_grad()
            logits = model(images[batch])
            torch.nn.functional.cross_entropy(logits, labels[batch]).backward()
            optimizer.step()
        wrong = model(images[1297:]).argmax(1) != labels[1297:]
        goes_on = trial.report(step, val_error=wrong.float().mean().item())
        _write_down(trial, step)
        if not goes_on:
            return


def _write_down(trial: LiveTrial, step: int) -> None:
    """One line for a report that was acknowledged."""
    ledger = trial.folder.parent.parent / "ledger.txt"
    line = f"{trial.number} {step}\n".encode()
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line)
    os.close(descriptor)


class FirstStart:
    """Writes down when the first trial of this process has started."""

    def __init__(self, folder: Path) -> None:
        self._mark = folder / f"started.{os.getpid()}"

    def __call__(self, progress: danlu.Progress) -> None:
        if progress.running and not self._mark.exists():
            self._mark.touch()


def main() -> None:
    folder, trials, slots = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with danlu.open(folder / "tuning.db", folder) as project:
        project.run(study(trials), train, slots=slots, watch=FirstStart(folder))


if __name__ == "__main__":
    main()
