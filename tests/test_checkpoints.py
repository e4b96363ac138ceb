from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from danlu import client
from danlu.checkpoints import Checkpoints, Saved

# Saves as fast as it can; each checkpoint is a folder of two files of one letter.
SAVES = """
import sys
from danlu.checkpoints import Checkpoints

def write(path):
    path.mkdir()
    for name in ("model", "optimizer"):
        (path / name).write_text(chr(97 + step % 26) * 300_000)

kept = Checkpoints(sys.argv[1], keep_last=2)
print("ready", flush=True)
for step in range(100_000):
    kept.save(step, write)
"""


@pytest.fixture(params=["folder", "file://", "memory://"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where checkpoints may be: a local folder, and URLs."""
    if request.param == "memory://":
        pytest.importorskip("fsspec")
        return f"memory://{uuid4().hex}"
    prefix = "" if request.param == "folder" else request.param
    return f"{prefix}{tmp_path}"


def text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content)


def read(saved: Saved | None) -> str | None:
    return None if saved is None else saved.path.read_text()


def folder_of(content: str) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        (path / "rank").mkdir(parents=True)
        (path / "model").write_text(content)
        (path / "rank" / "0").write_text(content * 2)

    return write


def test_a_new_folder_has_no_checkpoint(place: str) -> None:
    kept = Checkpoints(place)

    assert (None, None, []) == (kept.latest(), kept.best(), kept.steps())


def test_the_last_one_is_found_by_another_program(place: str) -> None:
    Checkpoints(place).save(3, text("three"))

    latest = Checkpoints(place).latest()

    assert latest is not None
    assert (3, "three") == (latest.step, read(latest))


def test_a_folder_comes_back_with_all_its_files(place: str) -> None:
    Checkpoints(place).save(1, folder_of("weights"))

    latest = Checkpoints(place).latest()

    assert latest is not None
    assert "weights" == (latest.path / "model").read_text()
    assert "weightsweights" == (latest.path / "rank" / "0").read_text()


def test_only_the_last_ones_are_kept(place: str) -> None:
    kept = Checkpoints(place, keep_last=2)

    for step in (1, 2, 3, 4):
        kept.save(step, text(str(step)))

    assert [3, 4] == kept.steps()


def test_the_best_ones_are_kept_besides(place: str) -> None:
    kept = Checkpoints(place, keep_last=1, keep_best=2)

    for step, error in enumerate((0.5, 0.1, float("nan"), 0.3, 0.4)):
        kept.save(step, text(str(step)), metric=error)

    assert [1, 3, 4] == kept.steps()
    assert "1" == read(kept.best())


def test_the_checkpoint_of_a_step_is_the_last_that_was_saved_of_it(place: str) -> None:
    kept = Checkpoints(place, keep_last=3)

    for step, content in ((1, "first"), (2, "other"), (1, "again")):
        kept.save(step, text(content))

    assert "again" == read(kept.at(1))
    assert None is kept.at(3)


def test_the_best_may_be_the_largest(place: str) -> None:
    kept = Checkpoints(place, keep_best=1, maximize=True)

    for step, accuracy in enumerate((0.5, 0.9, 0.7)):
        kept.save(step, text(str(step)), metric=accuracy)

    assert "1" == read(kept.best())


def test_the_same_step_may_be_saved_again(place: str) -> None:
    kept = Checkpoints(place)
    kept.save(5, text("first"))

    kept.save(5, text("second"))

    assert ("second", [5]) == (read(kept.latest()), kept.steps())


def test_a_failed_save_leaves_the_one_before(place: str) -> None:
    kept = Checkpoints(place)
    kept.save(1, text("one"))

    def breaks(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        kept.save(2, breaks)

    assert ("one", [1]) == (read(kept.latest()), kept.steps())


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "no note", "torn note"])
def test_a_damaged_one_is_passed_over(damage: str, tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, keep_last=2)
    kept.save(1, text("one"))
    path = Path(kept.save(2, text("two")))
    note = path.with_name(path.name + ".json")
    damages: dict[str, Callable[[], object]] = {
        "changed": lambda: path.write_text("twa"),
        "cut": lambda: path.write_text("tw"),
        "gone": path.unlink,
        "no note": note.unlink,
        "torn note": lambda: note.write_text(note.read_text()[:20]),
    }
    damages[damage]()

    assert "one" == read(Checkpoints(tmp_path).latest())


@pytest.mark.parametrize("write", [text("new"), folder_of("new")])
def test_a_damaged_one_never_pushes_a_whole_one_out(
    write: Callable[[Path], object], tmp_path: Path
) -> None:
    kept = Checkpoints(tmp_path, keep_last=2)
    kept.save(90, text("whole"))
    Path(kept.save(100, text("x"))).write_text("damaged")
    again = Checkpoints(tmp_path, keep_last=2)
    assert "whole" == read(again.latest())

    again.save(91, write)

    assert [90, 91] == again.steps()


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text("mine")

    Checkpoints(tmp_path).save(1, text("one"))

    assert "mine" == (tmp_path / "model.pt").read_text()


def test_what_was_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / "saving-000001-step-1").mkdir()
    (tmp_path / "000002-step-2").write_text("without its note")

    Checkpoints(tmp_path).save(3, text("three"))

    assert ["000001-step-3", "000001-step-3.json"] == sorted(os.listdir(tmp_path))


def test_a_write_that_names_its_file_otherwise_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a file of exactly that name"):
        Checkpoints(tmp_path).save(1, lambda path: Path(f"{path}.npz").write_text(""))


@pytest.mark.parametrize("settings", [{"keep_last": 0}, {"keep_best": -1}])
def test_impossible_settings_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="keep_last is at least 1"):
        Checkpoints("somewhere", **settings)  # type: ignore[arg-type]


def test_torch_saves_and_loads(place: str) -> None:
    torch = pytest.importorskip("torch")
    Checkpoints(place).save(1, lambda path: torch.save({"epoch": 1}, path))

    latest = Checkpoints(place).latest()

    assert latest is not None
    assert {"epoch": 1} == torch.load(latest.path)


def test_a_live_trial_saves_in_its_checkpoint_folder(tmp_path: Path) -> None:
    trial = client.LiveTrial({}, client.Printed())
    trial.folder = tmp_path

    trial.checkpoints.save(1, text("one"))

    assert "one" == read(Checkpoints(tmp_path / "checkpoint").latest())


def test_a_killed_program_never_leaves_a_damaged_checkpoint(tmp_path: Path) -> None:
    for kill in range(12):
        command = [sys.executable, "-c", SAVES, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
            assert program.stdout is not None
            program.stdout.readline()
            time.sleep(0.005 + 0.013 * kill)
            program.send_signal(signal.SIGKILL)
        kept = Checkpoints(tmp_path)
        latest = kept.latest()
        if latest is None:
            assert [] == kept.steps()
            continue
        assert kept.steps()[-1] == latest.step
        letter = chr(97 + latest.step % 26)
        for name in ("model", "optimizer"):
            assert letter * 300_000 == (latest.path / name).read_text()


def test_an_error_of_reading_is_raised_and_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be gone at the next look, as one of a network's file system."""
    Checkpoints(tmp_path).save(40, text("whole"))
    kept = Checkpoints(tmp_path)

    def broken(_: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", broken)
        for use in (kept.latest, lambda: kept.save(41, text("new"))):
            with pytest.raises(OSError, match="Input/output error"):
                use()

    assert "whole" == read(kept.latest())
