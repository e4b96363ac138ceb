"""A study of 10,000 trials with 100 reports each, and what each check costs on it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from numpy.random import default_rng

from danlu import History, Study
from danlu.analysis.checks import CHECKS
from tests.planted.course import Course
from tests.planted.surface import Cliff
from tests.planted.worlds import optimizers

TRIALS, REPORTS = 10_000, 100


def large_study(trials: int = TRIALS, reports: int = REPORTS) -> tuple[Study, History]:
    """Two optimizers with conditional learning rates, some of which diverge."""
    cliff = Cliff({"optimizer=sgd/lr": 1.0}, 0.85)
    course = Course(reports=reports, settled=0.8, examples=5000)
    world = optimizers(
        default_rng(0), 0.1, trials=trials, course=course, cliff=cliff, confirm=(2, 5)
    )
    return world.drawn(default_rng(1))


def costs(
    checks: Sequence[str], trials: int = TRIALS, reports: int = REPORTS
) -> dict[str, float]:
    """CPU seconds of each check; what several share, the first of them pays for."""
    study, history = large_study(trials, reports)
    seconds = {}
    for name in checks:
        began_s = time.process_time()
        CHECKS[name](study, history)
        seconds[name] = time.process_time() - began_s
    return seconds
