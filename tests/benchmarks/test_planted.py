from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import planted, planted_cost
from danlu.analysis.checks import CHECKS
from tests.planted.library import SITUATIONS

FIRST = next(iter(CHECKS))


def test_an_interval_of_nothing_in_many_draws_starts_at_zero() -> None:
    low, high = planted.interval(0, 100)

    assert low == 0
    assert np.isclose(high, 1 - 0.025**0.01)  # Clopper & Pearson: 1 - (a / 2)^(1 / n)


def test_each_claim_is_counted_once_for_each_draw() -> None:
    situation = SITUATIONS["rate-small"]
    tallies = planted.measured(situation, 3, list(CHECKS))

    assert {3} == {tally.draws for tally in tallies}
    assert len(tallies) == len({(tally.check, tally.what) for tally in tallies})


def test_the_tables_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    planted.main(["--draws", "1", "--check", FIRST, "--situation", "rate-small"])

    assert f"| `{FIRST}` |" in capsys.readouterr().out


def test_counts_of_several_runs_are_added(tmp_path: Path) -> None:
    path = str(tmp_path / "counts.jsonl")
    for first in (0, 2):
        found = planted.measured(SITUATIONS["rate-small"], 2, [FIRST], first)
        planted.save(found, path)

    assert [4] * len(found) == [t.draws for t in planted.added(planted.load(path))]


def test_every_check_has_its_cost() -> None:
    seconds = planted_cost.costs(list(CHECKS), trials=60, reports=10)

    assert list(CHECKS) == list(seconds)
    assert min(seconds.values()) >= 0
