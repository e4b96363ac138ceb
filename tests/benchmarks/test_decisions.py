from __future__ import annotations

import pytest

from benchmarks import decisions


@pytest.mark.parametrize("name", decisions.NAMES)
def test_what_a_scheduler_costs_is_measured(name: str) -> None:
    costs = decisions.costs_ms(name, trials=30, reports=9)

    assert len(costs.judged) == 9 * decisions.JUDGED
    assert costs.asked


def test_the_table_has_a_line_for_each_that_was_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    decisions.main(["--trials", "20", "--reports", "9", "--only", "median"])

    assert "| `median` |" in capsys.readouterr().out.splitlines()[2]
