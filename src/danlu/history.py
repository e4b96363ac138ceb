"""What a study knows so far: its trials, read-only, and as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from .errors import StudyError
from .jsontext import is_name
from .space import Array, Params, SearchSpace
from .trial import Curve, State, Trial


@dataclass(frozen=True)
class Metric:
    """The number that a study makes small, or large with `maximize=True`.

    `at="best"` takes the best value over the steps (the checkpoint that one would
    keep); `at="last"` the one at the last step.

    >>> import danlu
    >>> error = danlu.Metric("val_error")
    >>> error.loss(danlu.Curve.of({1: 0.5, 2: 0.3, 3: 0.4}))
    0.3

    Raises:
        StudyError: the name is empty, or `at` neither of the two.
    """

    name: str
    maximize: bool = False
    at: Literal["best", "last"] = "best"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise StudyError(f"a metric needs a name, got {self.name!r}")
        if not is_name(self.name):
            raise StudyError(f"a metric's name is valid Unicode, got {self.name!r}")
        if self.at not in ("best", "last"):
            raise StudyError(f"Metric(at=...) is 'best' or 'last', got {self.at!r}")

    def loss(self, curve: Curve | None) -> float | None:
        """The curve as one number of which smaller is better, None where it has none.

        A value that is not finite is no value: the trial that has one is infeasible.
        """
        if curve is None:
            return None
        values = curve.values[np.isfinite(curve.values)]
        if not len(values):
            return None
        signed = -values if self.maximize else values
        return float(signed[-1] if self.at == "last" else signed.min())

    def value(self, loss: float) -> float:
        """The metric as the user knows it, from the loss."""
        return -loss if self.maximize else loss


@dataclass(frozen=True, eq=False)
class History:
    """One study so far (or one arm of it), read-only; a smaller loss is better.

    `trials` are in order of number. `seed` is the study's (or the arm's) own,
    `position` the number of trials that its sampler was asked for before. `max_steps`
    is the length of a full training, None when unknown.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> done = danlu.Trial(0, {"x": 0.25}, danlu.State.COMPLETED,
    ...                    curves={"loss": danlu.Curve.of({1: 3.0})})
    >>> history = danlu.History(space, danlu.Metric("loss"), [done])
    >>> X, y = history.observed()
    >>> X.tolist(), y.tolist()
    ([[0.25]], [3.0])
    """

    space: SearchSpace
    metric: Metric
    trials: Sequence[Trial] = field(default=())
    seed: int = 0
    position: int = 0
    max_steps: int | None = None

    def loss(self, trial: Trial, at: int | None = None) -> float | None:
        """The trial's loss, or its loss up to step `at`; None where it has none."""
        curve = trial.curves.get(self.metric.name)
        if curve is None or at is None:
            return self.metric.loss(curve)
        if self.metric.at == "last":
            return self.metric.loss(curve.until(at))
        best = curve.best_until(at, self.metric.maximize)
        if math.isnan(best):
            return None
        return -best if self.metric.maximize else best

    def observed(self, at: int | None = None) -> tuple[Array, Array]:
        """Points (n, d) and losses (n,) of the ended trials inside the space.

        An infeasible trial is there with the loss nan. With `at`, every trial that has
        reached that step counts, with its loss up to it.
        """
        if at is None:
            return self._observed
        reached = [trial for trial in self.trials if trial.step >= at]
        return self._arrays(reached, at)

    def pending(self) -> Array:
        """Points (n, d) of the trials that have begun and not ended."""
        begun = [trial for trial in self.trials if not trial.state.ended]
        return self._points(begun)

    def ranked(self, at: int | None = None) -> Sequence[Trial]:
        """Trials by loss, best first: the ended ones, or all that reached step `at`.

        Trials without a loss, and those that failed or are infeasible, are left out.
        Of equals the earlier one comes first.
        """
        if at is None:
            return self._ranked
        return self._sorted([trial for trial in self.trials if trial.step >= at], at)

    @property
    def best(self) -> Trial | None:
        """The ended trial with the smallest loss, None before there is one."""
        return self._ranked[0] if self._ranked else None

    @cached_property
    def _observed(self) -> tuple[Array, Array]:
        return self._arrays([trial for trial in self.trials if trial.state.ended], None)

    @cached_property
    def _ranked(self) -> Sequence[Trial]:
        return self._sorted([trial for trial in self.trials if trial.state.ended], None)

    def _sorted(self, trials: Sequence[Trial], at: int | None) -> tuple[Trial, ...]:
        keyed = []
        for trial in trials:
            loss = self.loss(trial, at)
            useful = trial.state not in (State.INFEASIBLE, State.FAILED)
            if loss is not None and useful:
                keyed.append((loss, trial.number, trial))
        return tuple(trial for _, _, trial in sorted(keyed, key=lambda key: key[:2]))

    def _arrays(self, trials: Sequence[Trial], at: int | None) -> tuple[Array, Array]:
        points, losses = [], []
        for trial in trials:
            loss = math.nan if trial.state is State.INFEASIBLE else self.loss(trial, at)
            if loss is None or trial.state is State.FAILED:
                continue
            if trial.params in self.space:
                points.append(self.space.encode(trial.params))
                losses.append(loss)
        return self._stacked(points), np.array(losses, np.float64)

    def _points(self, trials: Sequence[Trial]) -> Array:
        params: list[Params] = [trial.params for trial in trials]
        return self._stacked([self.space.encode(p) for p in params if p in self.space])

    def _stacked(self, points: Sequence[Array]) -> Array:
        return np.stack(points) if points else np.empty((0, len(self.space)))
