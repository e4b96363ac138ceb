from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Danlu = Callable[..., Any]


@pytest.fixture
def saved(done: Path) -> Path:
    """A study of three trials, each with a checkpoint."""
    for number in range(3):
        folder = done / ".danlu" / "bowl" / str(number) / "checkpoint"
        folder.mkdir(exist_ok=True)
        (folder / "model").write_bytes(b"0" * 100_000)
    return done


def checkpoints(folder: Path) -> int:
    return len(list(folder.glob(".danlu/bowl/*/checkpoint/model")))


def test_clean_keeps_the_best(danlu: Danlu, saved: Path) -> None:
    said = danlu("clean", "--best", 1)

    assert (0, 1) == (said.code, checkpoints(saved))
    assert 2 == len(said.out.splitlines())
    assert "checkpoints of 2 trials" in said.err


def test_a_dry_run_says_what_would_go(danlu: Danlu, saved: Path) -> None:
    said = danlu("clean", "bowl", "--keep", "none", "--dry-run")

    assert (0, 3) == (said.code, checkpoints(saved))
    assert "would free" in said.err


def test_status_says_what_the_trials_take(danlu: Danlu, saved: Path) -> None:
    assert "\ndisk   " in danlu("status").out
    assert danlu("status", "--json").json["disk"]["bytes"] >= 300_000
