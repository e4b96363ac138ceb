"""Where trials keep their files: one safe folder for each name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danlu.folders import folder_beside, folder_name

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
