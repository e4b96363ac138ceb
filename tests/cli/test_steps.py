from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import STUDY, Danlu

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


def looped(loop: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A loop of a shell, run to its end."""
    return subprocess.run(
        ["sh", "-c", loop],
        cwd=folder,
        env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_shell_loop_works_through_a_study(danlu: Danlu, bowl: Path) -> None:
    text = (bowl / "study.yaml").read_text()
    (bowl / "study.yaml").write_text(text.replace("trials: 3", "trials: 2"))
    told = looped(LOOP, bowl)
    assert "all trials are given out" in told.stderr
    assert danlu("status", "--json").json["counts"]["completed"] == 2


def test_a_loop_does_not_see_a_param_of_the_trial_before(
    danlu: Danlu, tmp_path: Path
) -> None:
    (tmp_path / "study.yaml").write_text(
        STUDY.replace("x: -2.0..2.0", "opt: {choice: {sgd: {momentum: 0.5..0.9}, a: }}")
    )
    says = 'echo "$DANLU_PARAM_OPT ${DANLU_PARAM_MOMENTUM-none}"\n  danlu tell'
    loop = LOOP.replace("danlu tell", says).replace("$DANLU_PARAM_X", "1")

    lines = looped(loop, tmp_path).stdout.splitlines()

    assert {line.split()[0] for line in lines} == {"a", "sgd"}
    assert all(("none" in line) == line.startswith("a ") for line in lines)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("a-b",), "no variable holds 'a-b': see `danlu trial show 0 --study bowl"),
        (("größe",), "no variable holds 'größe'"),
        (("lr", "LR"), "DANLU_PARAM_LR holds 'LR', not 'lr': see `danlu trial show 0"),
    ],
)
def test_a_param_that_the_variables_lack_is_named(
    danlu: Danlu, tmp_path: Path, names: tuple[str, ...], says: str
) -> None:
    space = "".join(f"  {name}: 0.0..1.0\n" for name in names)
    (tmp_path / "study.yaml").write_text(STUDY.replace("  x: -2.0..2.0\n", space))

    said = danlu("ask", "--shell", "study.yaml")

    assert says in said.err
    assert set(danlu("trial", "show", 0, "--json").json["params"]) == set(names)


def test_a_loop_ends_where_asking_fails(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace("trials: 3", "trails: 3"))

    told = looped(LOOP, tmp_path)

    assert "did you mean" in told.stderr
