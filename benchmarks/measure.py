"""What both sides of a comparison share: the trial, and how a process is measured.

Standard library only, since the peer's Python imports it too.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPORTS = 10  # of a trial
SIDES = {"danlu": "danlu_side.py", "optuna": "optuna_side.py"}


def loss(step: int, number: int) -> float:
    """A curve below those of all earlier trials, so that no trial is stopped early."""
    return 1 / step - number


def cpu_s(action: Callable[[], Any]) -> float:
    """CPU seconds that this process spends on `action`, all threads together."""
    before = time.process_time()
    action()
    return time.process_time() - before


def peak_mb() -> float:
    """The most memory that this process has held, in MB (10**6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # unlike getrusage, not inherited from the parent process
        lines = dict(
            line.split(":", 1)
            for line in status.read_text().splitlines()
            if ":" in line
        )
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


@dataclass(frozen=True)
class Side:
    """One of the two: its name and the Python that has it."""

    name: str
    python: str

    def command(self, *words: object) -> list[str]:
        script = Path(__file__).with_name(SIDES[self.name])
        return [self.python, str(script), *map(str, words)]

    def measure(self, *words: object) -> dict[str, Any]:
        """What a fresh process of this side prints last: one JSON object."""
        ended = subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise RuntimeError(f"{self.name} {words}:\n{ended.stderr[-3000:]}")
        return json.loads(ended.stdout.splitlines()[-1])


def side_main(verbs: Sequence[Callable[..., dict[str, Any]]]) -> None:
    """Runs `SCRIPT VERB ARGUMENT...` and prints what the verb found as JSON."""
    named = {verb.__name__: verb for verb in verbs}
    print(json.dumps(named[sys.argv[1]](*sys.argv[2:])), flush=True)
