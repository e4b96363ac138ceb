from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Danlu

SLOW = """\
for step in 1 2 3 4 5 6 7 8 9 10; do
  echo "step=$step loss=$1"
  sleep 0.3
done
"""


def test_a_study_file_is_run_to_its_end(danlu: Danlu, bowl: Path) -> None:
    said = danlu("run")
    assert said.code == 0
    assert said.out.startswith("bowl: 3/3 trials, 3 completed\nbest #")
    assert "[3/3]" in said.err


def test_running_again_does_nothing(danlu: Danlu, done: Path) -> None:
    said = danlu("run")
    assert said.code == 0
    assert "3/3 trials, 3 completed" in said.out
    assert "[" not in said.err.replace("warning", "")


def test_trials_are_a_total(danlu: Danlu, done: Path) -> None:
    assert "5/5 trials" in danlu("run", "--trials", 5).out


def test_a_study_may_be_stated_in_one_line(danlu: Danlu, bowl: Path) -> None:
    said = danlu(
        "run", "-p", "x=-1.0..1.0", "-p", "k=a|b", "--min", "loss", "-n", 2,
        "--", "sh", "train.sh", "{x}",
    )  # fmt: skip
    assert said.code == 0
    assert said.out.startswith("train: 2/2 trials")


def test_words_after_two_dashes_replace_the_files_command(
    danlu: Danlu, bowl: Path
) -> None:
    said = danlu("run", "-q", "--trials", 1, "--", "echo", "step=1", "loss={x}")
    assert said.code == 0


def test_a_folder_stands_for_its_study_file(
    danlu: Danlu, bowl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bowl / "empty").mkdir()
    monkeypatch.chdir(bowl / "empty")
    assert danlu("run", "..", "--dry-run").code == 0
    assert "no study file (study.yaml) in the folder ." in danlu("run", ".").err


def test_a_function_is_run_from_its_file(danlu: Danlu, tmp_path: Path) -> None:
    (tmp_path / "tuned_here.py").write_text(
        "def train(trial):\n    return trial.params['x'] ** 2\n"
    )
    said = danlu(
        "run", "tuned_here.py:train", "-p", "x=-1.0..1.0", "--min", "loss", "-n", 2
    )
    assert said.code == 0
    assert "2/2 trials" in said.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--", "sh", "train.sh", "{y}"], "no hyperparameter 'y'"),
        (["--", "shh", "train.sh"], "no program 'shh'"),
        (["--set", "trails=3"], "--set trails: trails: no such key: did you mean"),
        (["--set", "trials"], "needs the form name=value"),
        (["-p", "x=0..1"], "-p x: space.x: '0..1' can mean"),
        (["--time-limit", "soon"], "--time-limit: limits.time: 'soon' is not"),
        (["--scientific", "y"], "scientific names 'y'"),
        (["nowhere.yaml"], "cannot read the study file"),
        (["bowl"], "goes on with `danlu resume bowl`"),
        (["train.py"], "name a function of it, as train.py:train"),
        (["--trials", "0"], "--trials: trials is a whole number from 1"),
    ],
)
def test_bad_input_ends_with_2_and_leaves_nothing(
    danlu: Danlu, bowl: Path, words: list[str], says: str
) -> None:
    said = danlu("run", *words)
    assert said.code == 2
    assert says in said.err
    assert said.out == ""
    assert not (bowl / ".danlu").exists()


def test_a_study_ends_with_its_grid_and_says_so(danlu: Danlu, bowl: Path) -> None:
    said = danlu("run", "--sampler", "grid", "--trials", 12)
    assert "bowl: 5/5 trials, 5 completed" in said.out
    assert "the sampler has 5 points and no more" in said.err
    assert danlu("status", "--json").json["state"] == "done"
    assert "5 points and no more" in danlu("status").out
    asked = danlu("ask")
    assert asked.code == 4
    assert "all trials are given out: the sampler has 5 points" in asked.err


def test_a_space_said_by_set_goes_over_that_of_the_study_file(
    danlu: Danlu, bowl: Path
) -> None:
    said = danlu("run", "--dry-run", "--set", "space.x=3.0..4.0", "--", "true", "{x}")
    assert said.out.startswith("study   bowl")
    assert "3.0..4.0" in said.out


def test_without_a_study_file_one_is_told_what_to_do(danlu: Danlu) -> None:
    said = danlu("run")
    assert said.code == 2
    assert "`danlu init` writes one" in said.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-p", "x=0.0..1.0", "-n", "3"], "Add --min METRIC"),
        (["-p", "x=0.0..1.0", "--min", "loss"], "Add --trials N"),
    ],
)
def test_a_line_that_lacks_something_says_what(
    danlu: Danlu, words: list[str], says: str
) -> None:
    said = danlu("run", *words, "--", "true")
    assert said.code == 2
    assert says in said.err


