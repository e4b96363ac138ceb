"""Still improving: the better trials get better until their last report (A6)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..history import History
from ..study import Study
from .base import Finding, Level
from .curve_classes import Progress, improving, progress
from .looked import Flags, Looked, look

CHECK = "still-improving"
LEAST_TRIALS = 3
TIMES = 2  # as many steps as before: the next study shows whether that was enough


def still_improving(study: Study, history: History) -> tuple[Finding, ...]:
    """Whether the better trials still fall at their end, so that more steps would help.

    The better trials are the best quarter (at least five) of those that were trained to
    their end. Together their fall over the last quarter of the reports must be more
    than the noise of one report, beyond chance. Falls that come in a last drop, or that
    are about to end, do not count: these follow a learning rate that decays. About to
    end are those whose slope at the end, by a cubic, is less than half of that of the
    last quarter; or that halve from the third quarter to the last, or flatten out, and
    are not sure to gain the noise of one report over as many steps again.

    Found in 90 % of studies whose curves fall over the last quarter by 3 sds of a
    report with 100 reports, 7 sds with 20, for 16 trials; false alarms stay below 5 %.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=1,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> [finding.level.value for finding in still_improving(study, history)]
    ['unknown']
    """
    looked = look(history)
    question = "whether the trials need more steps"
    if unread := looked.unread(CHECK, question, LEAST_TRIALS):
        return (unread,)
    own = progress(looked)
    flags = looked.flags(looked.validation, improving)
    return (_found(study, looked, own, flags),)


def _found(study: Study, looked: Looked, own: Progress, flags: Flags) -> Finding:
    share = float(flags.sum() / looked.read.sum())
    name = looked.metric.name
    evidence: dict[str, Any] = {
        "fall_in_sds": own.late.value,
        "fall": own.gain,
        "share": share,
        "improving": looked.numbers(flags),
    }
    if not own.improves:
        why = " as under a decaying learning rate" if own.decays else ""
        return Finding(
            CHECK,
            Level.OK,
            f"The better trials do not need more steps: over the last quarter {name} "
            f"gains {own.late.value:.2g} times the noise of one report{why}.",
            evidence=evidence,
        )
    steps = study.max_steps or int(np.median([own.step for own in looked.trials]))
    evidence["change"] = {"max_steps": TIMES * steps}
    return Finding(
        CHECK,
        Level.WARNING,
        f"The better trials still improve when they end: over the last quarter of "
        f"{steps} steps {name} gains {own.gain:.3g}, {own.late.value:.2g} times the "
        f"noise of one report. Taken alone, {share:.0%} of all trials do so beyond "
        "chance.",
        "Train for more steps, or let the learning rate decay earlier: what is best in "
        "so few steps may not be best later.",
        evidence,
    )
