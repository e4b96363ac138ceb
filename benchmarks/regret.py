"""How low the samplers get, beside the peers in the same run.

python -m benchmarks.regret diverging conditional --sampler gp --sampler tpe \\
    --peer-python /path/to/a/python/with/optuna --seeds 0-4

parallel      eight trials at a time, asynchronous, beside one at a time
diverging     a third of the space gives nan
scarce        five sixths of it do
conditional   an optimizer with its own hyperparameters, a depth with its widths
digits        the same with real trainings of a small network
beliefs       a good one and a wrong one beside none
transfer      an earlier study nearby, of another space, of the opposite; and none

Each run is one line of `--results`; runs that are there are not done again, so that
the same command goes on where it stopped. The tables go to stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .asks import THREADS
from .comparisons import Comparison, Setting, comparisons
from .scores import Record, scores, text
from .speaker import Course, Speaker, command, run

# A run by its comparison, setting, task, method and seed.
KEY = ("comparison", "setting", "task", "method", "seed")


def rounds(
    known: Mapping[str, Comparison], methods: Sequence[str], seeds: Sequence[int]
) -> Iterator[tuple[str, Setting, str, int]]:
    """Every run to be done, seed by seed, so that a part of them is balanced."""
    peers = {peer for one in known.values() for peer in one.peers}
    for seed in seeds:
        for name, comparison in known.items():
            for setting in comparison.settings:
                for method in methods:
                    if method not in peers or method in comparison.peers:
                        yield name, setting, method, seed


def read(results: Path) -> list[Record]:
    """The records of the file; a line that was cut off is left out."""
    if not results.exists():
        return []
    lines = results.read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def record(
    name: str, setting: Setting, method: str, course: Course, speaker: Speaker
) -> dict[str, Any]:
    """One run, with all that its table needs."""
    before = time.monotonic()
    found = run(speaker, setting.task, course)
    return {
        "comparison": name,
        "setting": setting.name,
        "task": setting.task.name,
        "method": method,
        "seed": course.seed,
        "best": setting.task.best,
        "median": setting.task.median,
        "wall_s": round(time.monotonic() - before, 1),
        **found,
    }


def tables(records: Sequence[Record], known: Mapping[str, Comparison]) -> Iterator[str]:
    """A table for each comparison, and for each family where it has several."""
    for name, comparison in known.items():
        own = [one for one in records if one["comparison"] == name]
        families = sorted({_family(one) for one in own})
        parts = {name: own}
        if len(families) > 1:
            for family in families:
                of_it = [one for one in own if _family(one) == family]
                parts[f"{name}, {family}"] = of_it
        for title, part in parts.items():
            found = scores(part, comparison.marks) if part else None
            if found:
                yield text(title, found)


def _family(record: Record) -> str:
    family: str = record["task"].partition(":")[0]
    return family


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("comparison", nargs="*", help="all, where none is named")
    parser.add_argument("--sampler", action="append", help="of danlu; several may be")
    parser.add_argument("--peer", action="append", help="only these peers")
    parser.add_argument("--peer-python", help="a Python with optuna, scipy and torch")
    parser.add_argument("--smac-python", help="a Python with smac")
    parser.add_argument("--bench", type=Path, help="a folder of tasks, see task.py")
    parser.add_argument("--task", default="", help="tasks whose name begins with this")
    parser.add_argument("--seeds", default="0-4", help="FIRST-LAST")
    parser.add_argument("--minutes", type=float, default=1e6, help="no run after this")
    parser.add_argument("--results", type=Path, default=Path("regret.jsonl"))
    return parser.parse_args(words)


def _methods(
    arguments: argparse.Namespace, known: Mapping[str, Comparison]
) -> list[str]:
    """Ours, then the peers of which a Python was given."""
    methods = list(arguments.sampler or ("gp", "tpe"))
    peers = dict.fromkeys(peer for one in known.values() for peer in one.peers)
    for peer in arguments.peer or peers:
        python = arguments.smac_python if peer == "smac" else arguments.peer_python
        if python:
            methods.append(peer)
    return methods


def _chosen(arguments: argparse.Namespace) -> dict[str, Comparison]:
    known = comparisons(arguments.bench)
    names = arguments.comparison or list(known)
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"no comparison {unknown[0]!r}: there are {', '.join(known)}")
    return {name: known[name] for name in names}


def go_on(
    arguments: argparse.Namespace,
    known: Mapping[str, Comparison],
    methods: Sequence[str],
) -> None:
    """Does the runs that are not in the results yet, and appends them."""
    first, _, last = arguments.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    done = {tuple(one[name] for name in KEY) for one in read(arguments.results)}
    stop = time.monotonic() + 60 * arguments.minutes
    speakers: dict[str, Speaker] = {}
    with ExitStack() as stack, arguments.results.open("a", encoding="utf-8") as file:
        for name, setting, method, seed in rounds(known, methods, seeds):
            one = (name, setting.name, setting.task.name, method, seed)
            wanted = setting.task.name.startswith(arguments.task)
            if one in done or not wanted or time.monotonic() > stop:
                continue
            if method not in speakers:
                words = command(method, arguments.peer_python, arguments.smac_python)
                speakers[method] = stack.enter_context(Speaker(words))
            course = Course(known[name].marks[-1], setting.slots, seed)
            found = record(name, setting, method, course, speakers[method])
            # The line's end comes first: the line before may have been cut off.
            file.write("\n" + json.dumps(found))
            file.flush()
            print(*one, f"{found['wall_s']} s", file=sys.stderr)


def main(words: Sequence[str] | None = None) -> None:
    """Does what is left to do, and prints the tables of the methods named."""
    arguments = _arguments(words)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    known = _chosen(arguments)
    methods = _methods(arguments, known)
    go_on(arguments, known, methods)
    records = [one for one in read(arguments.results) if one["method"] in methods]
    chosen = [one for one in records if one["task"].startswith(arguments.task)]
    print("\n\n".join(tables(chosen, known)))


if __name__ == "__main__":
    main()
