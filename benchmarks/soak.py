"""A long study: does the loop grow, does following it cost more, what does it take up.

python -m benchmarks.soak --trials 2000 [--peer-python /a/python/with/optuna]

The trials run in this process and do nothing but report. At each tenth of the study the
loop's memory is read, and a second reader follows what is new since ten trials ago.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import tempfile
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import psutil

from .crowd import DATABASES, place_in
from .measure import Row, Side, row, table

if TYPE_CHECKING:
    from danlu import Progress
    from danlu.storage.base import Storage

REPORTS = 100
BACK = 40  # versions: about ten trials
LOOKS = 15  # of which the median is taken
SMALL = 100  # trials of the studies whose size is compared with Optuna's


class Watch:
    """Reads memory and the cost of `changes(since)` at each tenth of a study."""

    def __init__(self, storage: Storage, trials: int) -> None:
        self._storage = storage
        self._tenth = trials // 10
        self._process = psutil.Process()
        self._cpu_s = time.process_time()
        self._since = 0
        self.seen: list[dict[str, float]] = []

    def __call__(self, progress: Progress) -> None:
        done = len(progress.history.trials)
        if done < self._tenth * (len(self.seen) + 1):
            return
        gc.collect()
        spent_s = time.process_time() - self._cpu_s
        found = {
            "trials": done,
            "MB": self._process.memory_info().rss / 1e6,
            "changes ms": self._changes_ms(),
            "CPU ms a trial": 1000 * spent_s / self._tenth,
        }
        self.seen.append(found)
        print({name: round(value, 2) for name, value in found.items()}, flush=True)
        self._cpu_s = time.process_time()

    def _changes_ms(self) -> float:
        study = self._storage.studies()[-1].id
        newest = self._since = self._storage.changes(study, self._since).version
        times = []
        for _ in range(LOOKS):
            began_s = time.perf_counter()
            self._storage.changes(study, newest - BACK)
            times.append(time.perf_counter() - began_s)
        return 1000 * median(times)


def soak(database: str, trials: int) -> list[dict[str, float]]:
    """What was seen at each tenth of a study of that many trials."""
    import danlu
    from danlu.storage.sql import open_storage

    with place_in(database) as place, tempfile.TemporaryDirectory() as folder:
        with danlu.open(place, folder) as project:
            storage = open_storage(place)
            watch = Watch(storage, trials)
            project.run(_study(trials), danlu.executors.Inline(_train), watch=watch)
            storage.close()
        return watch.seen


def sizes(side: Side, database: str) -> tuple[float, float]:
    """Bytes of a trial without its reports, and of one report."""
    few, many = (_filled_bytes(side, database, SMALL, count) for count in (1, 21))
    none = _filled_bytes(side, database, 1, 1)
    report = (many - few) / (SMALL * 20)
    return (few - none) / (SMALL - 1) - report, report


def _filled_bytes(side: Side, database: str, trials: int, reports: int) -> int:
    with place_in(database) as place:
        side.measure("fill", place, trials, reports)
        return _size_bytes(place)


def _size_bytes(place: str) -> int:
    """What a database takes up on disk, what is to be written anew not counted."""
    if not place.startswith("postgresql://"):
        return os.path.getsize(place)
    import psycopg

    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("VACUUM FULL")
        size = connection.execute("SELECT pg_database_size(current_database())")
        found = size.fetchone()
    return int(found[0]) if found else 0


def _train(trial: Any) -> None:
    for step in range(1, REPORTS + 1):
        trial.report(step, loss=random.random())


def _study(trials: int) -> Any:
    import danlu

    return danlu.Study(
        name="soak",
        goal="Does anything grow?",
        metric="loss",
        space={"x": danlu.Float(0, 1), "y": danlu.Float(0, 1)},
        sampler="random",
        trials=trials,
        max_steps=REPORTS,
    )


def main() -> None:
    """Measures what is asked for, and prints what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", default=os.environ.get("DANLU_PEER_PYTHON"))
    parser.add_argument("--only", choices=DATABASES, action="append")
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--sizes-only", action="store_true")
    arguments = parser.parse_args()
    sides = [Side("danlu", sys.executable)]
    if arguments.peer_python:
        sides.append(Side("optuna", arguments.peer_python))
    rows: list[Row] = []
    for database in arguments.only or DATABASES:
        if not arguments.sizes_only:
            print(f"{database}, {arguments.trials:,} trials")
            soak(database, arguments.trials)
        found = [sizes(side, database) for side in sides]
        claims = "bytes a trial without its reports", "bytes a report"
        for claim, numbers in zip(claims, zip(*found, strict=True), strict=True):
            rows.append(row(f"{claim}, {database}", *numbers))
    print(table(rows))


if __name__ == "__main__":
    main()
