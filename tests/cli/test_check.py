from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Danlu


def test_a_good_study_is_described_and_tried(danlu: Danlu, bowl: Path) -> None:
    said = danlu("check")
    assert said.code == 0
    assert "x     -2.0..2.0  nuisance" in said.out
    assert "metrics loss" in said.out
    assert "for 3 trials in 1 slot;" in said.out


def test_a_space_of_options_has_a_size(danlu: Danlu, bowl: Path) -> None:
    said = danlu("check", "-p", "x=-2|2", "-p", "n=1..3")
    assert "3, over 2 hyperparameters with 6 combinations" in said.out


def test_the_time_of_a_grid_is_that_of_its_points(danlu: Danlu, bowl: Path) -> None:
    said = danlu("check", "--sampler", "grid", "--trials", 12)
    assert "for 5 trials in 1 slot;" in said.out
    assert "The sampler has 5 points for 12 trials" in said.err


def test_nothing_is_recorded(danlu: Danlu, bowl: Path) -> None:
    before = sorted(bowl.iterdir())
    danlu("check")
    assert sorted(bowl.iterdir()) == before


def test_a_metric_that_never_comes_gets_a_suggestion(danlu: Danlu, bowl: Path) -> None:
    said = danlu("check", "--min", "los")
    assert said.code == 1
    assert "no metric 'los' was reported: did you mean 'loss'?" in said.err


def test_a_program_that_says_nothing_is_told_how(danlu: Danlu, bowl: Path) -> None:
    said = danlu("check", "--", "true")
    assert said.code == 1
    assert "print `step=1 loss=0.5`" in said.err


def test_a_program_that_fails_shows_its_output(danlu: Danlu, bowl: Path) -> None:
    (bowl / "train.sh").write_text("echo no such data set; exit 3\n")
    said = danlu("check")
    assert said.code == 1
    assert "the program failed: exit code 3" in said.err
    assert "no such data set" in said.err


def test_a_long_program_is_ended_after_some_steps(danlu: Danlu, bowl: Path) -> None:
    (bowl / "train.sh").write_text(
        "for s in 1 2 3 4 5; do echo step=$s loss=1; sleep 0.1; done; sleep 1000\n"
    )
    said = danlu("check", "--steps", 2, "--max-steps", 10)
    assert said.code == 0
    assert "a trial, so about" in said.out


def test_a_program_that_reports_nothing_in_time_is_cut_short(
    danlu: Danlu, bowl: Path
) -> None:
    (bowl / "train.sh").write_text("sleep 1000\n")
    said = danlu("check", "--patience", 0.5)
    assert said.code == 1
    assert "nothing was reported in time" in said.err


def test_explain_says_where_each_value_comes_from(danlu: Danlu, bowl: Path) -> None:
    said = danlu("check", "--explain", "--trials", 9, "--set", "seed=4")
    rows = [line.split() for line in said.out.splitlines()]
    assert said.code == 0
    assert ["space.x", "-2.0..2.0", "study.yaml,", "line", "6"] in rows
    assert ["trials", "9", "--trials"] in rows
    assert ["seed", "4", "--set", "seed"] in rows
    assert ["slots", "1", "default"] in rows


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("space:", "spaec:", "study.yaml, line 5: spaec: no such key: did you mean"),
        ("-2.0..2.0", "2.0..-2.0", "study.yaml, line 6: space.x: Float needs low <="),
        ("{x}", "{y}", "study.yaml, line 3: command: the command asks for {y}"),
        ("sh train", "shh train", "study.yaml, line 3: command: no program 'shh'"),
    ],
)
def test_a_faulty_file_names_the_line(
    danlu: Danlu, bowl: Path, old: str, new: str, says: str
) -> None:
    path = bowl / "study.yaml"
    path.write_text(path.read_text().replace(old, new))
    said = danlu("check")
    assert said.code == 2
    assert says in said.err


def test_limits_and_beliefs_are_shown(danlu: Danlu, bowl: Path) -> None:
    said = danlu(
        "check",
        "-p",
        "x=-2.0..2.0~0.5",
        "--constraint",
        "ms <= 20",
        "--learn-from",
        "a",
    )
    assert "limits  ms <= 20" in said.out
    assert "learns  from a" in said.out
    assert "-2.0..2.0~0.5" in said.out
    assert "'ms' was not reported yet: 'ms <= 20' needs it in the end" in said.err
