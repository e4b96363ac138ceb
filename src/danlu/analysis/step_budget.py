"""Where in a training the best checkpoints fall (A13)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..history import History
from ..space import Array
from ..study import Study
from .base import Finding, Level
from .curve_classes import flat_step, pooled, progress, window
from .looked import Looked, look

CHECK = "step-budget"
LEAST_TRIALS = 5
EARLY = 0.1  # "always in the first 10 % of the steps: far too many" (playbook)
ALWAYS = 0.9  # share of the trials
LATE = 0.75  # "mostly in the last 25 %: train longer"
MOSTLY = 0.5
BINS = 10
TIMES = 2  # as many steps, where there are too few
SPARE = 2.5  # times the first tenth, for params that learn more slowly
FLAT = 1.0  # sds of a report that flat curves may fall after the first tenth


def step_budget(study: Study, history: History) -> tuple[Finding, ...]:
    """Whether the steps are far too many or too few, by the trials' best checkpoints.

    Of the better half of the trials that were trained to their end. Far too many: nine
    of ten have their best report in the first tenth of the steps, or their mean curve
    is flat after it. Too few: most have their best report in the last quarter, and the
    better trials together still fall there by more than the noise (see
    `improving.still_improving`): a best report at the end alone is what a flat curve
    has every fourth time, and one with a decaying learning rate always.

    Found in 90 % of studies whose best level is reached in the first twentieth, or
    whose curves fall by 3 sds of a report over the last quarter (100 reports, 16
    trials); false alarms stay below 5 %.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=1,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> [finding.level.value for finding in step_budget(study, history)]
    ['unknown']
    """
    looked = look(history)
    question = "whether the number of steps suits the study"
    if unread := looked.unread(CHECK, question, LEAST_TRIALS):
        return (unread,)
    half = math.ceil(len(looked.trials) / 2)
    best = _best_steps(looked)[:half]
    return (_found(study, looked, best[np.isfinite(best)]),)


def _found(study: Study, looked: Looked, best: Array) -> Finding:
    steps = study.max_steps or int(np.median([own.step for own in looked.trials]))
    early, late = float((best <= EARLY).mean()), float((best > LATE).mean())
    counts, _ = np.histogram(best, bins=BINS, range=(0.0, 1.0))
    evidence = {"histogram": counts.tolist(), "early": early, "late": late}
    own, flat_from = progress(looked), _flat_from(looked)
    if early >= ALWAYS:
        how = f"{early:.0%} of the better half of the trials are at their best within"
        return _too_many(steps, f"{how} the first tenth", evidence)
    if flat_from <= EARLY * steps:
        how = f"the better half of the trials is flat from about step {flat_from:g} on"
        return _too_many(steps, how, evidence)
    if late > MOSTLY and own.improves:
        return _too_few(steps, looked.metric.name, own.gain, evidence)
    return Finding(
        CHECK,
        Level.OK,
        f"{steps} steps suit the study: {late:.0%} of the better half of the trials "
        f"are at their best in the last quarter, {early:.0%} in the first tenth"
        + (", as under a decaying learning rate." if own.decays else "."),
        evidence=evidence,
    )


def _too_many(steps: int, how: str, evidence: dict[str, Any]) -> Finding:
    shorter = math.ceil(SPARE * EARLY * steps)
    return Finding(
        CHECK,
        Level.WARNING,
        f"{steps} steps are far too many: {how}.",
        f"Train for about {shorter} steps.",
        {**evidence, "change": {"max_steps": shorter}},
    )


def _too_few(steps: int, name: str, gain: float, evidence: dict[str, Any]) -> Finding:
    late = evidence["late"]
    return Finding(
        CHECK,
        Level.WARNING,
        f"{steps} steps are few: {late:.0%} of the better half of the trials are at "
        f"their best in the last quarter, where {name} still gains {gain:.3g}.",
        "Train longer, or tune the decay of the learning rate again.",
        {**evidence, "change": {"max_steps": TIMES * steps}},
    )


def _best_steps(looked: Looked) -> Array:
    """The retrospective best step of each trial as a share of its steps, or nan."""
    ends = np.array([max(1, own.step) for own in looked.trials])
    best = looked.column(
        looked.validation,
        lambda own: own.steps[np.arange(len(own.rows)), own.raw.argmin(axis=1)],
    )
    shares: Array = np.divide(best, ends)
    return shares


def _flat_from(looked: Looked) -> float:
    """From which step on the better half of the trials is flat, inf where it is not."""
    late = pooled(
        looked.validation,
        lambda own: own.fall(own.length - window(own.length)),
        looked.half,
    )
    step = flat_step(looked.validation, looked.half)
    return math.inf if late is None or step is None or not late.within(FLAT) else step
