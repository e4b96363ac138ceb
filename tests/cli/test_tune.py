from __future__ import annotations

from pathlib import Path

import danlu as library

from .conftest import PROGRAM, STUDY, Danlu


def stated(folder: Path) -> None:
    (folder / "train.sh").write_text(PROGRAM, encoding="utf-8")
    text = STUDY.replace("-2.0..2.0", "-2.0..0.5") + "max_steps: 3\n"
    (folder / "study.yaml").write_text(text, encoding="utf-8")


def test_tune_ends_with_a_decision_and_goes_on_where_it_was(
    danlu: Danlu, tmp_path: Path
) -> None:
    stated(tmp_path)
    said = danlu("tune", "--trials", 8, "-q")
    assert said.code == 0
    assert said.out.startswith("bowl-1: ")
    assert "spent 8 of 8 full trainings" in said.out
    assert "ADOPT  bowl-1" in said.out
    again = danlu("tune", "--trials", 8, "-q")
    assert (again.code, again.out) == (0, said.out)
    with library.open(tmp_path / ".danlu" / "danlu.db") as project:
        assert project.baseline() is not None
        assert [own.name for own in project.studies()] == ["bowl-1"]


def test_tune_without_a_result_says_where_to_look(danlu: Danlu, tmp_path: Path) -> None:
    stated(tmp_path)
    (tmp_path / "train.sh").write_text("echo step=1 loss=nan\n", encoding="utf-8")
    said = danlu("tune", "--trials", 4, "-q")
    assert said.code == 4
    assert "danlu trial logs" in said.err


def test_tune_takes_hours_above_zero(danlu: Danlu, tmp_path: Path) -> None:
    stated(tmp_path)
    assert danlu("tune", "--hours", 0).code == 2
