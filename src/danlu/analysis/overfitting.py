"""Overfitting: validation gets worse while training goes on getting better (A4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..domain import Float
from ..history import History
from ..study import Study
from .base import Finding, Level
from .curve_classes import ALPHA, Rise, overfits, rise
from .looked import Flags, Looked, look
from .names import DECAY, fits

CHECK = "overfitting"
TIMES = 10.0  # by which a regularizer's upper bound moves: one decade

# Around the usual 5e-4, with a decade more to each side (playbook D8).
_ADDED = {"weight_decay": {"add": {"low": 1e-5, "high": 1e-2, "log": True}}}


def overfitting(study: Study, history: History) -> tuple[Finding, ...]:
    """Whether the best trial of every arm overfits, and the share of all that do.

    A trial overfits when its curve ends above its lowest level by more than the noise
    of one report and more than chance, and its training metric does not. Levels are
    means of a tenth of the reports. With several arms the level of the test is divided
    by their number.

    Found in 90 % of studies where the best trial's curve rises by 2.5 sds of a report
    with 100 reports, 5 sds with 20; false alarms stay below 5 % of healthy studies.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=1,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> [finding.level.value for finding in overfitting(study, history)]
    ['unknown']
    """
    looked = look(history)
    if unread := looked.unread(CHECK, "whether the best trial overfits"):
        return (unread,)
    best = _best_of_arms(study, looked)
    own = overfits(looked, ALPHA / len(best))
    found = [_arm(study, looked, place, own) for place in best if own[place]]
    return tuple(found) or (_none(looked, own),)


def _best_of_arms(study: Study, looked: Looked) -> list[int]:
    """The places of the best trial of each arm that has a curve."""
    found: dict[int, int] = {}
    for place in np.nonzero(looked.read)[0].tolist():
        arm = study.arm_of(looked.trials[place].params)
        if arm is not None:
            found.setdefault(arm, place)
        if len(found) == len(study.arms):
            break
    return sorted(found.values()) or [int(looked.read.argmax())]


def _arm(study: Study, looked: Looked, place: int, overfit: Flags) -> Finding:
    trial, metric = looked.trials[place], looked.metric
    rises = _rise_of(looked, place)
    share = float(overfit.sum() / looked.read.sum())
    arm = study.arm_of(trial.params)
    held = study.arms[arm] if arm is not None else {}
    of = f" of {_words(held)}" if held else ""
    known = looked.training_metric
    evidence: dict[str, Any] = {
        "trials": [trial.number],
        "rise": float(rises.height[0]),
        "lowest_step": int(rises.lowest[0]),
        "share": share,
        "overfitting": looked.numbers(overfit),
        "change": {"space": _change(study)},
    }
    if held:
        evidence["arm"] = dict(held)
    return Finding(
        CHECK,
        Level.WARNING,
        f"The best trial{of}, {trial.number}, overfits: {metric.name} is best at about "
        f"step {rises.lowest[0]} and ends {rises.height[0]:.3g} worse, beyond its "
        + (
            f"noise, while {known.name} does not get worse; "
            if known
            else "noise; no training metric is reported, so it may be instability too; "
        )
        + f"{share:.0%} of the trials do so.",
        "Add a regularizer or strengthen one, rather than make the model smaller."
        + ("" if known else " Report train_loss beside it."),
        evidence,
    )


def _rise_of(looked: Looked, place: int) -> Rise:
    for own in looked.validation:
        if place in own.rows:
            return rise(own.at(np.flatnonzero(own.rows == place)))
    raise LookupError(place)


def _none(looked: Looked, overfit: Flags) -> Finding:
    share = float(overfit.sum() / looked.read.sum())
    own = f"; {share:.0%} of all trials do" if overfit.any() else ""
    return Finding(
        CHECK,
        Level.OK,
        f"The best trials do not overfit: {looked.metric.name} does not end above its "
        f"best level beyond its noise{own}.",
        evidence={"share": share, "overfitting": looked.numbers(overfit)},
    )


def _change(study: Study) -> dict[str, Any]:
    """Stronger regularizers of the space, or weight decay where there is none."""
    change = dict(_stronger(study))
    names = [own.name for own in study.search_space.dimensions]
    if change or any(fits(name, DECAY) for name in (*names, *study.fixed)):
        return change
    return _ADDED


def _stronger(study: Study) -> Iterator[tuple[str, dict[str, float]]]:
    for dimension in study.search_space.dimensions:
        domain = dimension.domain
        if fits(dimension.name, DECAY) and isinstance(domain, Float):
            yield dimension.path, {"high": domain.high * TIMES}


def _words(held: Any) -> str:
    return ", ".join(f"{path}={value}" for path, value in held.items())
