"""Each framework with two real processes, as its own launcher starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parent / "two_processes.py"
ELASTIC = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
LAUNCHERS = {"lightning": [], "hf": ELASTIC, "accelerate": ELASTIC}
MODULES = {"lightning": "lightning", "hf": "transformers", "accelerate": "accelerate"}


def run(way: str, folder: Path, *, stopped: bool = False) -> list[dict[str, Any]]:
    """What each process came to, in a trial's folder and environment."""
    folder.mkdir(exist_ok=True)
    (folder / "params.json").write_text("{}")
    (folder / "stop").unlink(missing_ok=True)
    if stopped:
        (folder / "stop").touch()
    named = {
        "REPORT": folder / "reports.jsonl",
        "PARAMS": folder / "params.json",
        "STOP": folder / "stop",
        "FOLDER": folder,
        "STUDY": "digits",
        "TRIAL": 1,
        "SEED": 3,
        "BUDGET": "",
        "ATTEMPT": 1,
        "METRIC": "eval_loss" if way == "hf" else "loss",
    }
    environment = {f"DANLU_{name}": str(value) for name, value in named.items()}
    ended = subprocess.run(
        [sys.executable, *LAUNCHERS[way], str(PROGRAM), way],
        cwd=folder,
        env={**os.environ, **environment, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return [
        json.loads((folder / f"came-to-{rank}.json").read_text()) for rank in (0, 1)
    ]


def steps_reported(folder: Path) -> list[int]:
    lines = (folder / "reports.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


@pytest.mark.slow
@pytest.mark.timeout(1200)  # nine starts of a framework, each a matter of seconds
@pytest.mark.parametrize("way", LAUNCHERS)
def test_both_processes_stop_together_and_go_on_exactly(
    way: str, tmp_path: Path
) -> None:
    pytest.importorskip(MODULES[way])
    whole = run(way, tmp_path / "whole")

    stopped = run(way, tmp_path / "parts", stopped=True)
    after = run(way, tmp_path / "parts")

    assert [4, 4] == [process["steps"] for process in stopped]
    assert [12, 12] == [process["steps"] for process in after]
    assert whole == after
    assert [1, 1, 2, 3] == steps_reported(tmp_path / "parts")
