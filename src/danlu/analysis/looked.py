"""The trials whose curves the checks look at, and these curves, read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..history import History
from ..metric import Metric
from ..space import Array
from ..trial import State, Trial
from .base import Finding, Level
from .curve_noise import LEAST_REPORTS, Curves, read
from .metric_roles import is_training, training_metric

WHOLE = 0.9  # share of the longest training that counts as all of it
LEAST_BETTER = 5  # trials

Flags = NDArray[np.bool_]

_LOOKED: WeakKeyDictionary[History, tuple[Sequence[Trial], Looked]]
_LOOKED = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Looked:
    """The search trials that were trained to their end, best first, and their curves.

    `validation` are curves of the study's metric, `training` of `training_metric`; rows
    of both are places in `trials`.
    """

    metric: Metric
    trials: tuple[Trial, ...]
    validation: tuple[Curves, ...]
    training_metric: Metric | None
    training: tuple[Curves, ...]

    @property
    def trained(self) -> tuple[Curves, ...]:
        """Curves of what the trials were trained on, none where it is not reported."""
        names = {name for trial in self.trials[:1] for name in trial.curves}
        itself = is_training(self.metric.name, names)
        return self.validation if itself else self.training

    @property
    def better(self) -> int:
        """How many trials are the better ones: a quarter, but no fewer than five."""
        return min(len(self.trials), max(LEAST_BETTER, len(self.trials) // 4))

    @property
    def half(self) -> int:
        """How many trials are the better half of them, no fewer than five."""
        return min(len(self.trials), max(LEAST_BETTER, -(-len(self.trials) // 2)))

    @property
    def read(self) -> Flags:
        """Which of the trials have a curve long enough to be read (n,)."""
        return self.flags(self.validation, lambda own: np.ones(len(own.rows), bool))

    def unread(self, check: str, question: str, least: int = 1) -> Finding | None:
        """What a check says that needs the curves of at least so many trials."""
        known = int(self.read.sum())
        if known >= least:
            return None
        return Finding(
            check,
            Level.UNKNOWN,
            f"{known} of {least} trials that are needed were trained to their end and "
            f"have {LEAST_REPORTS} values of {self.metric.name}: {question} cannot be "
            "told yet.",
            f"Report {self.metric.name} several times in each training, such as after "
            "every epoch.",
            {"missing": least - known},
        )

    def numbers(self, flags: Flags) -> list[int]:
        """The numbers of the trials with a flag."""
        return [self.trials[place].number for place in np.nonzero(flags)[0]]

    def column(self, curves: Sequence[Curves], of: Callable[[Curves], Array]) -> Array:
        """`of` each curve at its trial's place (n,), nan without a curve."""
        found = np.full(len(self.trials), np.nan)
        for own in curves:
            found[own.rows] = of(own)
        return found

    def flags(self, curves: Sequence[Curves], of: Callable[[Curves], Flags]) -> Flags:
        """`of` each curve at its trial's place (n,), False without a curve."""
        found = np.zeros(len(self.trials), bool)
        for own in curves:
            found[own.rows] = of(own)
        return found


def look(history: History) -> Looked:
    """The curves of the search trials that were trained to their end.

    When the study's metric is itself a training one, no training metric stands beside
    it. Checks that look at one history share what is found, until a trial changes.
    """
    ranked = history.ranked()  # the same tuple as long as no trial has changed
    known = _LOOKED.get(history)
    if known is None or known[0] is not ranked:
        known = _LOOKED[history] = ranked, _looked(history.metric, ranked)
    return known[1]


def _looked(metric: Metric, ranked: Sequence[Trial]) -> Looked:
    searched = [trial for trial in ranked if trial.kind.judged]
    end = WHOLE * max((trial.step for trial in searched), default=0)
    whole = [
        trial
        for trial in searched
        if trial.state is State.COMPLETED or trial.step >= end
    ]
    own = training_metric(whole, metric)
    if is_training(metric.name, {name for t in whole[:1] for name in t.curves}):
        own = None
    training = () if own is None else _curves(whole, own)
    return Looked(metric, tuple(whole), _curves(whole, metric), own, training)


def _curves(trials: Sequence[Trial], metric: Metric) -> tuple[Curves, ...]:
    curves = [trial.curves.get(metric.name) for trial in trials]
    return read(curves, metric.maximize)
