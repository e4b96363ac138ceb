"""Saturated: nothing happens any more long before the end (A7)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..history import History
from ..study import Study
from .base import Finding, Level
from .curve_classes import flat_step, pooled, saturates
from .looked import Flags, Looked, look

CHECK = "saturated"
LEAST_TRIALS = 3
MOST = 1.0  # sds of a report that a flat half may fall
SPARE = 1.25  # times the steps that were needed, for params that learn more slowly


def saturation(study: Study, history: History) -> tuple[Finding, ...]:
    """Whether the better half of the trials is flat over the later half of its steps.

    Flat: the mean fall of the better half of the trials (at least five) over the later
    half of the steps is between -1 and 1 sd of a report, but for a chance of one in
    twenty, and their mean curve is down at its last level by then. This must hold of
    the metric, and of the training metric where one is reported.

    Found in 90 % of studies that are flat from a third of their steps on, with 16
    trials of 50 reports; one whose curves fall by 2 sds or more over the later half is
    called flat in less than 5 %.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=1,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> [finding.level.value for finding in saturation(study, history)]
    ['unknown']
    """
    looked = look(history)
    question = "whether fewer steps would do"
    if unread := looked.unread(CHECK, question, LEAST_TRIALS):
        return (unread,)
    return (_found(study, looked, saturates(looked)),)


def _found(study: Study, looked: Looked, flags: Flags) -> Finding:
    share = float(flags.sum() / looked.read.sum())
    evidence: dict[str, Any] = {"share": share, "saturated": looked.numbers(flags)}
    steps = study.max_steps or int(np.median([own.step for own in looked.trials]))
    flat = [flat_step(own, looked.half) for own in (looked.validation, looked.training)]
    known = [step for step in flat if step is not None]
    if not _flat(looked) or not known or max(known) > steps / 2:
        return Finding(
            CHECK,
            Level.OK,
            f"The better trials use their steps: they are not flat over the later half "
            f"of {steps}.",
            evidence=evidence,
        )
    needed = max(known)
    evidence["flat_from"] = needed
    shorter = math.ceil(SPARE * max(1, needed))
    evidence["change"] = {"max_steps": shorter}
    other = looked.training_metric
    names = looked.metric.name + (f" and {other.name}" if other else "")
    rest = "" if other else " No training metric is reported: it may still fall."
    return Finding(
        CHECK,
        Level.NOTICE,
        f"The better half of the trials is flat from about step {needed} of {steps} "
        f"on, in {names}.{rest}",
        f"Train for about {shorter} steps, and use the time for more trials.",
        evidence,
    )


def _flat(looked: Looked) -> bool:
    """Whether the metric, and the training one if known, are flat in the later half."""
    for curves in (looked.validation, looked.training):
        late = pooled(curves, lambda own: own.fall(own.length // 2), looked.half)
        if late is not None and not late.within(MOST):
            return False
    return True
