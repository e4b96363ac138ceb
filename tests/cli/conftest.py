from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from danlu.cli import main


@dataclass(frozen=True)
class Said:
    """What a command wrote, and the code that it ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


Danlu = Callable[..., Said]

# A program that only prints: no danlu in it, quick to start.
PROGRAM = """\
x=$1
for step in 1 2 3; do
  loss=$(awk -v x="$x" -v s=$step 'BEGIN { print (x - 1) ^ 2 + 1 / s }')
  echo "step=$step loss=$loss"
done
"""
STUDY = """\
study: bowl
goal: Where is the bottom of the bowl?
command: sh train.sh {x}
metric: loss
space:
  x: -2.0..2.0
trials: 3
"""


@pytest.fixture
def danlu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Danlu:
    """Runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DANLU_PROJECT", raising=False)

    def run(*words: object) -> Said:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        captured = capfd.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


@pytest.fixture
def bowl(tmp_path: Path) -> Path:
    """A folder with a study file and its program."""
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "train.sh").write_text(PROGRAM)
    return tmp_path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose study was run, not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "study.yaml").write_text(STUDY)
    (folder / "train.sh").write_text(PROGRAM)
    code = "from danlu.cli import main; main(['run', '-q'])"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    return folder


@pytest.fixture
def done(danlu: Danlu, finished: Path, tmp_path: Path) -> Path:
    """A copy of it, in which commands run."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    launch = tmp_path / ".danlu" / "bowl" / "launch.json"
    launch.write_text(launch.read_text().replace(str(finished), str(tmp_path)))
    return tmp_path
