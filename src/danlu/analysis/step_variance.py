"""The noise between late steps against the differences between trials (A5)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..history import History
from ..study import Study
from .base import Finding, Level
from .bias import is_adaptive
from .curve_classes import level
from .looked import Looked, look

CHECK = "step-variance"
LEAST_TRIALS = 8  # the better half has three others than the best
MOST = 1.0  # sds of a difference of two reports, in one difference of two trials


def step_variance(study: Study, history: History) -> tuple[Finding, ...]:
    """Whether two late reports of one trial differ as much as two trials do.

    Compared are the standard deviation of the difference of two reports, sqrt(2) times
    the median noise of a report in the better half of the trials (that of the later
    half of each curve, see `curve_noise`), and the difference of two trials: from the
    best one to the middle of the better half, by their lowest levels (or last ones,
    where the metric is taken at the last step), which are means of a tenth of a curve:
    single losses would differ by the noise itself. An adaptive sampler crowds its
    trials where they are alike: then it is to the middle of all trials.

    Found in 90 % of studies whose trials differ by nothing but the noise between steps,
    and a study where that difference is 4 sds of a report raises a false alarm in less
    than 5 %.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=1,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> [finding.level.value for finding in step_variance(study, history)]
    ['unknown']
    """
    looked = look(history)
    question = "whether steps differ less than trials"
    if unread := looked.unread(CHECK, question, LEAST_TRIALS):
        return (unread,)
    at = history.metric.at
    sds = looked.column(looked.validation, lambda own: own.sd)
    levels = looked.column(looked.validation, lambda own: level(own, at))
    crowded = is_adaptive(study.sampler, study.scientific)
    count = int(looked.read.sum()) if crowded else math.ceil(looked.read.sum() / 2)
    better = np.argsort(levels)[:count]  # nan comes last
    noise = math.sqrt(2) * float(np.median(sds[better]))
    difference = float(np.median(levels[better[1:]]) - levels[better[0]])
    return (_found(looked, noise, difference),)


def _found(looked: Looked, noise: float, difference: float) -> Finding:
    name = looked.metric.name
    evidence: dict[str, Any] = {"steps": noise, "trials_differ_by": difference}
    if noise <= MOST * difference:
        return Finding(
            CHECK,
            Level.OK,
            f"Late steps differ less than trials do: {name} by {noise:.3g} between two "
            f"reports of a trial, by {difference:.3g} between good trials.",
            evidence=evidence,
        )
    return Finding(
        CHECK,
        Level.WARNING,
        f"Late steps differ as much as trials do: {name} by {noise:.3g} between two "
        f"reports of a trial, by {difference:.3g} between good trials. Which is best "
        "depends on which report was lucky.",
        "Use a larger batch, more validation data, a learning rate that decays to the "
        "end, or an average of the weights.",
        evidence,
    )
