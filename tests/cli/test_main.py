from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from danlu.cli import COMMANDS
from danlu.cli import danlu as group
from danlu.cli.exits import exit_code
from danlu.errors import ExecutorError, SpaceError, StorageBusy, StorageFormat

from .conftest import Danlu

HEAVY = {"numpy", "scipy", "sqlalchemy", "torch", "rich", "yaml", "psutil"}


def fails(error: BaseException) -> int:
    def command() -> None:
        raise error

    return exit_code(command)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SpaceError("x"), 2),
        (click.UsageError("x"), 2),
        (ExecutorError("x"), 1),
        (StorageFormat("x"), 1),
        (StorageBusy("x"), 75),
        (KeyboardInterrupt(), 130),
        (SystemExit(143), 143),
        (ValueError("x"), 1),
        (OSError(28, "No space left on device", "/full"), 1),
    ],
)
def test_an_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert fails(error) == code


def test_an_error_is_a_sentence_and_no_traceback(danlu: Danlu) -> None:
    said = danlu("status")
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("error: no project in ")
    assert "Traceback" not in said.err


def test_debug_shows_where_an_error_comes_from(danlu: Danlu) -> None:
    assert "Traceback" in danlu("status", "--debug").err


def test_a_bug_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    fails(ValueError("odd"))
    assert "this is a bug in danlu" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(danlu: Danlu, name: str) -> None:
    said = danlu(name, "--help")
    assert said.code == 0
    assert f"Usage: danlu {name}" in said.out


def test_a_wrong_command_gets_a_suggestion(danlu: Danlu) -> None:
    said = danlu("statsu")
    assert said.code == 2
    assert "did you mean 'status'?" in said.err


def test_a_wrong_option_gets_a_suggestion(danlu: Danlu) -> None:
    said = danlu("run", "--trails", 3)
    assert said.code == 2
    assert "--trials" in said.err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from danlu.cli import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert told.stdout.splitlines()[-1] == "[]"


def test_status_does_not_import_scipy(done: Path) -> None:
    code = (
        "import sys; from danlu.cli import main\n"
        "try: main(['status'])\n"
        "except SystemExit: print('scipy' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=done
    )
    assert told.stdout.splitlines()[-1] == "False"


def test_a_reader_that_stops_early_is_no_error(done: Path) -> None:
    command = f"{sys.executable} -m danlu.cli export json | head -c 10"
    command = command.replace("-m danlu.cli", "-c 'from danlu.cli import main; main()'")
    told = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=done)
    assert told.stderr == ""


def test_the_table_of_commands_is_what_the_group_offers() -> None:
    context = click.Context(group)
    assert group.list_commands(context) == list(COMMANDS)


def test_an_option_may_come_from_the_environment(
    danlu: Danlu, bowl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DANLU_RUN_TRIALS", "1")
    assert danlu("run", "-q").out.startswith("bowl: 1/1 trials")
