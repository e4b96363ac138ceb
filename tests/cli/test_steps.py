from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Danlu

LOOP = """\
set -u
danlu() { "$PYTHON" -c 'from danlu.cli import main; main()' "$@"; }
while eval "$(danlu ask --shell study.yaml)"; do
  danlu report-metric "$DANLU_TRIAL" loss="$DANLU_PARAM_X" >>said.txt
  danlu tell "$DANLU_TRIAL"
done
"""


def test_a_trial_is_asked_reported_and_told(danlu: Danlu, bowl: Path) -> None:
    asked = danlu("ask", "study.yaml").json
    assert asked["schema"] == "danlu/ask@1"
    assert set(asked["params"]) == {"x"}
    number = asked["trial"]
    assert danlu("report-metric", number, "loss=0.5", "other=nan").out == "continue\n"
    assert danlu("report-metric", number, "loss=0.25", "--step", 4).out == "continue\n"
    assert danlu("tell", number).code == 0
    shown = danlu("trial", "show", number, "--json").json
    assert (shown["state"], shown["value"], shown["step"]) == ("completed", 0.25, 4)


def test_a_trial_that_waits_for_its_end_is_not_lost(danlu: Danlu, bowl: Path) -> None:
    danlu("ask", "study.yaml")
    assert danlu("status", "--json").json["lost"] == []


def test_reaching_the_budget_says_stop(danlu: Danlu, bowl: Path) -> None:
    (bowl / "study.yaml").write_text(
        (bowl / "study.yaml").read_text() + "max_steps: 2\n"
    )
    danlu("ask", "study.yaml")
    assert danlu("report-metric", 0, "loss=1").out == "continue\n"
    assert danlu("report-metric", 0, "loss=1").out == "stop\n"


def test_when_all_are_given_out_the_code_tells(danlu: Danlu, bowl: Path) -> None:
    for _ in range(3):
        assert danlu("ask", "study.yaml").code == 0
    assert danlu("ask").code == 75
    for number in range(3):
        danlu("tell", number, "infeasible", "--reason", "too wide")
    assert danlu("ask").code == 4


@pytest.mark.parametrize("metric", ["loss", "loss=", "=3", "loss=low"])
def test_a_metric_that_is_no_number_is_refused(
    danlu: Danlu, bowl: Path, metric: str
) -> None:
    danlu("ask", "study.yaml")
    said = danlu("report-metric", 0, metric)
    assert said.code == 2
    assert "write val_error=0.31" in said.err


def test_completing_without_the_metric_is_refused(danlu: Danlu, bowl: Path) -> None:
    danlu("ask", "study.yaml")
    said = danlu("tell", 0)
    assert said.code == 2
    assert "never reported 'loss'" in said.err


def test_a_shell_loop_works_through_a_study(danlu: Danlu, bowl: Path) -> None:
    text = (bowl / "study.yaml").read_text()
    (bowl / "study.yaml").write_text(text.replace("trials: 3", "trials: 2"))
    told = subprocess.run(
        ["sh", "-c", LOOP],
        cwd=bowl,
        env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "all trials are given out" in told.stderr
    assert danlu("status", "--json").json["counts"]["completed"] == 2
