"""Training curves worth a look: the best trials', training beside validation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..analysis.summary import Summary
from ..trial import Curve, Trial

OTHERS = 60  # curves in gray behind them
POINTS = 240  # of a curve; more are not seen in a figure
OTHER_POINTS = 60

_PART = r"(val|valid|validation|test|eval|dev|train|training)"
_TRAINING = re.compile(r"(^|[^a-z])(train|training)([^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Series:
    """One metric of one of the best trials; `rank` counts from 1."""

    number: int
    rank: int
    metric: str
    training: bool
    curve: Curve


@dataclass(frozen=True)
class Panel:
    """Curves that share their axes: metrics of one kind, such as every loss.

    `others` are a sample of the curves that `rest` more trials have.
    """

    names: tuple[str, ...]
    best: tuple[Series, ...]
    others: tuple[Curve, ...]
    rest: int


def panels(summary: Summary) -> tuple[Panel, ...]:
    """The metric's panel, and one of another metric that was reported in training.

    The metric on the training set stands beside the one on the validation set where
    their names say so: `train_error` beside `val_error`.
    """
    leading, metric = summary.leading, summary.metric.name
    names = list(dict.fromkeys(name for trial in leading for name in trial.curves))
    if not names:
        return ()
    first = _panel([metric, *_trained(names, _stem(metric))], leading, summary.rest)
    stems = dict.fromkeys(_stem(name) for name in names if is_training(name))
    later = [stem for stem in stems if stem != _stem(metric)]
    if not later:
        return (first,)
    stem = "loss" if "loss" in later else later[0]
    return first, _panel([n for n in names if _stem(n) == stem], leading, ())


def is_training(name: str) -> bool:
    """Whether a metric's name says that it is measured on the training set.

    >>> is_training("train_loss"), is_training("val_loss")
    (True, False)
    """
    return _TRAINING.search(name.replace("_", " ")) is not None


def _stem(name: str) -> str:
    """The name without the part that says which set it is measured on."""
    words = re.split(r"[\W_]+", name.lower())
    kept = [word for word in words if not re.fullmatch(_PART, word)]
    return "_".join(kept) or name


def _trained(names: Sequence[str], stem: str) -> list[str]:
    """The names that measure the same on the training set."""
    return [name for name in names if is_training(name) and _stem(name) == stem]


def _panel(
    names: Sequence[str], leading: Sequence[Trial], rest: Sequence[Trial]
) -> Panel:
    """The curves of `names`, and those of the first of them for the other trials."""
    names = list(dict.fromkeys(names))
    best = tuple(
        Series(trial.number, rank, name, is_training(name), thinned(curve, POINTS))
        for name in names
        for rank, trial in enumerate(leading, start=1)
        if (curve := trial.curves.get(name)) is not None and len(curve)
    )
    curved = [trial for trial in rest if len(trial.curves.get(names[0], ()))]
    others = tuple(
        thinned(trial.curves[names[0]], OTHER_POINTS)
        for trial in _sample(curved, OTHERS)
    )
    return Panel(tuple(names), best, others, len(curved))


def _sample(trials: Sequence[Trial], most: int) -> Sequence[Trial]:
    """At most `most` of the trials, evenly over them."""
    if len(trials) <= most:
        return trials
    return [trials[k * len(trials) // most] for k in range(most)]


def thinned(curve: Curve, most: int) -> Curve:
    """The curve with at most about `most` points: ends, lows and highs are kept.

    >>> len(thinned(Curve.of({step: 1.0 for step in range(1000)}), 100)) <= 102
    True
    """
    if len(curve) <= most:
        return curve
    bounds = np.linspace(0, len(curve), most // 2 + 1).astype(int)
    kept = {0, len(curve) - 1}
    for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        stretch = curve.values[low:high]
        if np.isnan(stretch).all():
            kept.add(low)
            continue
        kept.update(
            (low + int(np.nanargmin(stretch)), low + int(np.nanargmax(stretch)))
        )
    places = sorted(kept)
    return Curve(curve.steps[places], curve.values[places])
