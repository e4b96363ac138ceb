from __future__ import annotations

from pathlib import Path

from .conftest import Danlu

SHORT = ["run", "-q", "--max-steps", 3]


def test_extend_says_what_becomes_of_each_hyperparameter(
    danlu: Danlu, bowl: Path
) -> None:
    danlu(*SHORT)
    said = danlu("extend", "--steps", "4x")
    assert said.code == 0
    assert said.out.startswith("bowl-2  How good is loss after 12 steps?\n")
    assert "x     narrowed  " in said.out
    assert "cost  3 trials, about " in said.out
    assert said.err == "run it: danlu extend bowl --steps 12 --run\n"


def test_extend_json_holds_the_table(danlu: Danlu, bowl: Path) -> None:
    danlu(*SHORT)
    said = danlu("extend", "--steps", 30, "--trials", 2, "--json").json
    assert said["schema"] == "danlu/extend@1"
    assert said["study"]["trials"] == 2
    assert [row["path"] for row in said["table"]] == ["x"]


def test_extend_run_runs_it_and_its_baseline(danlu: Danlu, bowl: Path) -> None:
    danlu(*SHORT)
    said = danlu("extend", "--steps", "2x", "--run", "-q")
    assert said.code == 0
    assert said.out.startswith("bowl-2: 3/3 trials, 3 completed, besides 1 baseline")


def test_extend_write_writes_a_study_file(danlu: Danlu, bowl: Path) -> None:
    danlu(*SHORT)
    assert danlu("extend", "--steps", 6, "--write", "long.yaml").code == 0
    assert danlu("run", "long.yaml", "-q").out.startswith("bowl-2: 3/3 trials")


def test_extend_asks_for_a_length(danlu: Danlu, bowl: Path) -> None:
    danlu(*SHORT)
    for words in ([], ["--steps", "long"], ["--steps", "1"]):
        said = danlu("extend", *words)
        assert said.code == 2
        assert "steps" in said.err
