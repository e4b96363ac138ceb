"""A trial of danlu as a callback of Lightning's `Trainer`.

Lightning's checkpoints hold no random state, so a run that was resumed shuffles and
drops out differently. Here each checkpoint begins a random state of its own, made of
the trial's seed, the step and the rank, for who goes on as for who comes back.
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import numpy
import torch

from ...client import LiveTrial
from ..finding import Finding
from .shared_trial import SharedTrial, Unit, check_unit, numbers
from .watched import Watched, tell

try:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Checkpoint
except ImportError as error:
    raise ImportError(
        f"LightningCallback needs Lightning 2: pip install 'danlu[lightning]' ({error})"
    ) from error


class LightningCallback(Checkpoint):  # type: ignore[misc]
    """Saves, reports and stops a trial at the end of each epoch, or each validation.

    `trainer.fit(model, ckpt_path=callback.ckpt_path)` goes on where the trial was. The
    metrics are those that the module logged for epochs; under DDP log them with
    `sync_dist=True`, since the first process reports its own. With `unit="step"` danlu
    counts updates, and hears of the trial after each validation.

    It replaces `ModelCheckpoint`, and comes after all other callbacks, so that a
    checkpoint has the state that they have then. `watch()` looks at the gradients.

    >>> from danlu.training.callbacks import LightningCallback
    >>> callback = LightningCallback(unit="step")
    >>> callback.findings()
    ()

    Raises:
        ImportError: there is no Lightning.
        ValueError: the unit is another one.
    """

    def __init__(self, trial: LiveTrial | None = None, *, unit: Unit = "epoch") -> None:
        super().__init__()
        check_unit(unit)
        self._shared = SharedTrial(trial)
        self._unit = unit
        self._step = 0
        self._epoch = 0  # the one to come, or the one that it is in
        self._validated = -1  # the epoch that was validated last
        self._metrics: dict[str, float] = {}
        self._ended = False  # by another callback, such as EarlyStopping
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
        """Begins the random state of the epoch, before its order is drawn."""
        if self._unit == "epoch" and trainer.check_val_every_n_epoch != 1:
            raise ValueError(
                "danlu may pause a trial after any epoch, so that each needs a "
                "validation: Trainer(check_val_every_n_epoch=1), got "
                f"{trainer.check_val_every_n_epoch}"
            )
        if self._watches and trainer.is_global_zero:
            self._watched = Watched(pl_module)
        self._seed("epoch", self._epoch)

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
        if self._unit == "epoch":
            self._step_plateaus(trainer, pl_module)
        else:
            _skip_batches(trainer)
            self._seed("step", self._step)
        self._end_unless(trainer, self._report() and not self._ended)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Where epochs count, first the checkpoint, then the report."""
        self._epoch = trainer.current_epoch + 1
        if self._unit == "epoch" and self._is_cut_off(trainer):
            tell([_cut_off(self._epoch)])
        elif self._unit == "epoch":
            self._settle(trainer, self._epoch, numbers(trainer.callback_metrics))
        elif trainer.fit_loop.restarting:  # in an epoch that was begun before
            self._step_plateaus(trainer, pl_module)
        self._seed("epoch", self._epoch)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Where steps count, first the checkpoint, then the report."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        self._validated = trainer.current_epoch
        if self._unit == "epoch":
            return
        if trainer.fit_loop.epoch_loop._should_accumulate():
            raise ValueError(
                "gradients that are being accumulated are in no checkpoint: give a "
                "val_check_interval that is a multiple of accumulate_grad_batches="
                f"{trainer.accumulate_grad_batches}"
            )
        found = trainer._results.metrics(on_step=False)["callback"]  # of this one alone
        self._settle(trainer, trainer.global_step, numbers(found))
        self._seed("step", self._step)

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
        """What was reported last, the epoch, and whether the training ended."""
        return {
            "step": self._step,
            "epoch": self._epoch,
            "metrics": self._metrics,
            "ended": self._ended,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what `state_dict` gave."""
        self._step, self._epoch = state_dict["step"], state_dict["epoch"]
        self._metrics, self._ended = state_dict["metrics"], state_dict["ended"]

    def _settle(self, trainer: Trainer, step: int, metrics: dict[str, float]) -> None:
        """First the checkpoint, then the report."""
        self._step, self._metrics = step, metrics
        self._ended = trainer.should_stop and trainer.fit_loop._can_stop_early
        if not trainer.fast_dev_run:  # or the next training would go on from there
            write = partial(trainer.save_checkpoint, weights_only=False)
            self._shared.save(step, metrics, write)
        self._end_unless(trainer, self._report())

    def _is_cut_off(self, trainer: Trainer) -> bool:
        """Whether `max_steps` ended the epoch before its validation.

        Lightning still has the metrics of an earlier one then.
        """
        return bool(trainer.enable_validation) and (
            self._validated != trainer.current_epoch
        )

    def _step_plateaus(self, trainer: Trainer, module: LightningModule) -> None:
        """Steps schedulers that wait for a metric, where Lightning leaves it out.

        It steps them after the checkpoint of an epoch was saved, and not at the end of
        an epoch that it came back to.
        """
        for found in trainer.lr_scheduler_configs:
            due = found.interval == "epoch" and self._epoch % found.frequency == 0
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

    def _seed(self, unit: Unit, count: int) -> None:
        """Begins a random state of the trial's seed, a place in it, and the rank."""
        named = f"{self._shared.trial.seed} {unit} {count} {self._shared.rank}"
        bits = random.Random(named).getrandbits(63)
        random.seed(bits)
        numpy.random.seed(bits % 2**32)
        torch.manual_seed(bits)


def _cut_off(epoch: int) -> Finding:
    return Finding(
        "validation",
        "notice",
        f"Epoch {epoch} ended before its validation, and is not reported.",
        "Let max_steps be whole epochs, or count updates: "
        "LightningCallback(unit='step').",
    )


def _skip_batches(trainer: Trainer) -> None:
    """Passes over the batches of the epoch that were trained on before the save.

    Lightning counts them, and reads the loader from its beginning.
    """
    loop = trainer.fit_loop
    loaders = loop._combined_loader.flattened
    if all(hasattr(loader, "load_state_dict") for loader in loaders):
        return  # they know their place by themselves
    for _ in range(loop.epoch_loop.batch_progress.current.ready):
        next(loop._data_fetcher.iterator)
