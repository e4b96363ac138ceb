"""A study whose process is killed again and again, beside Optuna: what is left of it.

python -m benchmarks.kills --peer-python /path/to/a/python/with/optuna

One process trains a study in which a trial takes half a second. It is killed with
SIGKILL at a random moment, the same command is started again, and so on; the last
process may end the study. Both sides keep a SQLite file.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from .measure import Row, Side, row, table

TRIALS = 60
KILLS = 15
EARLIEST_S, LATEST_S = 0.05, 1.5  # after the first report of a process
PATIENCE_S = 120.0

CLAIMS = (
    "left running",
    "completed",
    "trials too many",
    "median restart, s",
    "slowest restart, s",
)


def kills(side: Side, kill_count: int, seed: int) -> dict[str, float]:
    """What is left of a study after that many kills, and how long restarts took.

    A restart is from the start of the process to the first report of a trial.
    """
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        place, log = Path(folder, "study.db"), Path(folder, "reports")
        side.measure("plan", place, TRIALS)
        command = side.command("endure", place, TRIALS, log)
        restarts_s = []
        for _ in range(kill_count):
            process, restart_s = _started(command, log)
            restarts_s.append(restart_s)
            time.sleep(rng.uniform(EARLIEST_S, LATEST_S))
            process.kill()
            process.wait()
        subprocess.run(command, check=True, capture_output=True)
        kept = side.measure("count", place)
    return {
        "left running": len(kept["numbers"]) - len(kept["ended"]),
        "completed": len(kept["ended"]),
        "trials too many": max(0, len(kept["numbers"]) - TRIALS),
        "median restart, s": median(restarts_s),
        "slowest restart, s": max(restarts_s),
    }


def _started(
    command: Sequence[str], log: Path
) -> tuple[subprocess.Popen[bytes], float]:
    """A process that has reported, and the seconds until it did."""
    known, began_s = _size(log), time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while _size(log) == known:
        if process.poll() is not None or time.monotonic() - began_s > PATIENCE_S:
            raise RuntimeError("a process ended, or reported nothing for long")
        time.sleep(0.005)
    return process, time.monotonic() - began_s


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def main() -> None:
    """Measures both sides and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", default=os.environ.get("DANLU_PEER_PYTHON"))
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sides = [Side("danlu", sys.executable)]
    if arguments.peer_python:
        sides.append(Side("optuna", arguments.peer_python))
    found = [kills(side, arguments.kills, arguments.seed) for side in sides]
    rows: list[Row] = [row(claim, *(one[claim] for one in found)) for claim in CLAIMS]
    print(table(rows))


if __name__ == "__main__":
    main()
