from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from danlu.cli import main
from danlu.cli.exits import DONE, GATE, USAGE

from .probes import PROBES


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "train_preflight.py"
    path.write_text(PROBES, "utf-8")
    return path


def code(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["preflight", *words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_sound_program_gets_a_study(program: Path, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"

    assert DONE == code(f"{program}:probe", "--trials", "12", "-o", str(file))
    study = yaml.safe_load(file.read_text("utf-8"))
    assert {"lr", "one_minus_beta1"} == set(study["space"])
    assert 12 == study["trials"]
    assert 10 < study["max_steps"] < 1000


def test_the_study_can_be_read(program: Path, tmp_path: Path) -> None:
    from danlu.studyfile import load

    file = tmp_path / "study.yaml"
    code(f"{program}:probe", "--trials", "30", "-o", str(file))
    study = load(file).study
    baseline = study.baseline or {}

    assert 30 == study.trials
    assert {"lr", "one_minus_beta1", "epsilon"} == set(baseline)


def test_steps_and_a_picture_are_asked_for(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "rates.svg"

    assert DONE == code(f"{program}:probe", "--steps", "200", "--picture", str(picture))
    said = capsys.readouterr().out
    assert "steps: A constant rate of " in said
    assert " updates." in said
    assert picture.read_text("utf-8").startswith("<svg")


def test_a_fault_is_an_exit_code(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert GATE == code(f"{program}:faulty")
    assert "FAULT    optimizer" in capsys.readouterr().out


def test_the_report_is_json_too(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert DONE == code(f"{program}:probe", "--json")
    found = json.loads(capsys.readouterr().out)

    assert "danlu/preflight@1" == found["schema"]
    assert "ok" == found["lr"]["verdict"]


@pytest.mark.parametrize("name", ["train.py", "none.py:probe", "{}:body", "{}:missing"])
def test_what_is_no_probe_is_wrong_use(program: Path, name: str) -> None:
    assert USAGE == code(name.format(program))
