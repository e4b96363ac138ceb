"""Many worker processes on one study, beside Optuna: is anything lost, and how fast.

python -m benchmarks.crowd --peer-python /path/to/a/python/with/optuna

Every worker asks for a trial, reports 5 times and tells, until 320 are done. Before,
each runs a trial of a study of its own, so that imports, opening the database and
putting statements into words are not counted; then all begin together.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .measure import Row, Side, row, table

TRIALS = 320
REPORTS = 5
WORKERS = 32
DATABASES = ("SQLite", "PostgreSQL")
PATIENCE_S = 1200.0

CLAIMS = (
    "trials/s",
    "CPU ms a trial",
    "lost",
    "doubled",
    "errors",
    "left running",
    "slowest trial, s",
)


def compare(sides: Sequence[Side], database: str, workers: int) -> list[Row]:
    """One row for each claim about one database."""
    found = []
    for side in sides:
        with place_in(database) as place:
            found.append(crowd(side, place, workers))
    return [
        row(f"{claim}, {workers} on {database}", *(one[claim] for one in found))
        for claim in CLAIMS
    ]


def crowd(side: Side, place: str, workers: int) -> dict[str, float]:
    """What `workers` processes of one side did to one study, all at once."""
    side.measure("plan", place, TRIALS)
    with tempfile.TemporaryDirectory() as folder:
        gate = Path(folder, "gate")
        command = side.command("work", place, TRIALS // workers, REPORTS, gate)
        started = [_started(command) for _ in range(workers)]
        _wait_for_all(started, Path(folder))
        began_s = time.monotonic()
        gate.touch()
        told = [_last_object(process.communicate()[0]) for process in started]
    kept = side.measure("count", place)
    dead = sum(process.returncode != 0 for process in started)
    done = [number for one in told for number in one.get("numbers", [])]
    ended_s = max(one.get("ended_s", time.monotonic()) for one in told)
    spent_s = sum(one.get("cpu_s", 0.0) for one in told)
    return {
        "trials/s": len(kept["ended"]) / (ended_s - began_s),
        "CPU ms a trial": 1000 * spent_s / max(1, len(kept["ended"])),
        "lost": TRIALS - len(set(kept["ended"])),
        "doubled": len(done) - len(set(done)),
        "errors": sum(len(one.get("errors", [])) for one in told) + dead,
        "left running": len(kept["numbers"]) - len(kept["ended"]),
        "slowest trial, s": max(s for one in told for s in one.get("seconds", [0.0])),
    }


@contextmanager
def place_in(database: str) -> Iterator[str]:
    """The address of an empty database."""
    if database == "SQLite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"{folder}/study.db"
        return
    from tests.postgres import Server

    server = Server()
    try:
        server.start()
        yield server.new_database()
    finally:
        server.remove()


def _started(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def _wait_for_all(started: Sequence[subprocess.Popen[str]], folder: Path) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while len(list(folder.iterdir())) < len(started):
        if any(process.poll() for process in started):
            raise RuntimeError("a worker ended before it was ready")
        if time.monotonic() > deadline_s:
            raise RuntimeError("the workers were not ready in time")
        time.sleep(0.05)


def _last_object(output: str) -> dict[str, Any]:
    lines = output.splitlines()
    return json.loads(lines[-1]) if lines else {}


def main() -> None:
    """Measures both sides on the databases asked for, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", default=os.environ.get("DANLU_PEER_PYTHON"))
    parser.add_argument("--only", choices=DATABASES, action="append")
    parser.add_argument("--workers", type=int, default=WORKERS)
    arguments = parser.parse_args()
    sides = [Side("danlu", sys.executable)]
    if arguments.peer_python:
        sides.append(Side("optuna", arguments.peer_python))
    rows = []
    for database in arguments.only or DATABASES:
        print(f"measuring on {database} ...", file=sys.stderr)
        rows += compare(sides, database, arguments.workers)
    print(table(rows))


if __name__ == "__main__":
    main()
