"""What the flow costs beside Optuna's, as ratios of CPU seconds on one machine.

python -m benchmarks.overhead --peer-python /path/to/a/python/with/optuna
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from .measure import Row, Side, row, table

SMALL = 200  # trials timed; median stopping looks at all before
LARGE = 10_000  # trials of the study that is loaded


def import_cost(ours: Side, peer: Side, repeat: int) -> list[Row]:
    """CPU seconds of the import, and of all that opening a database needs."""
    found = {
        side.name: [side.measure("imported") for _ in range(repeat)]
        for side in (ours, peer)
    }
    claims = {"cpu_s": "CPU s to import", "ready_cpu_s": "CPU s to import and open"}
    return [
        row(claim, *(median(one[key] for one in each) for each in found.values()))
        for key, claim in claims.items()
    ]


def trial_cost(ours: Side, peer: Side, repeat: int) -> list[Row]:
    """CPU milliseconds of a trial with 5 params and 10 reports that does nothing."""
    return [
        row(
            f"CPU ms per trivial trial on SQLite, {rule}",
            *(
                median(_trial_ms(side, rule) for _ in range(repeat))
                for side in (ours, peer)
            ),
        )
        for rule in ("all in full", "median stopping")
    ]


def load_cost(ours: Side, peer: Side, repeat: int) -> list[Row]:
    """CPU seconds and memory to read a study of 10,000 trials."""
    found = []
    for side in (ours, peer):
        folder = _built(side)
        loads = [side.measure("load", folder) for _ in range(repeat)]
        expected = (LARGE, 10 * LARGE)
        if any((one["trials"], one["reports"]) != expected for one in loads):
            raise RuntimeError(f"{side.name} read another study: remove {folder}")
        found.append({key: median(one[key] for one in loads) for key in loads[0]})
    return [
        row(f"{what} to load {LARGE:,} trials", *(one[key] for one in found))
        for key, what in (("cpu_s", "CPU s"), ("peak_mb", "peak MB"))
    ]


MEASUREMENTS: dict[str, Callable[[Side, Side, int], list[Row]]] = {
    "import": import_cost,
    "trial": trial_cost,
    "load": load_cost,
}


def _trial_ms(side: Side, rule: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        found = side.measure("trials", folder, SMALL, rule)
    if (found["trials"], found["reports"]) != (SMALL, 10 * SMALL):
        raise RuntimeError(f"{side.name} did not run all trials: {found}")
    return 1000 * found["cpu_s"] / SMALL


def _built(side: Side) -> Path:
    """The folder of the large study, kept from one comparison to the next."""
    version = side.measure("version")["version"]
    name = f"danlu-benchmark-{side.name}-{version}-{LARGE}"
    folder = Path(tempfile.gettempdir(), name)
    if not folder.exists():
        unfinished = Path(tempfile.mkdtemp())
        side.measure("build", unfinished, LARGE)
        shutil.move(unfinished, folder)
    return folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", default=os.environ.get("DANLU_PEER_PYTHON"))
    parser.add_argument("--only", choices=MEASUREMENTS, action="append")
    parser.add_argument("--repeat", type=int, default=3, help="the median is taken")
    parser.add_argument("--json", type=Path, help="where to write the numbers too")
    arguments = parser.parse_args()
    if not arguments.peer_python:
        parser.error(
            "the comparison needs a Python with Optuna: make one with "
            "`python3 -m venv peers && peers/bin/pip install optuna==5.0.0`, then "
            "give --peer-python peers/bin/python"
        )
    return arguments


def main() -> None:
    """Measures, prints the table, and writes the numbers where asked."""
    arguments = _arguments()
    ours, peer = Side("danlu", sys.executable), Side("optuna", arguments.peer_python)
    rows = []
    for name in arguments.only or MEASUREMENTS:
        print(f"measuring {name} ...", file=sys.stderr)
        rows += MEASUREMENTS[name](ours, peer, arguments.repeat)
    versions = {side.name: side.measure("version")["version"] for side in (ours, peer)}
    print(table(rows))
    if arguments.json:
        machine = f"{platform.platform()}, {os.cpu_count()} cores"
        document = {"machine": machine, "versions": versions, "rows": rows}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
