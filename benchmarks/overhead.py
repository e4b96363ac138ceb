"""What the flow costs beside Optuna's, as ratios of CPU seconds on one machine.

python -m benchmarks.overhead --peer-python /path/to/a/python/with/optuna
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from .measure import Side

SMALL = 200  # trials timed; median stopping looks at all before
LARGE = 10_000  # trials of the study that is loaded
CROWD_TRIALS = 320
CROWDS = (16, 32)  # worker processes

MORE_IS_BETTER = "trials/s"

Row = dict[str, Any]


def import_cost(ours: Side, peer: Side, repeat: int) -> list[Row]:
    """CPU seconds of the import, and of all that opening a database needs."""
    found = {
        side.name: [side.measure("imported") for _ in range(repeat)]
        for side in (ours, peer)
    }
    claims = {"cpu_s": "CPU s to import", "ready_cpu_s": "CPU s to import and open"}
    return [
        _row(claim, *(median(one[key] for one in each) for each in found.values()))
        for key, claim in claims.items()
    ]


def trial_cost(ours: Side, peer: Side, repeat: int) -> list[Row]:
    """CPU milliseconds of a trial with 5 params and 10 reports that does nothing."""
    return [
        _row(
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
        _row(f"{what} to load {LARGE:,} trials", *(one[key] for one in found))
        for key, what in (("cpu_s", "CPU s"), ("peak_mb", "peak MB"))
    ]


def crowd_cost(ours: Side, peer: Side, repeat: int) -> list[Row]:
    """How many processes get along on one SQLite study."""
    rows = []
    for workers in CROWDS:
        results = [_crowd(side, workers) for side in (ours, peer)]
        rows += [
            _row(f"{what} with {workers} processes", *(one[what] for one in results))
            for what in ("trials/s", "lost", "doubled", "errors", "left running")
        ]
    return rows


MEASUREMENTS: dict[str, Callable[[Side, Side, int], list[Row]]] = {
    "import": import_cost,
    "trial": trial_cost,
    "load": load_cost,
    "crowd": crowd_cost,
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


def _crowd(side: Side, workers: int) -> dict[str, float]:
    """What `workers` processes of one side did to one study, all at once."""
    with tempfile.TemporaryDirectory() as folder:
        side.measure("plan", folder, CROWD_TRIALS)
        began = time.perf_counter()
        command = side.command("work", folder, CROWD_TRIALS // workers)
        started = [
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            for _ in range(workers)
        ]
        told = [_last_object(process.communicate()[0]) for process in started]
        seconds = time.perf_counter() - began
        kept = side.measure("count", folder)
    dead = sum(process.returncode != 0 for process in started)
    done = [number for one in told for number in one.get("numbers", [])]
    return {
        "trials/s": len(kept["ended"]) / seconds,
        "lost": CROWD_TRIALS - len(set(kept["ended"])),
        "doubled": len(done) - len(set(done)),
        "errors": sum(len(one.get("errors", [])) for one in told) + dead,
        "left running": len(kept["numbers"]) - len(kept["ended"]),
    }


def _last_object(output: str) -> dict[str, Any]:
    lines = output.splitlines()
    return json.loads(lines[-1]) if lines else {}


def _row(claim: str, ours: float, peer: float) -> Row:
    """One line of the table; a ratio above 1 says that danlu is better."""
    ratio = peer / ours if ours and peer else None
    if ratio and claim.startswith(MORE_IS_BETTER):
        ratio = 1 / ratio
    return {"measured": claim, "danlu": ours, "optuna": peer, "ratio": ratio}


def _table(rows: Sequence[Row]) -> str:
    lines = [f"{'':58} {'danlu':>9} {'Optuna':>9} {'ratio':>7}"]
    for row in rows:
        ratio = f"{row['ratio']:.1f}" if row["ratio"] else ""
        numbers = f"{row['danlu']:>9.4g} {row['optuna']:>9.4g} {ratio:>7}"
        lines.append(f"{row['measured']:58} {numbers}")
    return "\n".join(lines)


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
    print(_table(rows))
    if arguments.json:
        machine = f"{platform.platform()}, {os.cpu_count()} cores"
        document = {"machine": machine, "versions": versions, "rows": rows}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
