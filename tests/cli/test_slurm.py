from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("submitit")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

Danlu = Callable[..., Any]
HERE = ("--on", "slurm", "--slurm", "cluster=local")


def test_a_study_runs_in_jobs_and_goes_on_there(danlu: Danlu, bowl: Path) -> None:
    first = danlu("run", "-q", *HERE, "--slurm", "time_min=5", "--trials", 1)
    more = danlu("resume", "-q", "--more", 1)

    assert (0, 0) == (first.code, more.code)
    assert "2 completed" in more.out
    assert (bowl / ".danlu" / "bowl" / "1" / "job.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--slurm", "mem_gb=4"], "add --on slurm"),
        (["--on", "slurm", "--slurm", "mem_gb"], "needs the form name=value"),
        (["--on", "slurm", "--slurm", "time_min=0"], "time_min is a whole number"),
    ],
)
def test_wrong_words_are_told(
    danlu: Danlu, bowl: Path, words: list[str], said: str
) -> None:
    answer = danlu("run", *words)

    assert answer.code in (1, 2)
    assert said in answer.err
    assert not (bowl / ".danlu").exists()
