"""Hostile input to commands: one sentence, the right exit code, nothing lost."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Danlu = Callable[..., Any]

SPACE = ("-p", "x=0.0..1.0", "--min", "loss", "-n", 1)
BIG = 2**53 + 1


def sentence(said: Any) -> str:
    """What was said on stderr, which is no traceback and no bug."""
    assert "Traceback" not in said.err
    assert "this is a bug" not in said.err
    text: str = said.err
    return text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-p", "x=1.0..0.0"], "needs low <= high, got low=1.0, high=0.0: swap them"),
        (["-p", "x=nan..1.0"], "needs finite bounds, got low=nan"),
        (["-p", "x=0.0..1e400"], "needs finite bounds, got high=inf"),
        (["-p", "x=0.0..1.0:log"], "needs low > 0, got low=0.0"),
        (["-p", "x=0..9:log"], "needs low > 0, got low=0"),
        (["-p", f"x=0..1{'0' * 5000}"], "-p x: space.x"),
        (["-p", "x=a|a"], "'a' stands twice"),
        (["-p", "\udcff=0.0..1.0"], "valid Unicode"),
        (["-p", "x=\udcff|b"], "valid Unicode"),
        (["--min", "lo\udcffss"], "valid Unicode"),
        (["--name", "a\nb"], "a study's name is printable text"),
        (["--name", "\udcff"], "a study's name is printable text"),
        (["-n", 10**20], "trials is a whole number from 1"),
        (["--sampler", "grdi"], "no sampler 'grdi': did you mean 'grid'"),
    ],
)
def test_a_faulty_statement_ends_with_2_and_leaves_nothing(
    danlu: Danlu, tmp_path: Path, words: list[object], says: str
) -> None:
    said = danlu("run", *SPACE, *words, "--", "true")

    assert said.code == 2
    assert says in sentence(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xff\xfe", "not a text file in UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"a: &a [*a]", "an alias stands inside what it stands for"),
        (b"study: [a", "line 1: not valid YAML"),
    ],
)
def test_a_file_that_is_no_study_ends_with_2(
    danlu: Danlu, tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "study.yaml").write_bytes(content)

    said = danlu("run")

    assert said.code == 2
    assert says in sentence(said)


def test_whole_numbers_are_exact_from_the_command_line_to_the_export(
    danlu: Danlu, tmp_path: Path
) -> None:
    script = "echo step=1 loss=1; echo {n} $DANLU_PARAM_N"
    space = ("-p", f"n={BIG}..{BIG + 2**70}", "--min", "loss", "-n", 2)
    assert danlu("run", *space, "-q", "--", "sh", "-c", script).code == 0

    exported = json.loads(danlu("export", "json").out)["trials"]
    shown = danlu("trial", "show", 0, "--json").json["params"]["n"]
    csv = danlu("export", "csv").out
    printed = danlu("trial", "logs", 0).out.splitlines()[1]

    n = exported[0]["params"]["n"]
    assert n > BIG
    assert shown == n
    assert f",{n}," in csv
    assert printed == f"{n} {n}"
    assert danlu("export", "parquet", "-o", tmp_path / "n.parquet").code == 0


@pytest.mark.parametrize(
    "name", ["'; DROP TABLE trials;--", 'a"b$(x)', "日本", "../.."]
)
def test_any_name_can_be_run_and_read(danlu: Danlu, tmp_path: Path, name: str) -> None:
    words = ("--name", name, "--", "echo", "step=1", "loss=1")
    assert danlu("run", *SPACE, *words).code == 0

    assert name in danlu("status", name).out
    assert danlu("report", name, "--html", "page.html").code == 0
    assert danlu("ls", "--json").json["studies"][0]["study"] == name
    assert {path.name for path in tmp_path.iterdir()} == {".danlu", "page.html"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["report-metric", 0, "loss=low"], "'loss=low' is no metric"),
        (["report-metric", 0, "loss"], "'loss' is no metric"),
        (["report-metric", 0, "step=3"], "a step is no metric: write --step 3"),
        (["report-metric", 0, "\udcff=3"], "a metric's name is text"),
        (["report-metric", 0, "loss=1", "--step", 2**63], "from 0 to 2**63 - 1"),
        (["report-metric", 0, "loss=1", "--step", "1.5"], "--step"),
        (["report-metric", 7, "loss=1"], "no trial 7 in study 'bowl'"),
        (["tell", 0], "trial 0 is completed and cannot become completed"),
        (["tell", 7], "no trial 7 in study 'bowl'"),
        (["tell", 0, "finished"], "is not one of 'completed'"),
        (["trial", "show", 10**30], "no trial 1000"),
        (["trial", "stop", 0], "trial 0 is completed"),
        (["note", "bowl", "\udcff"], "a note must be valid Unicode"),
        (["status", "\udcff"], "no study"),
        (["run", "-p", "x=0.0..9.0"], "exists with another space"),
    ],
)
def test_a_wrong_step_ends_with_2_and_changes_nothing(
    danlu: Danlu, done: Path, words: list[object], says: str
) -> None:
    before = danlu("export", "json").out

    said = danlu(*words)

    assert said.code == 2
    assert says in sentence(said)
    assert danlu("export", "json").out == before


def test_a_metric_may_be_called_as_an_argument_is(danlu: Danlu, bowl: Path) -> None:
    danlu("ask", "study.yaml")

    for name in ("self", "study", "trial"):
        said = danlu("report-metric", 0, f"{name}=1", "--step", 1)
        assert (said.code, said.out) == (0, "continue\n")


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"loss\n" * 99), "not a danlu database"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "is cut off"),
        (newer, "newer danlu"),
    ],
)
def test_a_spoiled_database_ends_with_1_and_is_left_alone(
    danlu: Danlu, done: Path, spoil: Callable[[Path], None], says: str
) -> None:
    path = done / ".danlu" / "danlu.db"
    for log in done.glob(".danlu/danlu.db-*"):
        log.unlink()
    spoil(path)
    before = path.read_bytes()

    for words in (["status"], ["run"], ["ls"]):
        said = danlu(*words)
        assert said.code == 1
        assert says in sentence(said)
    assert path.read_bytes() == before


def test_a_disk_that_cannot_be_written_ends_with_1(
    danlu: Danlu, read_only_disk: Path
) -> None:
    said = danlu("run", *SPACE, "--project", read_only_disk, "--", "true")

    assert said.code == 1
    assert "--project DIR names another place" in sentence(said)


def test_a_full_disk_ends_with_1_and_the_same_command_goes_on(
    danlu: Danlu, small_disk: Path
) -> None:
    script = "head -c 300000 /dev/zero > $DANLU_CHECKPOINT/model; echo step=1 loss=1"
    words = ("run", *SPACE, "-n", 4, "--project", small_disk, "--", "sh", "-c", script)

    full = danlu(*words)
    (small_disk / "ballast").unlink()
    for model in small_disk.glob(".danlu/*/*/checkpoint/model"):
        model.unlink()
    again = danlu(*words[:-1], "echo step=1 loss=1")

    assert full.code == 1
    assert "disk" in sentence(full)
    assert (again.code, sentence(again).count("error")) == (0, 0)
    assert "4/4 trials, 4 completed" in again.out
