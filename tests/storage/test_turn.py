"""Writers of one SQLite file wait in line, and nobody waits for the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from danlu.storage.turn import Turn

HOLDER = """
import sys, time
from pathlib import Path
from danlu.storage.turn import Turn

with Turn(Path(sys.argv[1])).taken():
    print("taken", flush=True)
    time.sleep(float(sys.argv[2]))
    Path(sys.argv[1] + ".done").touch()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tuning.db"


@pytest.fixture
def holder(
    path: Path, request: pytest.FixtureRequest
) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the turn, for as long as the test says."""
    words = [sys.executable, "-c", HOLDER, str(path), str(request.param)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        yield process
        process.kill()


@pytest.mark.parametrize("holder", [0.3], indirect=True)
@pytest.mark.usefixtures("holder")
def test_the_second_comes_after_the_first(path: Path) -> None:
    with Turn(path).taken():
        assert path.with_name(path.name + ".done").exists()


@pytest.mark.parametrize("holder", [600], indirect=True)
def test_a_killed_process_gives_its_turn_to_the_next(
    path: Path, holder: subprocess.Popen[str]
) -> None:
    turn = Turn(path, patience_s=600)
    holder.kill()

    with turn.taken():
        assert not path.with_name(path.name + ".done").exists()


@pytest.mark.parametrize("holder", [600], indirect=True)
def test_a_process_that_was_stopped_is_passed_by_after_a_while(
    path: Path, holder: subprocess.Popen[str]
) -> None:
    holder.send_signal(signal.SIGSTOP)
    began_s = time.monotonic()

    with Turn(path, patience_s=0.2).taken():
        waited_s = time.monotonic() - began_s

    assert waited_s >= 0.2


def test_a_child_that_lives_on_does_not_keep_its_parents_turn(path: Path) -> None:
    middle = os.fork()
    if middle == 0:
        with Turn(path).taken():
            if os.fork() == 0:
                time.sleep(30)
            os._exit(0)
    os.waitpid(middle, 0)
    began_s = time.monotonic()

    with Turn(path, patience_s=20).taken():
        assert time.monotonic() - began_s < 20


def test_a_place_that_cannot_be_written_keeps_nobody_from_work(tmp_path: Path) -> None:
    done = []

    with Turn(tmp_path / "nowhere" / "turn").taken():
        done.append("work")

    assert done == ["work"]


def test_the_turn_comes_back_after_an_error(path: Path) -> None:
    turn = Turn(path)
    with pytest.raises(ValueError, match="of the body"), turn.taken():
        raise ValueError("of the body")

    with Turn(path, patience_s=600).taken():
        assert path.with_name("tuning.db-turn").exists()
