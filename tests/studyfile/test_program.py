from __future__ import annotations

from pathlib import Path

import pytest

from danlu.errors import ExecutorError, StudyError
from danlu.studyfile import Program, read_program, write_program


def test_a_program_is_kept_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "study" / "launch.json"
    program = Program(("python", "a b.py"), slots=2, gpus=("0",), time_s=3.5)
    write_program(program, path)
    assert read_program(path) == program


def test_a_program_that_was_never_kept_is_empty(tmp_path: Path) -> None:
    assert read_program(tmp_path / "launch.json") == Program()


def test_a_damaged_record_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "launch.json").write_text('{"command": ')
    with pytest.raises(StudyError, match="run the study once more"):
        read_program(tmp_path / "launch.json")


def test_a_function_is_found_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "found_here.py").write_text("def train(trial):\n    return 42\n")
    program = Program(function="found_here.py:train", workdir=str(tmp_path))
    train = program.train()
    assert callable(train)
    assert train(None) == 42


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("absent_file", None, "no file .*absent_file.py"),
        ("other_name", "def trian(trial): ...\n", "did you mean 'trian'"),
        ("not_callable", "train = 3\n", "is 3, not a function"),
    ],
)
def test_a_function_that_is_not_there_is_a_plain_sentence(
    tmp_path: Path, name: str, text: str | None, says: str
) -> None:
    if text is not None:
        (tmp_path / f"{name}.py").write_text(text)
    program = Program(function=f"{name}.py:train", workdir=str(tmp_path))
    with pytest.raises(StudyError, match=says):
        program.train()


def test_a_file_that_cannot_be_imported_says_why(tmp_path: Path) -> None:
    (tmp_path / "breaks_early.py").write_text("1 / 0\n")
    program = Program(function="breaks_early.py:train", workdir=str(tmp_path))
    with pytest.raises(ExecutorError, match="ZeroDivisionError"):
        program.train()


def test_a_file_named_like_another_module_is_refused(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("def train(trial): ...\n")
    program = Program(function="json.py:train", workdir=str(tmp_path))
    with pytest.raises(StudyError, match="give it another name"):
        program.train()


def test_a_program_of_nothing_cannot_be_run() -> None:
    with pytest.raises(StudyError, match="nothing to run"):
        Program().train()
