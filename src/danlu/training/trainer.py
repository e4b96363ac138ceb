"""`fit`: a reference trainer, in which the tools of this package are hyperparameters.

It trains a classifier, and is read from top to bottom: the training, one update, what
is measured, what is saved. No other tool needs it.

A training that was killed goes on from its last epoch and ends bit for bit where it
would have ended: each epoch begins with a random seed of its own, made of the trial's
seed and the epoch, and schedules are functions of the step.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from ..checkpoints import Checkpoints
from ..client import LiveTrial
from .accumulation import accumulate
from .augmentation import erased, flipped, mixed_up, noisy, shifted, smoothed
from .averaging import WeightAverage
from .balanced import Oversampled, class_weights
from .clipping import check_clipping
from .finding import Finding
from .fit_result import diverged, epochs_for, weights_at, whole_epochs
from .fit_settings import FitSettings, tracks_of
from .fit_setup import (
    Labeled,
    Params,
    check_alone,
    check_labeled,
    classes_in,
    optimizer_of,
    prepared,
    scaler_of,
    share_of,
)
from .freezing import train_unfrozen
from .gradient_monitor import GradientMonitor
from .live_curves import write_curves
from .norm_statistics import reestimate_norms
from .schedule_audit import audit
from .stepping import take_step
from .stopping import EarlyStopping, best_step
from .subsets import stratified_subset
from .unwrapping import unwrapped

PICTURE = "curves.svg"
MEASURED = 2048  # training examples for the statistics of batch norms
EVALUATED = 1024  # examples at once, so that a large validation set fits into memory
WIDTHS = {"bfloat16": torch.bfloat16, "float16": torch.float16}  # of autocast


@dataclass(frozen=True)
class Fitted:
    """A trained model, in eval mode, with the metrics of each epoch and findings.

    The model has the averaged weights if there was an average, and those of
    `of_epochs`. The findings are those of the gradients and the schedule, without those
    that say `ok`.

    >>> from torch import nn
    >>> from danlu import training
    >>> curve = ({"val_loss": 0.9}, {"val_loss": 0.7})
    >>> training.Fitted(nn.Linear(1, 1), curve, ()).best_epoch
    2
    """

    model: nn.Module
    curve: Sequence[Mapping[str, float]]
    findings: Sequence[Finding]
    of_epochs: Sequence[int] = ()  # the last one without any

    @property
    def best_epoch(self) -> int:
        """The epoch with the smallest validation loss, noise considered."""
        losses = [epoch["val_loss"] for epoch in self.curve]
        return best_step(range(1, len(losses) + 1), losses)


def fit(
    trial: LiveTrial,
    model: Callable[[Params], nn.Module],
    *,
    train: Labeled,
    val: Labeled,
) -> Fitted:
    """Trains `model(trial.params)` to tell classes apart, as the params say.

    The model maps inputs to scores of shape (n, classes). After every epoch `fit`
    measures, draws `curves.svg` in the trial's folder, saves a checkpoint and reports
    `loss`, the mean of what was minimized; `val_loss` and `val_error`; and the same of
    as many training examples, `train_loss` and `train_error`: without augmentation, and
    with the averaged weights if there is an average.

    A trial that was interrupted goes on from its last epoch.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from danlu import client, training
    >>> inputs = torch.randn(256, 4, generator=torch.Generator().manual_seed(0))
    >>> examples = inputs, (inputs[:, 0] > 0).long()
    >>> trial = client.current({"epochs": 2, "lr": 0.05, "schedule": "cosine"})
    >>> trial.folder = Path(tempfile.mkdtemp())
    >>> fitted = training.fit(
    ...     trial, lambda params: torch.nn.Linear(4, 2), train=examples, val=examples)
    ... # doctest: +ELLIPSIS
    step=1 val_loss=...
    step=2 val_loss=...
    >>> fitted.curve[-1]["val_error"] < 0.2
    True

    Raises:
        ValueError: a param is impossible, a name looks misspelled, or the examples are
            not inputs with the number of a class each.
        RuntimeError: several processes train together.
    """
    check_alone()
    settings = FitSettings.of(trial.params)
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):  # the caller's random state stays
        run = _Run(trial, settings, model, train, val)
        # What was saved may not have been reported yet, so it is reported again.
        going = not run.restored() or run.goes_on()
        while going and run.epoch < settings.epochs:
            loss = run.train()
            if math.isfinite(loss):
                run.measure(loss)
                run.save()
            else:
                run.give_up(loss)
            going = run.goes_on()
        return run.fitted()


class _Run:
    """A training as it stands: all that changes from step to step is in here."""

    def __init__(
        self,
        trial: LiveTrial,
        settings: FitSettings,
        build: Callable[[Params], nn.Module],
        train: Labeled,
        val: Labeled,
    ) -> None:
        self.trial, self.settings = trial, settings
        check_labeled("train", train, least=2)
        check_labeled("val", val, least=1)
        self.train_set, self.val_set = share_of(train, settings.data_share), val
        sample = stratified_subset(self.train_set[1], min(len(val[1]), self.size))
        self.train_sample = tuple(part[sample] for part in self.train_set)
        self.batch_size = min(settings.batch_size, self.size)
        self.steps = self.size // self.batch_size  # of an epoch: a smaller rest is left
        _seed(trial.seed, 0)
        self.model = prepared(build(trial.params), settings)
        self.device = next(self.model.parameters()).device
        self.classes = classes_in(self._scores(val[0][:2]), train, val)
        self.optimizer = optimizer_of(self.model, trial.params, settings)
        self.tracks = tracks_of(settings, self.optimizer, self.steps)
        self.scaler = scaler_of(settings, self.device)
        self.monitor = GradientMonitor(self.model)
        self.average: WeightAverage | None = None
        if settings.ema_half_life:
            self.average = WeightAverage(self.model, settings.ema_half_life)
        self.stopping: EarlyStopping | None = None
        if settings.patience:
            self.stopping = EarlyStopping(patience=settings.patience)
        self.checkpoints = Checkpoints(
            trial.checkpoints_at or trial.checkpoint, keep_best=settings.keep_best
        )
        self.curve: list[dict[str, float]] = []
        self.ended = False  # by early stopping, or because it diverged
        self.faults: list[Finding] = []

    @property
    def size(self) -> int:
        """How many examples are trained with."""
        return len(self.train_set[1])

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.curve)

    def train(self) -> float:
        """One epoch; the mean of what was minimized.

        A loss that is not a number ends the epoch at once, and is returned.
        """
        _seed(self.trial.seed, self.epoch + 1)
        train_unfrozen(self.model)
        total = 0.0
        for at, places in enumerate(self._batches()):
            self.tracks.set(self.optimizer, self.epoch * self.steps + at)
            loss = self._update(places)
            if not math.isfinite(loss):
                self.faults.append(diverged(loss, self.epoch + 1, at + 1))
                return loss
            total += loss
        return total / self.steps

    def _batches(self) -> Iterator[Tensor]:
        """The places of one batch after another, in the order of this epoch."""
        order = torch.randperm(self.size)
        balance = self.settings.class_balance
        if balance:
            weights = class_weights(self.train_set[1], strength=balance)
            seed = int(torch.randint(2**31, (1,)))
            order = torch.tensor(list(Oversampled(weights, seed=seed)))
        used = order[: self.steps * self.batch_size]
        yield from used.split(self.batch_size)

    def _update(self, places: Tensor) -> float:
        """One update of the weights, with the examples at `places`; their loss."""
        settings = self.settings
        inputs, shares = self._augmented(places)
        parts = [part.chunk(settings.accumulation) for part in (inputs, shares)]
        self.optimizer.zero_grad()
        batch = list(zip(*parts, strict=True))
        loss = accumulate(batch, self._loss, scaler=self.scaler)
        take_step(
            self.optimizer,
            clip_norm=settings.clip_norm,
            clip_value=settings.clip_value,
            scaler=self.scaler,
            monitor=self.monitor,
        )
        if self.average is not None:
            self.average.update(samples=len(places))
        return loss

    def _augmented(self, places: Tensor) -> Labeled:
        """A batch: inputs, and labels as shares of the classes."""
        settings = self.settings
        inputs, labels = (part[places].to(self.device) for part in self.train_set)
        if settings.flip:
            inputs = flipped(inputs)
        if settings.shift:
            inputs = shifted(inputs, settings.shift)
        if settings.erase:
            inputs = erased(inputs, settings.erase)
        if settings.noise:
            inputs = noisy(inputs, settings.noise)
        shares = smoothed(labels, self.classes, settings.label_smoothing)
        if settings.mixup_alpha:
            inputs, shares = mixed_up(inputs, shares, alpha=settings.mixup_alpha)
        return inputs, shares

    def _loss(self, part: Labeled) -> Tensor:
        inputs, shares = part
        return functional.cross_entropy(self._forward(inputs), shares)

    def _forward(self, inputs: Tensor) -> Tensor:
        width = WIDTHS.get(self.settings.precision)
        with torch.autocast(self.device.type, width, enabled=width is not None):
            scores = self.model(inputs)
        return scores.float()

    def measure(self, loss: float) -> None:
        """Puts the metrics of the epoch that was just trained to the curve."""
        with self.average.applied() if self.average is not None else nullcontext():
            if self.average is not None:
                self._measure_norms()
            train_loss, train_error = self._measured(*self.train_sample)
            val_loss, val_error = self._measured(*self.val_set)
        metrics = {"val_loss": val_loss, "train_loss": train_loss, "loss": loss}
        metrics |= {"val_error": val_error, "train_error": train_error}
        self._put(metrics)
        if self.stopping is not None:
            self.ended = self.stopping.update(val_loss)

    def give_up(self, loss: float) -> None:
        """Ends a training that diverged: no metric of this epoch is a number.

        It is not saved, so that the last checkpoint is of weights that were in order.
        """
        names = ("val_loss", "train_loss", "loss", "val_error", "train_error")
        self._put(dict.fromkeys(names, math.nan) | {"loss": loss})
        self.ended = True

    def _put(self, metrics: dict[str, float]) -> None:
        self.curve.append(metrics)
        picture = self.trial.folder / PICTURE
        write_curves(picture, self.curve, epochs=self.settings.epochs)

    def _measured(self, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
        """Mean loss and share of wrong answers; nan where a score is not a number."""
        scores = torch.cat([self._scores(part) for part in inputs.split(EVALUATED)])
        answers = labels.to(self.device)
        loss = float(functional.cross_entropy(scores, answers))
        wrong = float((scores.argmax(1) != answers).float().mean())
        return loss, wrong if bool(scores.isfinite().all()) else math.nan

    def _scores(self, inputs: Tensor) -> Tensor:
        self.model.eval()
        with torch.no_grad():
            return self._forward(inputs.to(self.device))

    def _measure_norms(self) -> None:
        """Gives batch norms the statistics of weights that nothing was trained with."""
        norms = [m for m in self.model.modules() if isinstance(m, _BatchNorm)]
        if not norms:
            return
        count = max(MEASURED // self.batch_size, 1) * self.batch_size
        places = stratified_subset(self.train_set[1], min(count, self.size))
        parts = self.train_set[0][places].split(self.batch_size)
        whole = [part for part in parts if len(part) == len(parts[0])]
        batches = (part.to(self.device) for part in whole)
        reestimate_norms(self.model, batches, forward=self._forward)

    def save(self) -> None:
        """Saves what the epochs to come need, and what was measured."""
        state = {
            "model": unwrapped(self.model).state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "stopping": None if self.stopping is None else self.stopping.state_dict(),
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "curve": self.curve,
            "ended": self.ended,
        }
        val_loss = self.curve[-1]["val_loss"]
        self.checkpoints.save(self.epoch, partial(torch.save, state), metric=val_loss)

    def restored(self) -> bool:
        """Goes on from the last checkpoint; False if there is none.

        The settings of the optimizer are those of this trial's params: a child in
        population based training has its parent's checkpoint and params of its own.
        """
        saved = self.checkpoints.latest()
        if saved is None:
            return False
        state = torch.load(saved.path, map_location=self.device, weights_only=True)
        unwrapped(self.model).load_state_dict(state["model"])
        own = [_settings_of(group) for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, settings in zip(self.optimizer.param_groups, own, strict=True):
            group.update(settings)
        if self.average is not None and state["average"] is None:
            self.average = WeightAverage(self.model, self.settings.ema_half_life)
        elif self.average is not None:
            half_life = {"half_life": self.average.half_life}
            self.average.load_state_dict(state["average"] | half_life)
        if self.stopping is not None and state["stopping"] is not None:
            self.stopping.load_state_dict(state["stopping"])
        if self.scaler is not None and state["scaler"] is not None:
            self.scaler.load_state_dict(state["scaler"])
        self.curve, self.ended = state["curve"], state["ended"]
        return True

    def goes_on(self) -> bool:
        """Reports the last epoch; whether another one is to follow."""
        return self.trial.report(self.epoch, **self.curve[-1]) and not self.ended

    def fitted(self) -> Fitted:
        """What the training came to."""
        losses = [epoch["val_loss"] for epoch in self.curve]
        result, kept = self.settings.result, set[int]()
        if result != "last":  # every byte of them is read
            kept = whole_epochs(self.checkpoints, self.epoch)
        epochs = epochs_for(result, losses, kept)
        weights = None if self.average is None else self.average.weights()
        if epochs:
            weights = weights_at(self.checkpoints, epochs, self.device)
        if weights is not None:
            unwrapped(self.model).load_state_dict(weights)
        if self.average is not None or len(epochs) > 1:
            self._measure_norms()
        limit = self.settings.clip_norm
        clipping = [] if limit is None else [check_clipping(self.monitor.norms, limit)]
        steps = self.settings.epochs * self.steps
        found = [*self.faults, *audit(self.tracks.lr, steps)]
        found += [*self.monitor.findings(), *clipping]
        worth = tuple(finding for finding in found if finding.level != "ok")
        return Fitted(self.model.eval(), tuple(self.curve), worth, tuple(epochs))


def _settings_of(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}


def _seed(trial_seed: int, epoch: int) -> None:
    """Sets torch's random state to that of an epoch, 0 for the first weights."""
    torch.manual_seed(random.Random(f"{trial_seed} {epoch}").getrandbits(63))
