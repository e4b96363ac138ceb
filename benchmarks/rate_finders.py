"""What other libraries' range tests suggest, behind the lines of `speaker.py`.

PEER_PYTHON -m benchmarks.rate_finders

It needs fastai, torch-lr-finder, pytorch-ignite, lightning and scikit-learn, and
nothing of danlu. Each finder gets a fresh model from the seed, the task's own
optimizer, shuffled batches, and 100 updates; its range is its own default, and from
1e-7 to 10 where it has none. What raises an error or suggests nothing answers None.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

from .rate_tasks import Task, tasks

STEPS, LOW, HIGH = 100, 1e-7, 10.0


def loader(task: Task) -> Any:
    return DataLoader(
        TensorDataset(*task.train), task.batch, shuffle=True, drop_last=True
    )


def fastai(task: Task) -> Mapping[str, float]:
    """Its four rules, each on the one sweep that they share."""
    from fastai.callback.schedule import minimum, slide, steep, valley
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    learner = Learner(
        DataLoaders(loader(task), loader(task)),
        task.model(),
        loss_func=task.criterion,
        opt_func=partial(OptimWrapper, opt=_optimizer_of(task)),
        path=tempfile.gettempdir(),
    )
    with learner.no_bar(), learner.no_logging():
        found = learner.lr_find(
            show_plot=False, suggest_funcs=(valley, slide, minimum, steep)
        )
    return {f"fastai {name}": float(rate) for name, rate in found._asdict().items()}


def torch_lr_finder(task: Task) -> Mapping[str, float]:
    """The steepest place of its plot, the one suggestion that it has."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from torch_lr_finder import LRFinder

    model = task.model()
    finder = LRFinder(model, task.optimizer(model, LOW), task.criterion, device="cpu")
    finder.range_test(loader(task), start_lr=LOW, end_lr=HIGH, num_iter=STEPS)
    _, axes = pyplot.subplots()
    _, rate = finder.plot(ax=axes, suggest_lr=True)
    pyplot.close("all")
    return {"torch-lr-finder": float(rate)}


def ignite(task: Task) -> Mapping[str, float]:
    """The steepest place of its smoothed curve."""
    from ignite.engine import create_supervised_trainer
    from ignite.handlers import FastaiLRFinder

    model = task.model()
    optimizer = task.optimizer(model, LOW)
    trainer = create_supervised_trainer(model, optimizer, task.criterion)
    finder = FastaiLRFinder()
    kept = {"model": model, "optimizer": optimizer}
    with finder.attach(
        trainer, kept, num_iter=STEPS, start_lr=LOW, end_lr=HIGH
    ) as attached:
        attached.run(loader(task), max_epochs=1000)
    return {"ignite": float(finder.lr_suggestion())}


def lightning(task: Task) -> Mapping[str, float]:
    """Its tuner, from start to end."""
    import lightning
    from lightning.pytorch.tuner import Tuner

    class Module(lightning.LightningModule):  # type: ignore[misc]  # Any
        def __init__(self) -> None:
            super().__init__()
            self.model, self.lr = task.model(), 1e-3

        def training_step(self, batch: Any, place: int) -> Any:
            return task.loss(self.model, batch)

        def configure_optimizers(self) -> Any:
            return task.optimizer(self.model, self.lr)

    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1000,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        found = Tuner(trainer).lr_find(Module(), train_dataloaders=loader(task))
        return {"lightning": float(found.suggestion())}


FINDERS: Mapping[str, Callable[[Task], Mapping[str, float]]] = {
    "fastai": fastai,
    "torch_lr_finder": torch_lr_finder,
    "ignite": ignite,
    "lightning": lightning,
}


def found_by(finder: str, task: Task, seed: int) -> dict[str, float | None]:
    """Suggestions from one seed; what failed is left out."""
    torch.manual_seed(seed)
    found = FINDERS[finder](task)
    return {name: rate if math.isfinite(rate) else None for name, rate in found.items()}


def _optimizer_of(task: Task) -> Callable[..., Any]:
    return (
        torch.optim.AdamW
        if task.kind == "adamw"
        else partial(torch.optim.SGD, momentum=0.9, nesterov=task.kind == "nesterov")
    )


def _without_torchvision() -> None:
    """Lets fastai and lightning be imported where torchvision does not load.

    torchvision's wheel is compiled for one build of torch. Beside another one (the one
    for CPUs, say) it fails as it declares shapes of operators that are not there; with
    empty ones of the same names it loads, and no task uses them.
    """
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor boxes, Tensor scores, float limit) -> Tensor")
    _KEPT.append(library)


_KEPT: list[Any] = []  # a library of operators ends with its object


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    _without_torchvision()
    known: dict[str, Task] = {}
    for line in sys.stdin:
        ((verb, said),) = json.loads(line).items()
        if verb == "init":
            data = Path(said["data"]) if said["data"] else None
            known = {task.name: task for task in tasks(data, more=False)}
            answer: dict[str, Any] = {"finders": list(FINDERS)}
        else:
            answer = _answered(known[said["task"]], said["finder"], said["seed"])
        out.write(json.dumps(answer) + "\n")


def _answered(task: Task, finder: str, seed: int) -> dict[str, Any]:
    try:
        return {"found": found_by(finder, task, seed), "error": None}
    except Exception as error:  # a finder's failure is its answer, and is shown
        return {"found": {}, "error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
