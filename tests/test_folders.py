"""Where trials keep their files: one safe folder for each name."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import danlu
from danlu.folders import folder_beside, folder_name
from tests.studies import bowl as study

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)


@given(NAMES)
def test_a_name_is_one_part_of_a_path_that_any_file_system_takes(name: str) -> None:
    folder = folder_name(name)

    assert Path("a", folder).parts == ("a", folder)
    assert folder not in (".", "..")
    assert len(folder.encode()) <= 200


@given(NAMES, NAMES)
def test_two_names_have_two_folders(one: str, another: str) -> None:
    assert (folder_name(one) == folder_name(another)) == (one == another)


@pytest.mark.parametrize("name", ["mlp", "mlp-2.1 wide", "丹炉", "a_b"])
def test_a_plain_name_is_its_own_folder(name: str) -> None:
    assert folder_name(name) == name


@pytest.mark.parametrize("name", ["danlu.db", "danlu.db-wal", "tuning.db"])
def test_no_study_takes_the_place_of_a_database(name: str) -> None:
    assert folder_name(name) != name


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/data/tuning.db", "/data/tuning.trials"),
        ("sqlite:////data/tuning.db", "/data/tuning.trials"),
        ("/data/.danlu/danlu.db", "/data/.danlu"),
        ("/data/exp.1", "/data/exp.1.trials"),
        ("/data/exp.2", "/data/exp.2.trials"),
    ],
)
def test_trials_are_kept_beside_the_database(url: str, expected: str) -> None:
    assert folder_beside(url) == Path(expected)


def test_a_database_in_memory_has_a_new_folder_each_time() -> None:
    one, another = folder_beside(":memory:"), folder_beside(":memory:")

    assert one != another
    assert one.is_dir()
    one.rmdir()
    another.rmdir()


def test_the_folder_of_a_database_in_memory_goes_with_its_project() -> None:
    project = danlu.open(":memory:")
    folder = project.folder
    (folder / "checkpoint").write_text("large")
    project.close()
    kept = (folder / "checkpoint").exists()
    del project
    gc.collect()

    assert kept  # its trials may still be looked at
    assert not folder.exists()


def test_a_folder_that_was_named_stays(tmp_path: Path) -> None:
    project = danlu.open(":memory:", folder=tmp_path / "kept")
    project.folder.mkdir()
    del project
    gc.collect()

    assert (tmp_path / "kept").is_dir()


def test_a_forked_process_leaves_the_folder_of_the_first_alone(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys, danlu\n"
        "project = danlu.open(':memory:')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    sys.exit()\n"
        "os.waitpid(child, 0)\n"
        "print(project.folder, project.folder.is_dir())\n"
    )
    words = [sys.executable, str(program)]
    folder, was_there = subprocess.check_output(words, text=True).split()

    assert was_there == "True"
    assert not Path(folder).exists()


def test_a_trial_does_not_go_on_from_one_of_a_database_that_was_removed(
    tmp_path: Path,
) -> None:
    begun = []
    for seed in (1, 2):
        planned = study(trials=1, max_steps=2, seed=seed)
        with danlu.open(tmp_path / "tuning.db") as project:
            (trial,) = project.run(planned, goes_on).trials
        begun.append(trial.curves["begun"].values[0])
        for file in tmp_path.glob("tuning.db*"):
            file.unlink()

    assert [0, 0] == begun
    kept = tmp_path / "tuning.trials" / "bowl" / "0.before-1" / "checkpoint" / "step"
    assert "2" == kept.read_text()


def goes_on(trial: danlu.client.LiveTrial) -> None:
    saved = trial.checkpoint / "step"
    first = int(saved.read_text()) if saved.exists() else 0
    for step in range(first + 1, 4):
        saved.write_text(str(step))
        if not trial.report(step, loss=1.0, begun=first):
            break
