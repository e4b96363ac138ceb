"""Checkpoints that are copied from a trial to one that goes on from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from danlu.checkpoints import Checkpoints
from danlu.errors import ExecutorError
from danlu.executors.base import Launch
from danlu.executors.checkpoint_place import placed
from danlu.executors.clones import Clones
from danlu.trial import Trial

PLACES = pytest.mark.parametrize("kind", ["memory", "folder"])


@pytest.fixture
def clones(tmp_path: Path) -> Clones:
    return Clones(lambda number: tmp_path / "trials" / str(number))


def saved(folder: str | Path, step: int, text: str) -> Checkpoints:
    kept = Checkpoints(folder, keep_last=2)
    kept.save(step, lambda path: path.write_text(text))
    return kept


def text_in(folder: str | Path) -> str:
    latest = Checkpoints(folder).latest()
    assert latest is not None
    return latest.path.read_text()


def begun(clones: Clones, number: int, root: str) -> str:
    """The place of a trial that was started with checkpoints at `root`."""
    launch = Launch("s", Trial(number, {"x": 0.5}), "loss", clones.folder(number))
    place = placed(launch, root).checkpoints
    assert place is not None
    return place


def root_of(kind: str, tmp_path: Path) -> str:
    return f"memory://{tmp_path.name}" if kind == "memory" else str(tmp_path / "root")


def test_a_copy_stays_as_it_was_when_the_parent_goes_on(clones: Clones) -> None:
    parent = saved(clones.folder(0) / "checkpoint", 5, "five")

    assert clones.take(0, 1)
    for step in (6, 7, 8):
        parent.save(step, lambda path: path.write_text("later"))

    assert text_in(clones.folder(1) / "checkpoint") == "five"


def test_files_that_a_program_wrote_its_own_way_are_copied_too(clones: Clones) -> None:
    folder = clones.folder(0) / "checkpoint" / "deep"
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(b"\0" * 1000)
    (folder / "nowhere").symlink_to("gone")

    assert clones.take(0, 1)

    copy = clones.folder(1) / "checkpoint" / "deep"
    assert (copy / "weights.bin").read_bytes() == b"\0" * 1000
    assert (copy / "nowhere").is_symlink()


def test_what_is_half_saved_is_left_out(clones: Clones) -> None:
    folder = clones.folder(0) / "checkpoint"
    saved(folder, 5, "five")
    (folder / "saving-000002-step-6").write_text("half")

    clones.take(0, 1)

    names = {path.name for path in (clones.folder(1) / "checkpoint").iterdir()}
    assert names == {"000001-step-5", "000001-step-5.json"}


def test_a_trial_without_a_checkpoint_gives_nothing(clones: Clones) -> None:
    assert not clones.take(0, 1)


def test_what_a_crash_left_of_a_copy_is_no_part_of_the_next(clones: Clones) -> None:
    saved(clones.folder(0) / "checkpoint", 5, "five")
    saved(clones.folder(2) / "checkpoint", 3, "three")
    clones.take(0, 1)

    clones.take(2, 1)

    assert Checkpoints(clones.folder(1) / "checkpoint").steps() == [3]


def test_a_number_that_is_given_back_has_no_checkpoint(clones: Clones) -> None:
    saved(clones.folder(0) / "checkpoint", 5, "five")
    clones.take(0, 1)

    clones.drop(1)

    assert list(clones.folder(1).iterdir()) == []


def test_what_a_trial_saved_itself_is_never_dropped(clones: Clones) -> None:
    saved(clones.folder(1) / "checkpoint", 5, "own")

    clones.drop(1)

    assert text_in(clones.folder(1) / "checkpoint") == "own"


@PLACES
def test_a_checkpoint_elsewhere_is_copied_there(
    clones: Clones, tmp_path: Path, kind: str
) -> None:
    root = root_of(kind, tmp_path)
    saved(begun(clones, 0, root), 5, "five")

    assert clones.take(0, 1)

    place = begun(clones, 1, root)
    assert place == f"{root}/s/1"
    assert text_in(place) == "five"


@PLACES
def test_a_place_is_free_again_after_a_copy_was_dropped(
    clones: Clones, tmp_path: Path, kind: str
) -> None:
    root = root_of(kind, tmp_path)
    saved(begun(clones, 0, root), 5, "five")
    clones.take(0, 1)

    clones.drop(1)

    assert Checkpoints(begun(clones, 1, root)).latest() is None


@PLACES
def test_what_another_study_keeps_there_is_not_touched(
    clones: Clones, tmp_path: Path, kind: str
) -> None:
    root = root_of(kind, tmp_path)
    saved(begun(clones, 0, root), 5, "five")
    saved(f"{root}/s/1", 9, "theirs")

    with pytest.raises(ExecutorError, match="taken by another study"):
        clones.take(0, 1)
    clones.drop(1)

    assert text_in(f"{root}/s/1") == "theirs"


def test_a_folder_says_whose_copy_it_is(clones: Clones) -> None:
    saved(clones.folder(0) / "checkpoint", 5, "five")

    clones.take(0, 1)

    note = json.loads((clones.folder(1) / "cloned.json").read_text())
    assert note == {"parent": 0, "place": None}
