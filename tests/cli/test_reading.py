from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from .conftest import Danlu


def test_status_says_how_far_and_what_is_best(danlu: Danlu, done: Path) -> None:
    said = danlu("status")
    assert said.code == 0
    assert said.out.startswith("study  bowl  done  3/3 trials\n")
    assert "best   #" in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    ("words", "schema"),
    [
        (["status"], "danlu/status@1"),
        (["ls"], "danlu/ls@1"),
        (["report"], "danlu/report@1"),
        (["note"], "danlu/note@1"),
        (["trial", "show", "0"], "danlu/trial@1"),
        (["doctor"], "danlu/doctor@1"),
    ],
)
def test_every_reading_command_has_one_json_document(
    danlu: Danlu, done: Path, words: list[str], schema: str
) -> None:
    said = danlu(*words, "--json")
    assert said.code == 0
    assert said.json["schema"] == schema


def test_status_json_holds_the_numbers(danlu: Danlu, done: Path) -> None:
    said = danlu("status", "--json").json
    assert (said["study"], said["state"], said["ended"]) == ("bowl", "done", 3)
    assert said["counts"]["completed"] == 3
    values = [danlu("trial", "show", n, "--json").json["value"] for n in range(3)]
    assert said["best"]["value"] == min(values)
    assert (said["running"], said["lost"]) == ([], [])


def test_a_unique_prefix_names_a_study(danlu: Danlu, done: Path) -> None:
    danlu("run", "-q", "--name", "basin", "--trials", 1)
    assert danlu("status", "bo").out.startswith("study  bowl")
    assert danlu("status", "b").code == 2
    assert danlu("status").out.startswith("study  basin")


def test_a_wrong_name_gets_a_suggestion(danlu: Danlu, done: Path) -> None:
    said = danlu("status", "bwol")
    assert said.code == 2
    assert "did you mean 'bowl'?" in said.err


def test_ls_lists_the_studies(danlu: Danlu, done: Path) -> None:
    lines = danlu("ls").out.splitlines()
    assert lines[0].split() == ["study", "state", "trials", "best", "goal"]
    assert lines[1].split()[:3] == ["bowl", "done", "3/3"]


def test_report_writes_a_page(danlu: Danlu, done: Path) -> None:
    said = danlu("report", "--html", "page.html")
    assert said.code == 0
    assert (done / "page.html").read_text().startswith("<!doctype html>")


def test_report_is_text_without_options(danlu: Danlu, done: Path) -> None:
    assert "Where is the bottom of the bowl?" in danlu("report").out


def test_a_note_is_kept_and_listed(danlu: Danlu, done: Path) -> None:
    danlu("note", "bowl", "It is at x = 1.")
    danlu("note", "Seen twice.")
    texts = [note["text"] for note in danlu("note", "--json").json["notes"]]
    assert texts == ["It is at x = 1.", "Seen twice."]
    assert danlu("note", "bowl").out.endswith("  Seen twice.\n")


def test_one_trial_is_shown(danlu: Danlu, done: Path) -> None:
    said = danlu("trial", "show", 1)
    assert said.out.startswith("trial    #1 of bowl, search, completed")
    assert str(done / ".danlu" / "bowl" / "1") in said.out


def test_the_output_of_a_trial_is_shown(danlu: Danlu, done: Path) -> None:
    lines = danlu("trial", "logs", 1).out.splitlines()
    assert [line.split()[0] for line in lines] == ["step=1", "step=2", "step=3"]


@pytest.mark.parametrize("verb", ["show", "logs", "rerun", "stop"])
def test_a_trial_that_is_not_there_is_named(
    danlu: Danlu, done: Path, verb: str
) -> None:
    said = danlu("trial", verb, 7)
    assert said.code == 2
    assert "no trial 7 in study 'bowl'; it has 0 to 2" in said.err


def test_an_ended_trial_cannot_be_stopped(danlu: Danlu, done: Path) -> None:
    said = danlu("trial", "stop", 0)
    assert said.code == 2
    assert "trial 0" in said.err


def test_a_trial_is_run_again(danlu: Danlu, done: Path) -> None:
    assert danlu("trial", "rerun", 1, "--afresh").code == 0
    assert danlu("status", "--json").json["state"] == "waiting"
    danlu("resume", "-q")
    assert danlu("trial", "show", 1, "--json").json["attempt"] == 2


def test_csv_has_a_row_for_each_trial(danlu: Danlu, done: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(danlu("export", "csv").out)))
    assert [row["number"] for row in rows] == ["0", "1", "2"]
    assert float(rows[0]["value"]) == float(rows[0]["last.loss"])
    assert -2 <= float(rows[0]["params.x"]) <= 2


def test_json_holds_the_curves(danlu: Danlu, done: Path) -> None:
    trials = danlu("export", "json").json["trials"]
    assert trials[0]["curves"]["loss"]["steps"] == [1, 2, 3]


def test_json_goes_to_a_file(danlu: Danlu, done: Path) -> None:
    said = danlu("export", "json", "-o", "all.json")
    assert said.out == ""
    assert json.loads((done / "all.json").read_text())["schema"] == "danlu/export@1"


def test_parquet_has_a_row_for_each_trial(danlu: Danlu, done: Path) -> None:
    assert danlu("export", "parquet").code == 2
    assert danlu("export", "parquet", "-o", "all.parquet").code == 0
    assert pq.read_table(done / "all.parquet").num_rows == 3


def test_export_of_a_study_without_trials(danlu: Danlu, done: Path) -> None:
    danlu("ask", "study.yaml", "--project", "other")
    said = danlu("export", "csv", "--project", "other")
    assert said.code == 0
    assert said.out.startswith("number,")


def test_names_may_hold_anything(danlu: Danlu, bowl: Path) -> None:
    name = "丹炉 'x' \"; DROP TABLE studies; --/..<b>"
    danlu("run", "-q", "--name", name, "--trials", 1)
    assert danlu("status", "--json").json["study"] == name
    assert danlu("status", name).code == 0
    assert danlu("report", "--html", "p.html").code == 0


def test_a_file_that_is_no_database_is_said_to_be_none(
    danlu: Danlu, tmp_path: Path
) -> None:
    (tmp_path / "x.db").write_text("this is a shopping list, not a database\n" * 50)
    said = danlu("status", "--project", "x.db")
    assert said.code == 1
    assert "Traceback" not in said.err
    assert "x.db" in said.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(danlu: Danlu, shell: str) -> None:
    said = danlu("completion", shell)
    assert said.code == 0
    assert "_DANLU_COMPLETE" in said.out


def test_doctor_finds_a_sound_machine(danlu: Danlu, tmp_path: Path) -> None:
    said = danlu("doctor")
    assert said.code == 0
    names = [line.split()[1] for line in said.out.splitlines()]
    looked_at = ["versions", "storage", "database", "disk"]
    assert names == [*looked_at, "processes", "gpu", "clock"]
    assert list(tmp_path.iterdir()) == []


def test_doctor_names_a_database_with_a_torn_page(danlu: Danlu, done: Path) -> None:
    path = done / ".danlu" / "danlu.db"
    content = bytearray(path.read_bytes())
    content[4096 : 2 * 4096] = b"\xa5" * 4096
    path.write_bytes(content)

    said = danlu("doctor")

    assert said.code == 1
    (line,) = [line for line in said.out.splitlines() if "database" in line[9:18]]
    assert line.startswith("problem")
    assert f"{path} is damaged" in line
