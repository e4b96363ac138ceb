"""Every executor holds the contract: a new one is one row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from danlu.executors import Executor, Inline, Local
from danlu.testing import check_executor

PRINTS = "for step in 1 2 3; do echo step=$step loss={x}; done"
WRITES = """for step in 1 2 3; do
    echo "{\\"step\\": $step, \\"loss\\": $DANLU_PARAM_X}" >> "$DANLU_REPORT"
done"""


def train(trial: Any) -> None:
    for step in (1, 2, 3):
        trial.report(step, loss=trial.params["x"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Inline(train),
        lambda: Local(train),
        lambda: Local(train, slots=3),
        lambda: Local(["bash", "-c", PRINTS]),
        lambda: Local(["bash", "-c", WRITES], slots=2),
    ],
    ids=["inline", "function", "three slots", "prints", "writes"],
)
def test_an_executor_holds_the_contract(
    make: Callable[[], Executor], tmp_path: Path
) -> None:
    check_executor(make, tmp_path)
