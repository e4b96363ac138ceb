"""Training loss that rises: usually a bug, or instability (A8)."""

from __future__ import annotations

from typing import Any

from ..history import History
from ..sentence import plural
from ..study import Study
from .base import Finding, Level
from .curve_classes import rises, unstable
from .looked import Flags, Looked, look

CHECK = "training-rises"
SHARE = 0.1  # of the trials, from which on it is not an odd one
LEAST_TRIALS = 3


def training_rises(study: Study, history: History) -> tuple[Finding, ...]:
    """Whether the training metric gets worse and stays so, in trials that matter.

    A trial's training curve rises when it ends above its lowest level by more than the
    noise of one report, and more than chance. One that rises for a while and comes back
    below, as under a learning rate that is raised, does not. A warning is given when it
    rises in the best trial, or in three trials that are a tenth of all. Curves
    that a single report or a longer setback throws back by a good part of what was
    gained are counted as unstable.

    Found in 90 % of studies whose training curves end 2 sds of a report above their
    lowest level with 100 reports, 5 sds with 20; false alarms stay below 5 %.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=1,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> [finding.level.value for finding in training_rises(study, history)]
    ['unknown']
    """
    looked = look(history)
    if unread := looked.unread(CHECK, "whether the training loss rises"):
        return (unread,)
    if not looked.trained:
        return (_unreported(),)
    name = (looked.training_metric or looked.metric).name
    thrown = looked.flags(looked.trained, unstable)
    return (_found(looked, name, rises(looked), thrown),)


def _found(looked: Looked, name: str, rising: Flags, thrown: Flags) -> Finding:
    share = float(rising.mean())
    several = rising.sum() >= LEAST_TRIALS and share >= SHARE
    evidence: dict[str, Any] = {
        "trials": looked.numbers(rising),
        "share": share,
        "unstable": looked.numbers(thrown),
    }
    if rising[0] or several:
        best = (
            f", with the best one, {looked.trials[0].number}, among them"
            if rising[0]
            else ""
        )
        return Finding(
            CHECK,
            Level.WARNING,
            f"{name} ends above its lowest level, beyond its noise, in {rising.sum()} "
            f"of {len(rising)} trials{best}: training gets worse as it goes on.",
            "Look for a bug in the loss or the data, or for instability: a lower "
            "learning rate, warm-up or gradient clipping.",
            evidence,
        )
    some = f" It does in {plural(int(rising.sum()), 'other')}." if rising.any() else ""
    back = f" In {plural(int(thrown.sum()), 'trial')} it is thrown back at times."
    shaky = back if thrown.any() else ""
    return Finding(
        CHECK,
        Level.OK,
        f"{name} does not rise for good in the best trial, nor in many.{some}{shaky}",
        evidence=evidence,
    )


def _unreported() -> Finding:
    return Finding(
        CHECK,
        Level.UNKNOWN,
        "No training metric is reported: whether the training loss rises cannot be "
        "seen.",
        "Report train_loss beside the metric of the study.",
        {"missing": 1, "metric": "train_loss"},
    )
