"""`--checkpoints`: run, resume, look, remove, begin afresh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Danlu = Callable[..., Any]
SPACE = ("-p", "x=0.0..1.0", "--min", "loss", "--name", "bowl", "-n", 2)
SAVES = 'd="${DANLU_CHECKPOINTS#file://}"; echo $DANLU_ATTEMPT >> "$d/model"; '
PROGRAM = ("--", "sh", "-c", SAVES + "echo step=1 loss={x}")


@pytest.fixture
def bucket(danlu: Danlu, tmp_path: Path) -> Path:
    """Where the two trials of a study have saved something."""
    place = f"file://{tmp_path}/bucket"
    assert 0 == danlu("run", "-q", *SPACE, "--checkpoints", place, *PROGRAM).code
    return tmp_path / "bucket" / "bowl"


def models(bucket: Path) -> list[str]:
    return [path.read_text() for path in sorted(bucket.glob("*/model"))]


def test_trials_are_told_the_place(bucket: Path) -> None:
    assert ["1\n", "1\n"] == models(bucket)


def test_a_trial_that_is_run_again_finds_its_place(danlu: Danlu, bucket: Path) -> None:
    danlu("trial", "rerun", 0)

    assert 0 == danlu("resume", "-q").code
    assert ["1\n2\n", "1\n"] == models(bucket)


def test_a_trial_that_begins_afresh_finds_nothing(danlu: Danlu, bucket: Path) -> None:
    danlu("trial", "rerun", 0, "--afresh")

    assert ["1\n"] == models(bucket)


def test_status_says_what_checkpoints_take(danlu: Danlu, bucket: Path) -> None:
    (elsewhere,) = danlu("status", "--json").json["disk"]["elsewhere"]

    assert f"file://{bucket}" == elsewhere["place"]
    assert elsewhere["bytes"] > 0
    assert f"file://{bucket}" in danlu("status").out


def test_clean_removes_them(danlu: Danlu, bucket: Path) -> None:
    said = danlu("clean", "--best", 1)

    assert (0, 1) == (said.code, len(models(bucket)))
    assert f"file://{bucket}/" in said.out


def test_another_study_of_the_name_is_refused(danlu: Danlu, bucket: Path) -> None:
    place = f"file://{bucket.parent}"
    elsewhere = ("--project", bucket.parent.parent / "other")
    said = danlu("run", *SPACE, *elsewhere, "--checkpoints", place, *PROGRAM)

    assert 0 != said.code
    assert "another study of the name 'bowl'" in said.err
    assert ["1\n", "1\n"] == models(bucket)


def test_a_study_file_names_the_place(danlu: Danlu, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        "study: bowl\ngoal: Where?\ncommand: sh -c 'echo loss=1 $DANLU_CHECKPOINTS'\n"
        "metric: loss\nspace: {x: 0.0..1.0}\ntrials: 1\ncheckpoints: saved\n"
    )
    danlu("run", "-q")

    assert f"loss=1 {tmp_path}/saved/bowl/0" in danlu("trial", "logs", 0).out
