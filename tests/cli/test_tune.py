from __future__ import annotations

from pathlib import Path

import danlu as library

from .conftest import PROGRAM, STUDY, Danlu
from .probes import PROBES


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


def test_tune_speaks_of_the_whole_budget_and_not_of_its_rounds(
    danlu: Danlu, tmp_path: Path
) -> None:
    stated(tmp_path)
    said = danlu("tune", "--trials", 26, "-q")
    assert "bowl-3: " in said.out
    assert "few" not in said.err


def test_hours_take_the_place_of_trials(danlu: Danlu, tmp_path: Path) -> None:
    stated(tmp_path)
    said = danlu("tune", "-p", "x=-2.0..0.5", "--min", "loss", "--hours", 1e-4, "-q",
                 "--", "bash", "train.sh", "{x}")  # fmt: skip
    assert said.code == 0
    assert "hours" in said.out


def test_tune_without_a_result_says_where_to_look(danlu: Danlu, tmp_path: Path) -> None:
    stated(tmp_path)
    (tmp_path / "train.sh").write_text("echo step=1 loss=nan\n", encoding="utf-8")
    said = danlu("tune", "--trials", 4, "-q")
    assert said.code == 4
    assert "danlu trial logs" in said.err


def test_tune_takes_hours_above_zero(danlu: Danlu, tmp_path: Path) -> None:
    stated(tmp_path)
    assert danlu("tune", "--hours", 0).code == 2


RATES = {"-2.0..0.5": "1e-7..1.0:log", "x:": "lr:", "{x}": "{lr}"}


def with_probe(folder: Path) -> None:
    (folder / "probes.py").write_text(PROBES, encoding="utf-8")
    stated(folder)
    text = (folder / "study.yaml").read_text("utf-8")
    for old, new in RATES.items():
        text = text.replace(old, new)
    (folder / "study.yaml").write_text(text, encoding="utf-8")


def test_a_preflight_moves_the_rate_and_counts(danlu: Danlu, tmp_path: Path) -> None:
    with_probe(tmp_path)
    said = danlu("tune", "--trials", 8, "--preflight", "probes.py:probe", "-q")
    assert said.code == 0
    assert "pre-flight: " in said.out
    assert "of 8 full trainings" in said.out
    with library.open(tmp_path / ".danlu" / "danlu.db") as project:
        (only,) = project.studies()
        domain = only.search_space.domains["lr"]
        assert isinstance(domain, library.Float)
        assert 1e-3 < domain.low < domain.high
        assert only.note.startswith("Pre-flight: lr ")
    (tmp_path / "probes.py").unlink()  # it is not needed again
    again = danlu("tune", "--trials", 8, "--preflight", "probes.py:probe", "-q")
    assert (again.code, again.out) == (0, said.out)


def test_a_fault_stops_before_anything_is_tuned(danlu: Danlu, tmp_path: Path) -> None:
    with_probe(tmp_path)
    said = danlu("tune", "--trials", 8, "--preflight", "probes.py:faulty", "-q")
    assert said.code == 3
    assert "a fault: " in said.err
    with library.open(tmp_path / ".danlu" / "danlu.db") as project:
        assert () == tuple(project.studies())
