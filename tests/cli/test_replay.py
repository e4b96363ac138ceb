from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Danlu


def test_replay_sets_schedulers_beside_training_to_the_end(
    danlu: Danlu, done: Path
) -> None:
    said = danlu("replay", "--scheduler", "asha", "--scheduler", "median")

    header, full, asha, median = said.out.splitlines()
    assert ["scheduler", "steps", "time", "to", "the", "end", "best", "loss"] == (
        header.split()
    )
    assert full.startswith("full       9 ")
    assert asha.startswith("asha       5 (56%)")
    assert median.startswith("median     9 (100%)")
    assert "3 trials of 3 of bowl played back" in said.err


def test_replay_has_one_json_document(danlu: Danlu, done: Path) -> None:
    said = danlu("replay", "-j", 3, "--json").json

    assert "danlu/replay@1" == said["schema"]
    assert ["full", "asha"] == [row["scheduler"] for row in said["rows"]]
    assert said["rows"][0]["steps"] == 9


def test_an_unknown_scheduler_gets_a_suggestion(danlu: Danlu, done: Path) -> None:
    said = danlu("replay", "--scheduler", "ahsa")

    assert said.code == 2
    assert "asha" in said.err
