"""A trial of danlu in a loop with Hugging Face's Accelerate.

`accelerator.save_state` saves the models, optimizers, schedulers and loaders that were
prepared, and the random states of all processes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, SupportsFloat

from torch import nn

from ...client import LiveTrial
from ..finding import Finding
from .shared_trial import SharedTrial, numbers
from .watched import Watched, tell

try:
    from accelerate import Accelerator
except ImportError as error:
    raise ImportError(
        f"AccelerateTrial needs Accelerate: pip install 'danlu[accelerate]' ({error})"
    ) from error

NOTE = "danlu.json"  # in a checkpoint: what is reported once it is saved


class AccelerateTrial:
    """A trial in a loop with Accelerate: `steps` goes on, `report` saves and reports.

    All processes call both. Make it after `accelerator.prepare`. In the loop a step is
    whatever danlu is to count, epochs mostly.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from accelerate import Accelerator
    >>> from danlu import client
    >>> from danlu.training.callbacks import AccelerateTrial
    >>> trial = client.current({"lr": 0.1})
    >>> trial.folder = Path(tempfile.mkdtemp())
    >>> accelerator = Accelerator(cpu=True)
    >>> model = accelerator.prepare(torch.nn.Linear(2, 1))
    >>> run = AccelerateTrial(accelerator, trial)
    >>> for epoch in run.steps(2):
    ...     run.report(epoch, val_loss=1 / epoch)
    step=1 val_loss=1.0
    True
    step=2 val_loss=0.5
    True

    Raises:
        ImportError: there is no Accelerate.
        ValueError: the accelerator names its checkpoints itself.
    """

    def __init__(
        self, accelerator: Accelerator, trial: LiveTrial | None = None
    ) -> None:
        if accelerator.project_configuration.automatic_checkpoint_naming:
            raise ValueError(
                "a trial has its checkpoints in its own folder: ProjectConfiguration("
                "automatic_checkpoint_naming=False), got True"
            )
        self._accelerator = accelerator
        self._shared = SharedTrial(trial)
        self._goes_on = True
        self._watched: Watched | None = None

    def steps(self, last: int) -> Iterator[int]:
        """The steps that are still to be trained, up to `last`, until danlu says stop.

        The first one follows that of the checkpoint, which is loaded.
        """
        step = self._restored()
        while self._goes_on and step < last:
            step += 1
            yield step
        tell(self.findings())

    def report(self, step: int, **metrics: SupportsFloat) -> bool:
        """Saves, then reports; whether training goes on, the same in all processes.

        Raises:
            ValueError: a metric is no single number.
        """
        plain = numbers(metrics)
        if len(plain) < len(metrics):
            lost = sorted(set(metrics) - set(plain))
            raise ValueError(f"metrics are single numbers, and {lost} are not")
        epochs = [loader.iteration for loader in self._counting()]
        note = {"step": step, "metrics": plain, "epochs": epochs}
        self._shared.save(step, plain, lambda path: self._write(path, note))
        self._seed_orders(step)
        self._goes_on = self._shared.report(step, plain)
        return self._goes_on

    def watch(self, model: nn.Module) -> None:
        """Looks at the gradients of the model at each `update`."""
        if self._shared.rank == 0:
            self._watched = Watched(model)

    @contextmanager
    def update(self) -> Iterator[None]:
        """Around `optimizer.step()`: looks at the gradients, and at what it changes.

        Clip before it or within it, as you like; while gradients are accumulated
        nothing is looked at.
        """
        due = self._accelerator.sync_gradients
        if self._watched is None or not due:
            yield
            return
        self._accelerator.unscale_gradients()
        self._watched.before_update()
        yield
        self._watched.after_update()

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the gradients, empty where they are not watched."""
        return () if self._watched is None else self._watched.findings()

    def _restored(self) -> int:
        """Loads the checkpoint and reports it again; its step, 0 without one."""
        saved = self._shared.latest()
        if saved is None:
            return 0
        note = json.loads((saved.path / NOTE).read_text("utf-8"))
        self._accelerator.load_state(str(saved.path))
        # A sampler that is seeded by the epoch would begin with that of the first one.
        for loader, epoch in zip(self._counting(), note["epochs"], strict=True):
            loader.set_epoch(epoch)
        self._seed_orders(note["step"])
        # What was saved may not have been reported yet.
        self._goes_on = self._shared.report(note["step"], note["metrics"])
        return int(note["step"])

    def _counting(self) -> list[Any]:
        """The loaders that were prepared and count their epochs."""
        loaders = self._accelerator._dataloaders
        return [loader for loader in loaders if hasattr(loader, "iteration")]

    def _seed_orders(self, step: int) -> None:
        """Begins the orders of examples anew, for who goes on as for who comes back.

        With several processes they come from a generator that no checkpoint holds.
        """
        named = random.Random(f"{self._shared.trial.seed} {step}")
        for loader in self._accelerator._dataloaders:
            generator = getattr(loader, "synchronized_generator", None)
            if generator is not None:
                generator.manual_seed(named.getrandbits(63))

    def _write(self, path: Path, note: object) -> None:
        self._accelerator.save_state(str(path))
        if self._shared.rank == 0:
            (path / NOTE).write_text(json.dumps(note), "utf-8")
        self._accelerator.wait_for_everyone()
