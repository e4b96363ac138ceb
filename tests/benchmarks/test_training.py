from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import training
from benchmarks.trained import chosen, ending, ends, reached, steps_to
from benchmarks.training import main, read

RANDOM: dict[str, Any] = {
    "comparison": "search",
    "images": "digits",
    "method": "random",
    "seed": 0,
    "full": 3,
    "trial": [0, 0, 0, 1, 1, 1],
    "step": [1, 2, 3, 1, 2, 3],
    "val_error": [0.9, 0.5, 0.4, 0.9, 0.3, 0.35],
    "test_error": [0.9, 0.5, 0.4, 0.9, 0.32, 0.4],
    "val_loss": [9.0, 5.0, 4.0, 9.0, 3.0, 3.5],
    "test_loss": [9.0, 5.0, 4.1, 9.0, 3.2, 3.6],
}
AUTO = {
    **RANDOM,
    "method": "auto",
    "val_error": [0.3, 0.2, 0.4, 0.4, 0.4, 0.4],
    "test_error": [0.31, 0.25, 0.4, 0.4, 0.4, 0.4],
}


def test_steps_count_in_the_order_in_which_they_were_trained() -> None:
    assert steps_to(RANDOM, 0.4) == 3
    assert steps_to(RANDOM, 0.3) == 5
    assert steps_to(RANDOM, 0.2) is None


def test_a_value_that_is_not_finite_is_never_the_best() -> None:
    assert chosen({"val_loss": [float("nan"), 2.0, 1.0]}, 2, "val_loss") == 1


def test_the_end_is_that_of_full_trainings() -> None:
    assert ending(RANDOM, "val_loss") == 5


def test_a_table_says_how_soon_the_best_of_random_search_is_reached() -> None:
    lines = reached("search, digits", [RANDOM, AUTO]).splitlines()

    row = next(line for line in lines if line.startswith("| auto | 0 |"))
    assert row == ("| auto | 0 | 1 | 0.17 | 0.2000 | 0.2500 | 6 | 0.3000 | 0.3200 |")


def test_a_table_compares_ends_and_best_steps() -> None:
    other = {**RANDOM, "method": "pbt", "val_loss": [9.0, 5.0, 4.0, 9.0, 3.0, 2.5]}

    lines = ends("pbt, digits", [RANDOM, other]).splitlines()

    row = next(line for line in lines if line.startswith("| pbt |"))
    assert row.split(" | ")[3] == "2.5000 (-1.0000)"
    assert row.split(" | ")[5] == "2.5000 (-0.5000)"


@pytest.mark.timeout(300)
def test_a_run_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    own = training.COMPARISONS["search"]
    small = replace(own.methods["random"], trials=2)
    short = replace(own, max_steps=2, methods={"random": small})
    monkeypatch.setitem(training.COMPARISONS, "search", short)
    place = tmp_path / "results.jsonl"
    words = ["--only", "search", "--seeds", "0", "--results", str(place)]
    main([*words, "--reports", str(tmp_path)])
    first = read(place)
    main(words)

    assert read(place) == first
    assert sorted(zip(*_columns(first[0]), strict=True)) == [
        (0, 1),
        (0, 2),
        (1, 1),
        (1, 2),
    ]
    assert all(0 <= error <= 1 for error in first[0]["val_error"])
    assert (tmp_path / "search-random-0.html").exists()
    assert json.loads(place.read_text().splitlines()[-1])["full"] == 2


def _columns(record: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    return record["trial"], record["step"]
