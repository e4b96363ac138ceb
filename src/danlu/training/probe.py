"""What can be learned of a training program before it is tuned, by one object."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from . import preflight
from .batch_growth import BatchSizes, batch_sizes
from .before_tuning import Count, Preflight, before_tuning, counted
from .finding import Finding
from .noise_scale import NoiseScale, noise_scale
from .program import Program
from .rate_range import HIGH, LOW, STEPS, SWEEPS, RateRange, rate_range
from .steps import MOST, Steps, steps_to_fit
from .study_plan import StudyPlan, study_plan
from .trial_runs import STEADY, Noise, Stability, noise, stability


@dataclass(frozen=True)
class Probe(Program):
    """A model, its optimizer, its loss and its examples, and the tests to make on them.

    `train` and `val` are tuples of tensors with one row for each example, datasets with
    a length and an index, or DataLoaders of one. `loss(model, batch)` is the mean over
    the batch; `coupled` says that it is meant to compare the examples of a batch.
    `forward` gives the model's outputs for a batch; without it, `model(batch[0])`.
    `step(model, optimizer, batch)` is the program's own update, if it has one.
    `frozen` are beginnings of names that are not meant to be trained. `updates` says
    how many a full training makes, so that tests can say what they cost.

    >>> import torch
    >>> from danlu import training
    >>> X = torch.randn(256, 4, generator=torch.Generator().manual_seed(0))
    >>> probe = training.Probe(
    ...     model=lambda params: torch.nn.Linear(4, 2),
    ...     optimizer=training.build_optimizer,
    ...     loss=lambda model, batch: torch.nn.functional.cross_entropy(
    ...         model(batch[0]), batch[1]),
    ...     train=(X[:200], (X[:200, 0] > 0).long()),
    ...     val=(X[200:], (X[200:, 0] > 0).long()),
    ...     params={"lr": 0.05})
    >>> {finding.level for finding in probe.check()}
    {'ok'}
    """

    updates: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.updates is not None and self.updates < 1:
            raise ValueError(f"Probe needs updates >= 1, got {self.updates}")

    def preflight(self) -> Preflight:
        """`check` and then `lr_range`, with what they took, for `danlu.tune`."""
        return before_tuning(self, self.updates)

    def counting(self) -> AbstractContextManager[Count]:
        """Counts the updates of all optimizers while it is open."""
        return counted()

    @classmethod
    def from_lightning(
        cls,
        module: Any,
        loaders: Any,
        *,
        val: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> Probe:
        """A probe of a LightningModule, whose `training_step` is the loss.

        `module` is one that was not trained yet, or a function params -> module: a copy
        has the same first weights for every seed, a function gives fresh ones.
        `loaders` is a datamodule, or a DataLoader with another one as `val`. Schedules,
        clipping and accumulation are left out. `dataclasses.replace(probe, ...)` gives
        it a `forward`, if `module(inputs)` does not give the outputs, or a `device`.

        Raises:
            ImportError: there is no Lightning.
            ValueError: it optimizes by hand, has several optimizers, or examples cannot
                be had by their place.
        """
        from .from_lightning import lightning_program

        return cls(**lightning_program(module, loaders, val=val, params=params))

    @classmethod
    def from_hf(cls, trainer: Any, *, params: Mapping[str, Any] | None = None) -> Probe:
        """A probe of what a Hugging Face `Trainer` would train, by its `compute_loss`.

        With a `model_init`, each seed has fresh weights, otherwise those of the
        trainer's model. Schedules, clipping and accumulation are left out.

        Raises:
            ValueError: it was trained already, was given an optimizer, or examples
                cannot be had by their place.
        """
        from .from_hugging_face import hugging_face_program

        return cls(**hugging_face_program(trainer, params=params))

    def check(self) -> tuple[Finding, ...]:
        """Looks for faults that raise no error; at least one finding for each check.

        A fault has the level `warning`. Takes seconds for a small model: some hundred
        updates, about a thousand where little is learned.
        """
        return preflight.check(self)

    def lr_range(
        self,
        *,
        sweeps: int = SWEEPS,
        low: float = LOW,
        high: float = HIGH,
        steps: int = STEPS,
    ) -> RateRange:
        """The range test of the learning rate: a usable rate, its spread, a verdict.

        Each sweep raises the rate from `low` to `high` in so many updates. Then come
        short trainings at the rate that they suggest, and at multiples of 2 of it.
        """
        return rate_range(self, sweeps=sweeps, low=low, high=high, steps=steps)

    def batch_sizes(
        self, *, most: int | None = None, memory_bytes: int | None = None
    ) -> BatchSizes:
        """Which batch sizes fit, how fast they are, and what limits them.

        Tried in child processes: powers of two up to `most` (all training examples by
        default), then sizes between the last two. `memory_bytes` limits a child's
        address space.
        """
        return batch_sizes(self, most=most, memory_bytes=memory_bytes)

    def noise_scale(self, rate: float, *, steps: int = 50) -> NoiseScale:
        """A guess of the critical batch size, with a bracket, after `steps` updates."""
        return noise_scale(self, rate=rate, steps=steps)

    def noise(self, rate: float, *, steps: int = 200, seeds: int = 3) -> Noise:
        """How much the validation loss differs between seeds at one rate.

        Differences below twice the deviation are no findings.
        """
        return noise(self, rate, steps=steps, seeds=seeds)

    def stability(self, rate: float, *, steps: int = STEADY) -> Stability:
        """The first rate above that does not train; a warm-up for 10 times it.

        `rate` is the best one known. Looks at 2, 5 and 10 times of it, with a training
        of `steps` updates each, up to the first that is not stable.
        """
        return stability(self, rate, steps=steps)

    def steps(self, rate: float, *, most: int = MOST) -> Steps:
        """How many steps to begin with: when the fastest constant rate fits.

        Five rates around that of `lr_range`, of `most` updates at most each. To fit is
        to get every training example right, or to be as good as any of them became,
        within a standard error. Augmentation and regularization slow it down: leave
        them out of the program that the probe is made of.
        """
        return steps_to_fit(self, rate, most=most)

    def plan(
        self,
        *,
        trials: int,
        steps: Steps | int | None = None,
        found: RateRange | None = None,
    ) -> StudyPlan:
        """A first study around what is measured, with the reason of every number.

        `found` is the answer of `lr_range`, `steps` that of `steps` or a number of
        updates; each is asked without it.

        Raises:
            ValueError: the range test gave no rate to search around.
        """
        found = self.lr_range() if found is None else found
        _, optimizer = self.build()
        rate = found.suggestion
        if rate is None:
            raise ValueError(f"no rate to plan a study around: {found.message}")
        steps = self.steps(rate) if steps is None else steps
        stable = self.stability(rate)
        return study_plan(
            found, stable, optimizer=optimizer, trials=trials, steps=steps
        )
