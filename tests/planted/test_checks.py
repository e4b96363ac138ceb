"""Each check on a few draws of every situation; `benchmarks.planted` takes many more.

The draws are the same each time. Bounds are wider than what is documented by what so
few draws can say: a check that is right in 95 % of 16 draws is so in 80 % of them with
a probability of 0.999, and the false alarms are of a hundred studies and more.
"""

from __future__ import annotations

from functools import cache

import pytest

from benchmarks.planted import Tally, measured
from danlu.analysis.checks import CHECKS
from tests.planted.library import SITUATIONS

PLANTED_DRAWS, HEALTHY_DRAWS = 3, 1
LEAST_DETECTED, MOST_ALARMS = 0.8, 0.05


@cache
def tallies() -> list[Tally]:
    """What all checks said in all situations that are quickly drawn."""
    return [
        tally
        for situation in SITUATIONS.values()
        if not situation.slow
        for tally in measured(
            situation,
            HEALTHY_DRAWS if situation.healthy else PLANTED_DRAWS,
            list(CHECKS),
        )
    ]


def share(check: str, *, speaks: bool) -> float:
    """In which share of the draws a check said what it should, or should not."""
    own = [t for t in tallies() if t.check == check and t.speaks is speaks and t.stated]
    return sum(tally.said for tally in own) / sum(tally.draws for tally in own)


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_sees_what_is_planted(check: str) -> None:
    assert share(check, speaks=True) >= LEAST_DETECTED


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_is_silent_where_nothing_is_wrong(check: str) -> None:
    assert share(check, speaks=False) <= MOST_ALARMS
