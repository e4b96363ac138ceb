from __future__ import annotations

import numpy as np

from benchmarks.calibration import COVERED, NOISES, PLANS, measured


def test_intervals_cover_what_they_state_and_few_adoptions_are_wrong() -> None:
    told = [
        own
        for noise in ("normal", "skewed")
        for plan in PLANS[:3]
        for own in measured(NOISES[noise], plan, cases=60, seed=11)
    ]

    covered = np.mean([own.covered for own in told])
    wrong = np.mean([own.adopted for own in told if own.even])

    # Of 360 cases the share has a standard error of 1.6 %: two of them either way.
    assert COVERED[0] - 0.032 <= covered <= COVERED[1] + 0.032
    assert wrong <= 0.05