def test_another_statement_under_the_same_name_is_refused(
    danlu: Danlu, done: Path
) -> None:
    said = danlu("run", "-p", "x=-3.0..3.0")
    assert said.code == 2
    assert "a study 'bowl' exists with another space" in said.err


def test_a_dry_run_shows_the_first_trials_and_records_nothing(
    danlu: Danlu, bowl: Path
) -> None:
    said = danlu("run", "--dry-run")
    assert said.code == 0
    assert "#0  search  x=" in said.out
    assert not (bowl / ".danlu").exists()


def test_a_dry_run_shows_what_the_run_then_does(danlu: Danlu, bowl: Path) -> None:
    shown = danlu("run", "--dry-run").out
    danlu("run", "-q")
    first = danlu("trial", "show", 0, "--json").json["params"]["x"]
    assert f"#0  search  x={first:.4g}" in shown


def test_a_program_that_never_works_stops_the_study(danlu: Danlu, bowl: Path) -> None:
    (bowl / "train.sh").write_text("echo cannot find the data; exit 3\n")
    said = danlu("run", "--trials", 9)
    assert said.code == 1
    assert "cannot find the data" in said.err
    assert "Traceback" not in said.err


def test_a_budget_without_a_result_is_4(danlu: Danlu, bowl: Path) -> None:
    (bowl / "train.sh").write_text("echo step=1 loss=nan\n")
    assert danlu("run").code == 4


def test_resume_knows_how_a_study_is_run(danlu: Danlu, done: Path) -> None:
    (done / "study.yaml").unlink()
    said = danlu("resume", "bo", "--more", 2)
    assert said.code == 0
    assert "5/5 trials" in said.out


def test_resume_runs_failed_trials_again(danlu: Danlu, bowl: Path) -> None:
    (bowl / "train.sh").write_text(
        "[ $DANLU_TRIAL = 1 ] && exit 3\necho step=1 loss=1\n"
    )
    assert "1 failed" in danlu("run").out
    (bowl / "train.sh").write_text("echo step=1 loss=1\n")
    said = danlu("resume", "--retry-failed")
    assert "to be run again: 1 failed trial" in said.err
    assert "3/3 trials, 3 completed" in said.out


def test_resume_of_a_study_that_was_never_run_here(danlu: Danlu, done: Path) -> None:
    (done / ".danlu" / "bowl" / "launch.json").unlink()
    said = danlu("resume")
    assert said.code == 2
    assert "`danlu run` it from its file once" in said.err


def test_the_project_is_found_from_a_folder_below(
    danlu: Danlu, done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = done / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert "bowl" in danlu("ls").out


def test_a_command_starts_in_the_folder_of_its_study_file(
    danlu: Danlu, bowl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = bowl / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert danlu("run", "../study.yaml", "--project", elsewhere).code == 0
    assert (elsewhere / ".danlu" / "danlu.db").is_file()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_leaves_a_study_that_goes_on(
    danlu: Danlu, bowl: Path, number: int, code: int
) -> None:
    (bowl / "train.sh").write_text(SLOW)
    command = [sys.executable, "-c", "from danlu.cli import main; main()", "run"]
    running = subprocess.Popen(
        [*command, "--trials", "2"], cwd=bowl, stderr=subprocess.PIPE, text=True
    )
    reports = bowl / ".danlu" / "bowl" / "0" / "output.log"
    deadline = time.monotonic() + 120
    while not (reports.is_file() and reports.stat().st_size):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(running.pid, number)
    _, err = running.communicate(timeout=60)

    assert running.returncode == code
    assert "stopped; continue with: danlu resume bowl" in err
    assert danlu("status", "--json").json["counts"]["running"] == 0
    (bowl / "train.sh").write_text("echo step=11 loss=1\n")
    assert "2/2 trials" in danlu("resume").out


def test_trials_beyond_a_limit_are_infeasible(danlu: Danlu, bowl: Path) -> None:
    said = danlu(
        "run", "-q", "-p", "x=1.0..2.0", "--min", "loss", "-n", 2,
        "--constraint", "loss <= -1", "--", "sh", "train.sh", "{x}",
    )  # fmt: skip
    assert said.code == 4
    assert "2 infeasible" in said.out


def test_a_study_to_learn_from_must_be_there(danlu: Danlu, done: Path) -> None:
    said = danlu("run", "--name", "new", "--learn-from", "bowls")
    assert said.code != 0
    assert "learn_from names 'bowls', no study here: did you mean 'bowl'" in said.err


def test_a_rehearsal_needs_no_study_to_learn_from(danlu: Danlu, bowl: Path) -> None:
    said = danlu("run", "--dry-run", "--learn-from", "elsewhere")
    assert said.code == 0
    assert "learns  from elsewhere" in said.out
