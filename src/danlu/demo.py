"""The main job on real data: is Adam better than SGD at reading digits?

Trains a small PyTorch network on scikit-learn's 1,797 images of handwritten digits,
some dozens of times in two processes, and ends with what was found.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .domain import Choice, Float
from .errors import DanluError
from .study import Study

if TYPE_CHECKING:
    from .client import LiveTrial
    from .loop import Progress

EPOCHS = 15
TRIALS = 32
SLOTS = 2


def study(trials: int = TRIALS) -> Study:
    """The study: two optimizers, each with its own hyperparameters, compared fairly.

    >>> study().arms
    ({'optimizer': 'adam'}, {'optimizer': 'nesterov'})
    """
    adam = {
        "lr": Float(1e-4, 3e-2, log=True),
        "one_minus_beta1": Float(1e-2, 5e-1, log=True),
    }
    nesterov = {
        "lr": Float(1e-3, 1.0, log=True),
        "one_minus_momentum": Float(1e-2, 5e-1, log=True),
    }
    return Study(
        name="digits",
        goal="Does Adam read digits better than SGD with Nesterov momentum?",
        metric="val_error",
        space={
            "optimizer": Choice({"adam": adam, "nesterov": nesterov}),
            "weight_decay": Float(1e-6, 1e-1, log=True),
            "dropout": Float(0.0, 0.6),
        },
        scientific=["optimizer"],
        fixed={"width": 64, "batch_size": 64},
        scheduler="median",
        trials=trials,
        max_steps=EPOCHS,
    )


def train(trial: LiveTrial) -> None:
    """Trains one network, reporting after every epoch; goes on from its checkpoint."""
    import torch

    torch.set_num_threads(1)  # one core a trial: two run side by side
    images, labels, val_images, val_labels = _digits()
    model = _network(trial)
    optimizer = _optimizer(trial, model)
    epochs_done = _restore(trial, model, optimizer)
    for epoch in range(epochs_done + 1, EPOCHS + 1):
        shuffled = torch.Generator().manual_seed(trial.seed + epoch)
        order = torch.randperm(len(images), generator=shuffled)
        model.train()
        total = 0.0
        for batch in order.split(int(trial.params["batch_size"])):  # type: ignore[arg-type]
            optimizer.zero_grad()
            logits = model(images[batch])
            loss = torch.nn.functional.cross_entropy(logits, labels[batch])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        trial.checkpoints.save(epoch, partial(torch.save, state))
        val_loss, val_error = _validated(model, val_images, val_labels)
        train_loss = total / len(images)
        if not trial.report(
            epoch, val_error=val_error, val_loss=val_loss, train_loss=train_loss
        ):
            return


def main(folder: Path = Path(".danlu"), trials: int = TRIALS) -> None:
    """Runs the study in `folder`, prints what was found, and names the report.

    Raises:
        DanluError: torch or scikit-learn is not installed.
    """
    from . import report
    from .project import open

    _check_installed()
    began_s = time.time()
    print(f"{study().goal}\n{trials} trials, {SLOTS} at a time", file=sys.stderr)
    with open(folder / "danlu.db") as project:
        planned = project.plan(study(trials))
        history = project.run(planned, train, slots=SLOTS, watch=_Lines())
        summary = report.summarize(planned, history, project.notes(planned))
        print(report.text(summary))
        path = report.write_html(planned, history, project.folder / "digits.html")
    seconds = time.time() - began_s
    print(f"{seconds:.0f} s. The report: {path.absolute()}")


class _Lines:
    """Prints one line for each trial that has ended."""

    def __init__(self) -> None:
        self._shown: set[int] | None = None

    def __call__(self, progress: Progress) -> None:
        ended = [trial for trial in progress.history.trials if trial.state.ended]
        if self._shown is None:  # those of an earlier start are no news
            self._shown = {trial.number for trial in ended}
        for trial in ended:
            if trial.number not in self._shown:
                self._shown.add(trial.number)
                best = progress.history.best
                loss = progress.history.loss(trial)
                shown = "no value" if loss is None else f"val_error {loss:.4f}"
                least = "" if best is None else f"   best so far: trial {best.number}"
                count = f"{len(self._shown)}/{progress.study.trials}"
                line = f"{count:>6}  trial {trial.number:<3} {trial.state.value:<10}"
                print(f"{line} {shown}{least}", file=sys.stderr)
        for message in progress.messages:
            print(message, file=sys.stderr)


def _digits() -> tuple[Any, ...]:
    """Images (n, 1, 8, 8) and labels (n,), for training and for validation."""
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = (digits.images / 16.0).astype("float32")[:, None]
    own, val, labels, val_labels = train_test_split(
        images, digits.target, test_size=600, random_state=0, stratify=digits.target
    )
    arrays = (own, labels, val, val_labels)
    return tuple(torch.as_tensor(array) for array in arrays)


def _network(trial: LiveTrial) -> Any:
    import torch

    torch.manual_seed(trial.seed)
    width, dropout = int(trial.params["width"]), trial.params["dropout"]  # type: ignore[arg-type]
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(16 * 4 * 4, width),
        torch.nn.ReLU(),
        torch.nn.Dropout(dropout),
        torch.nn.Linear(width, 10),
    )


def _optimizer(trial: LiveTrial, model: Any) -> Any:
    import torch

    own: dict[str, Any] = dict(trial.params)
    if own["optimizer"] == "adam":
        betas = 1 - own["one_minus_beta1"], 0.999
        return torch.optim.AdamW(
            model.parameters(), own["lr"], betas, weight_decay=own["weight_decay"]
        )
    return torch.optim.SGD(
        model.parameters(),
        own["lr"],
        momentum=1 - own["one_minus_momentum"],
        weight_decay=own["weight_decay"],
        nesterov=True,
    )


def _validated(model: Any, images: Any, labels: Any) -> tuple[float, float]:
    """Mean loss and share of wrong answers."""
    import torch

    model.eval()
    with torch.no_grad():
        logits = model(images)
        loss = torch.nn.functional.cross_entropy(logits, labels).item()
        error = (logits.argmax(1) != labels).float().mean().item()
    return loss, error


def _restore(trial: LiveTrial, model: Any, optimizer: Any) -> int:
    """The epochs that the checkpoint holds; 0 without one."""
    import torch

    saved = trial.checkpoints.latest()
    if saved is None:
        return 0
    state = torch.load(saved.path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return saved.step


def _check_installed() -> None:
    from importlib.util import find_spec

    for module, name in (("torch", "torch"), ("sklearn", "scikit-learn")):
        if find_spec(module) is None:
            raise DanluError(f"the demo needs {name}: pip install {name}")
