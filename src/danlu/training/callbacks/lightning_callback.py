"""A trial of danlu as a callback of Lightning's `Trainer`.

Lightning's checkpoints hold no random state, so a run that was resumed shuffles and
drops out differently. Here each checkpoint begins a random state of its own, made of
the trial's seed, the step and the rank, for who goes on as for who comes back.
"""

from __future__ import annotations

import random
from typing import Any

import numpy
import torch

from ...client import LiveTrial
from ..finding import Finding
from .shared_trial import SharedTrial, numbers
from .watched import Watched, tell

try:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Checkpoint
except ImportError as error:
    raise ImportError(
        f"LightningCallback needs Lightning 2: pip install 'danlu[lightning]' ({error})"
    ) from error


class LightningCallback(Checkpoint):  # type: ignore[misc]
    """Saves, reports and stops a trial at the end of each epoch.

    `trainer.fit(model, ckpt_path=callback.ckpt_path)` goes on where the trial was. The
    metrics are those that the module logged for epochs; under DDP log them with
    `sync_dist=True`, since the first process reports its own.

    It replaces `ModelCheckpoint`, and comes after all other callbacks, so that a
    checkpoint has the state that they have after the epoch. `watch()` looks at the
    gradients.

    >>> from danlu.training.callbacks import LightningCallback
    >>> callback = LightningCallback()
    >>> callback.findings()
    ()

    Raises:
        ImportError: there is no Lightning.
    """

    def __init__(self, trial: LiveTrial | None = None) -> None:
        super().__init__()
        self._shared = SharedTrial(trial)
        self._step = 0
        self._metrics: dict[str, float] = {}
        self._watches = False
        self._watched: Watched | None = None

    @property
    def ckpt_path(self) -> str | None:
        """What `Trainer.fit` takes to go on; None for a trial that begins."""
        saved = self._shared.latest()
        return None if saved is None else str(saved.path)

    def watch(self) -> LightningCallback:
        """The same callback, which looks at the gradients too."""
        self._watches = True
        return self

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the gradients, empty where they are not watched."""
        return () if self._watched is None else self._watched.findings()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins the random state of the first epoch to come."""
        if trainer.check_val_every_n_epoch != 1:
            raise ValueError(
                "danlu may pause a trial after any epoch, so that each needs a "
                "validation: Trainer(check_val_every_n_epoch=1), got "
                f"{trainer.check_val_every_n_epoch}"
            )
        if self._watches and trainer.is_global_zero:
            self._watched = Watched(pl_module)
        self._seed(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reports again what may have been saved without having been reported."""
        saved = self._shared.latest()
        if saved is None:
            return
        if saved.step != self._step:
            raise ValueError(
                f"the trial has a checkpoint at step {saved.step}, and training begins "
                f"at {self._step}: trainer.fit(model, ckpt_path=callback.ckpt_path)"
            )
        self._step_plateaus(trainer, pl_module)
        self._end_unless(trainer, self._report())

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """First the checkpoint, then the report."""
        self._step = trainer.current_epoch + 1
        self._metrics = numbers(trainer.callback_metrics)
        self._shared.save(self._step, trainer.save_checkpoint)
        self._end_unless(trainer, self._report())
        self._seed(trainer)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Any
    ) -> None:
        """Looks at the gradients, which are unscaled and not yet clipped here."""
        if self._watched is not None:
            self._watched.before_update()

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        """Measures what the update changed."""
        if self._watched is not None:
            self._watched.after_update()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes findings to stderr."""
        tell(self.findings())

    def state_dict(self) -> dict[str, Any]:
        """What was reported last."""
        return {"step": self._step, "metrics": self._metrics}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what was reported last."""
        self._step, self._metrics = state_dict["step"], state_dict["metrics"]

    def _step_plateaus(self, trainer: Trainer, module: LightningModule) -> None:
        """Steps schedulers that wait for a metric: Lightning does it after the save."""
        for found in trainer.lr_scheduler_configs:
            due = found.interval == "epoch" and self._step % found.frequency == 0
            if found.reduce_on_plateau and due and found.monitor in self._metrics:
                module.lr_scheduler_step(found.scheduler, self._metrics[found.monitor])

    def _report(self) -> bool:
        return self._shared.report(self._step, self._metrics)

    def _end_unless(self, trainer: Trainer, goes_on: bool) -> None:
        if goes_on:
            return
        trainer.should_stop = True
        # `min_epochs` and `min_steps` would train on; who pauses trials decides.
        trainer.fit_loop.min_epochs = 0
        trainer.fit_loop.epoch_loop.min_steps = 0

    def _seed(self, trainer: Trainer) -> None:
        trial = self._shared.trial
        named = f"{trial.seed} {self._step} {trainer.global_rank}"
        bits = random.Random(named).getrandbits(63)
        random.seed(bits)
        numpy.random.seed(bits % 2**32)
        torch.manual_seed(bits)
