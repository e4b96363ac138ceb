"""The noise of a trial: how far the losses of the same params lie apart (A14)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from ..history import History
from ..trial import State, Trial
from .bounded import bounded

COVERED = 0.9  # of an interval of the noise


@dataclass(frozen=True)
class Noise:
    """The standard deviation of the loss between seeds of the same params.

    It is pooled over `sets` of params that were run more than once, in `trials`; `df`
    are its degrees of freedom.

    >>> noise = Noise(sd=0.01, df=4, sets=1, trials=(3, 7, 8, 9, 10))
    >>> low, high = noise.interval
    >>> round(low, 4), round(high, 4)
    (0.0065, 0.0237)
    """

    sd: float
    df: int
    sets: int
    trials: tuple[int, ...]

    @property
    def interval(self) -> tuple[float, float]:
        """The 90 % interval of the sd, for normal noise: df sd^2 / sigma^2 ~ chi^2."""
        tail = (1 - COVERED) / 2
        largest, smallest = chdtri(self.df, tail), chdtri(self.df, 1 - tail)
        return (
            self.sd * math.sqrt(self.df / largest),
            self.sd * math.sqrt(self.df / smallest),
        )


def trial_noise(history: History) -> Noise | None:
    """The noise of a trial near the best ones; None where nothing was run twice.

    From completed trials of every kind that have the same params. Sets that are no
    better than the median search trial count only if there is no better one: a bad
    configuration's noise says little about that of a good one. A search trial that was
    chosen as the best is left out where its params were confirmed: it was lucky.

    >>> import danlu
    >>> trials = [danlu.Trial(number, {"x": 0.5}, danlu.State.COMPLETED, seed=number,
    ...                       curves={"loss": danlu.Curve.of({1: 1.0 + number})})
    ...           for number in range(3)]
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> trial_noise(danlu.History(space, danlu.Metric("loss"), trials)).sd
    1.0
    """
    sets = _sets(history)
    median = _median_search_loss(history)
    good = [own for own in sets if _middle(own) <= median]
    counted = good or sets
    if not counted:
        return None
    squares, df = 0.0, 0
    for own in counted:
        losses = bounded(np.array([loss for _, loss in own]))
        squares += float(((losses - losses.mean()) ** 2).sum())
        df += len(own) - 1
    numbers = sorted(trial.number for own in counted for trial, _ in own)
    return Noise(math.sqrt(squares / df), df, len(counted), tuple(numbers))


def _sets(history: History) -> list[Sequence[tuple[Trial, float]]]:
    """Trials with their losses, by params, where there are at least two runs.

    Two trials of one seed and one loss are the same run, and say nothing of the noise.
    """
    alike: dict[tuple[object, ...], dict[tuple[int, float], Trial]] = {}
    for trial in history.trials:
        loss = history.loss(trial) if trial.state is State.COMPLETED else None
        if loss is not None:
            own = alike.setdefault(_key(trial), {})
            own.setdefault((trial.seed, loss), trial)
    sets = (
        [(trial, loss) for (_, loss), trial in own.items()] for own in alike.values()
    )
    return [_unchosen(own) for own in sets if len(own) > 1]


def _unchosen(own: Sequence[tuple[Trial, float]]) -> Sequence[tuple[Trial, float]]:
    """The trials that were not chosen for their loss, where these are at least two."""
    blind = [(trial, loss) for trial, loss in own if not trial.kind.judged]
    return blind if len(blind) > 1 else own


def _key(trial: Trial) -> tuple[object, ...]:
    """What is the same for the same params, whatever their order."""
    items = sorted(trial.params.items())
    return tuple((name, isinstance(value, bool), value) for name, value in items)


def _median_search_loss(history: History) -> float:
    losses = [
        loss
        for trial in history.trials
        if trial.kind.judged
        and trial.state is State.COMPLETED
        and (loss := history.loss(trial)) is not None
    ]
    return float(np.median(bounded(np.array(losses)))) if losses else math.inf


def _middle(own: Sequence[tuple[Trial, float]]) -> float:
    return float(np.median(bounded(np.array([loss for _, loss in own]))))
