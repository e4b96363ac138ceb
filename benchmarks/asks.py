"""What an ask costs as trials accumulate, beside Optuna's, in CPU time of one thread.

python -m benchmarks.asks --peer-python /path/to/a/python/with/optuna
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .measure import Row, Side, row, table

KNOWN = (100, 200, 500, 1_000, 10_000)  # trials that have ended before the ask
MOST = (
    64  # asks of which the mean is taken: what danlu draws of a Sobol sequence at once
)
LIMIT_S = 10.0  # CPU seconds after which fewer are enough
SAMPLERS = ("random", "quasi_random", "cma_es", "tpe", "gp")
# Optuna's Gaussian process is asked up to 500 trials. It takes all of them, which
# costs the cube of their number, and needs seconds an ask by then.
MOST_KNOWN_TO_PEER: Mapping[str, int] = {"gp": 500}
# Every numerical library under one thread, so that CPU time is that of one core.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def ask_costs(
    ours: Side, peer: Side | None, sampler: str, counts: Sequence[int]
) -> list[Row]:
    """One row for each number of known trials, none where we have no such sampler."""
    rows = []
    for known in counts:
        own = _ask_ms(ours, sampler, known)
        if own is None:
            print(f"danlu has no sampler {sampler!r}: left out", file=sys.stderr)
            return []
        beside = peer and known <= MOST_KNOWN_TO_PEER.get(sampler, known)
        theirs = _ask_ms(peer, sampler, known) if peer and beside else None
        rows.append(row(f"CPU ms per ask, {sampler}, {known:,} trials", own, theirs))
        print(table(rows[-1:]).splitlines()[1], file=sys.stderr)
    return rows


def _ask_ms(side: Side, sampler: str, known: int) -> float | None:
    found: float | None = side.measure("asks", sampler, known, MOST, LIMIT_S)["ask_ms"]
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--peer-python",
        default=os.environ.get("DANLU_PEER_PYTHON"),
        help="a Python with optuna, scipy, cmaes and torch; without it, ours alone",
    )
    parser.add_argument("--only", choices=SAMPLERS, action="append")
    parser.add_argument("--known", type=int, action="append", help="numbers of trials")
    parser.add_argument("--json", type=Path, help="where to write the numbers too")
    return parser.parse_args()


def main() -> None:
    """Measures, prints the table, and writes the numbers where asked."""
    arguments = _arguments()
    os.environ.update(dict.fromkeys(THREADS, "1"))
    ours = Side("danlu", sys.executable)
    peer = Side("optuna", arguments.peer_python) if arguments.peer_python else None
    rows = []
    for sampler in arguments.only or SAMPLERS:
        rows += ask_costs(ours, peer, sampler, arguments.known or KNOWN)
    print(table(rows))
    if arguments.json:
        sides = [side for side in (ours, peer) if side]
        document = {
            "machine": f"{platform.platform()}, {os.cpu_count()} cores",
            "versions": {
                side.name: side.measure("version")["version"] for side in sides
            },
            "rows": rows,
        }
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
