"""A training program reports with nothing but a file."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from danlu import client


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.json").write_text(json.dumps({"lr": 0.1, "n": 2**60}))
    variables = {
        "DANLU_STUDY": "digits",
        "DANLU_TRIAL": "4",
        "DANLU_PARAMS": str(tmp_path / "params.json"),
        "DANLU_SEED": "7",
        "DANLU_BUDGET": "9",
        "DANLU_METRIC": "val_error",
        "DANLU_REPORT": str(tmp_path / "reports.jsonl"),
        "DANLU_CHECKPOINT": str(tmp_path / "checkpoint"),
        "DANLU_FOLDER": str(tmp_path),
        "DANLU_STOP": str(tmp_path / "stop"),
        "DANLU_ATTEMPT": "2",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def written(folder: Path) -> list[object]:
    lines = (folder / "reports.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_trial_is_the_one_of_the_environment(environment: Path) -> None:
    trial = client.current()
    assert trial.params == {"lr": 0.1, "n": 2**60}
    assert (trial.study, trial.number, trial.seed) == ("digits", 4, 7)
    assert (trial.budget, trial.attempt, trial.metric) == (9, 2, "val_error")
    assert trial.folder == environment
    assert trial.checkpoint == environment / "checkpoint"
    assert trial.checkpoint.is_dir()


def test_a_report_is_one_line_of_json(environment: Path) -> None:
    client.report(1, val_error=0.5, train_loss=np.float32(0.25))
    client.report(np.int64(2), val_error=np.array(math.nan))
    expected = [
        {"step": 1, "val_error": 0.5, "train_loss": 0.25},
        {"step": 2, "val_error": "nan"},
    ]
    assert written(environment) == expected


def test_a_torn_line_is_not_glued_to(environment: Path) -> None:
    (environment / "reports.jsonl").write_text('{"step": 1, "val')
    client.report(2, val_error=0.5)
    text = (environment / "reports.jsonl").read_text()
    assert text == '{"step": 1, "val\n{"step": 2, "val_error": 0.5}\n'


def test_training_goes_on_until_the_budget(environment: Path) -> None:
    trial = client.current()
    assert [trial.report(step, val_error=0.5) for step in (8, 9)] == [True, False]


def test_training_ends_when_the_stop_file_exists(environment: Path) -> None:
    (environment / "stop").touch()
    assert client.report(1, val_error=0.5) is False
    assert client.current().stopping


@pytest.mark.parametrize("step", [1.5, "1", -1, True, None, 2**63])
def test_a_bad_step_is_refused(environment: Path, step: object) -> None:
    with pytest.raises(client.ReportError, match="a step is a whole number"):
        client.report(step, val_error=0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", ["0.5", [0.5], None, True, np.array([1.0, 2.0]), np.bool_(True), 1j]
)
def test_a_bad_metric_is_refused(environment: Path, value: object) -> None:
    with pytest.raises(client.ReportError, match="metric 'val_error' must be a number"):
        client.report(1, val_error=value)  # type: ignore[arg-type]


def test_a_number_too_large_for_a_float_is_refused(environment: Path) -> None:
    with pytest.raises(client.ReportError, match="too large"):
        client.report(1, val_error=10**400)


def test_no_metric_is_refused(environment: Path) -> None:
    with pytest.raises(client.ReportError, match="at least one metric"):
        client.report(1)


def test_alone_the_script_has_its_own_params_and_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DANLU_REPORT", raising=False)
    trial = client.current({"lr": 0.3})
    assert trial.params == {"lr": 0.3}
    assert trial.report(1, val_error=0.5)
    assert capsys.readouterr().out == "step=1 val_error=0.5\n"


def test_a_line_torn_by_a_full_disk_spoils_no_other(environment: Path) -> None:
    program = (
        "import resource\n"
        "from danlu import client\n"
        "limit = resource.RLIMIT_FSIZE\n"
        "resource.setrlimit(limit, (40, resource.RLIM_INFINITY))\n"
        "client.report(1, val_error=0.5)\n"
        "try: client.report(2, val_error=0.5)\n"
        "except OSError: pass\n"
        "resource.setrlimit(limit, (4000, resource.RLIM_INFINITY))\n"
        "client.report(3, val_error=0.5)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    lines = (environment / "reports.jsonl").read_text().splitlines()
    whole = [json.loads(line)["step"] for line in lines if line.endswith("}")]
    assert (whole, len(lines)) == ([1, 3], 3)


def test_lines_of_many_writers_stay_whole(environment: Path) -> None:
    program = (
        "from danlu import client\n"
        "for step in range(500): client.report(step, val_error=0.5, a=1, b=2, c=3)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    assert len(written(environment)) == 2000


def test_a_line_that_another_writes_just_now_is_not_torn(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = environment / "reports.jsonl"
    reports.write_text('{"step": 1, "val_')

    def other_writer_goes_on(_seconds: float) -> None:
        with open(reports, "a") as file:
            file.write('error": 0.5}\n')

    monkeypatch.setattr(time, "sleep", other_writer_goes_on)
    client.ReportFile(str(reports), "").send(2, {"val_error": 0.25})
    expected = [{"step": 1, "val_error": 0.5}, {"step": 2, "val_error": 0.25}]
    assert written(environment) == expected


def test_the_client_needs_the_standard_library_alone() -> None:
    program = (
        "import sys, danlu.client\n"
        "print([name for name in sys.modules if name in ('numpy', 'danlu.trial')])"
    )
    found = subprocess.check_output([sys.executable, "-c", program], env={**os.environ})
    assert found.decode().strip() == "[]"
