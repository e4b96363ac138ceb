"""How low sampler and scheduler get together, with one worker and with several.

python -m benchmarks.fidelity --method auto+auto --method gp+full --seeds 0-4

A method is a sampler and a scheduler behind the line protocol, `--mode mf`. Its budget
is 50 full trainings (`--budget`), counted in steps, however many trials they are spread
over. Each worker trains one trial at a time and asks for the next as soon as it is
free; how long a step of a trial takes is drawn from the seed. What counts is the best
model seen so far, after any number of steps.

With `--beliefs` the generated trainings are there thrice: without beliefs, with right
ones and with wrong ones.

The tables: regret after 5, 10, 25 and 50 full trainings; what more workers cost, at the
same number of steps; and how much sooner than `gp+full` with one worker a method is
where that one is after 50. Each run is one line of `--results`; runs that are there are
not done again, so that the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .asks import THREADS
from .comparisons import CONFIDENCE, FAR, NEAR, centers_of
from .regret import read
from .scores import Array, Scores, interval_of, scores, text
from .speaker import DURATION_SD, Speaker
from .task import believing_space
from .trainings import Training, from_folder, learning

MARKS = (5, 10, 25, 50)  # full trainings after which regret is taken
REFERENCE = ("gp+full", "1 worker")
INSTANCES = range(3)
GRID = 0.1  # full trainings between two looks at when a regret was reached

KEY = ("task", "method", "workers", "seed")

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Course:
    """How many full trainings a run may cost, on how many workers, and its seed."""

    trainings: int
    workers: int
    seed: int


def run(speaker: Speaker, training: Training, course: Course) -> dict[str, Any]:
    """The best model after each number of steps at which there was a better one.

    `found` has triples: the steps trained so far, the loss as it was seen and without
    noise. `seen` has the lowest loss of each of the trials.
    """
    total = course.trainings * training.steps
    init = {"space": training.space, "seed": course.seed, "direction": "minimize"}
    own = {"max_trials": course.trainings, "max_fidelity": training.steps}
    speaker.say("init", {**init, **own})
    rng = np.random.default_rng(course.seed)
    # No more trials than steps can begin. A trial's number draws its duration.
    durations = rng.lognormal(0, DURATION_SD, total)
    running: list[tuple[float, int, dict[str, Any]]] = []
    reached: dict[int, int] = {}
    seen: dict[int, float] = {}
    found: list[tuple[int, float, float]] = []
    clock, begun, done, asked = 0.0, 0, 0, 0
    while done < total:
        while len(running) < course.workers and begun < total:
            answer = speaker.say("ask", {})
            number, first = answer["id"], reached.get(answer["id"], 0)
            last = min(answer["fidelity"], first + total - begun)
            stretch = {"id": number, "config": answer["config"], "steps": (first, last)}
            takes = (last - first) * durations[number]
            heapq.heappush(running, (clock + takes, asked, stretch))
            begun, asked = begun + last - first, asked + 1
        clock, _, stretch = heapq.heappop(running)
        number, (first, last) = stretch["id"], stretch["steps"]
        losses, true = training.curve(stretch["config"], first, last, course.seed)
        curve = [[first + 1 + at, _json(loss)] for at, loss in enumerate(losses)]
        told = {"id": number, "fidelity": last, "value": curve[-1][1], "curve": curve}
        speaker.say("tell", {**told, "cost": float(last - first)})
        for at, (loss, without_noise) in enumerate(zip(losses, true, strict=True)):
            seen[number] = float(np.fmin(seen.get(number, math.nan), loss))
            if math.isfinite(loss) and (not found or loss < found[-1][1]):
                found.append((done + at + 1, loss, without_noise))
        reached[number], done = last, done + last - first
    return {
        "numbers": list(seen),
        "seen": [_json(loss) for loss in seen.values()],
        "found": found,
        "clock": clock,
    }


def record(
    training: Training, method: str, course: Course, speaker: Speaker
) -> dict[str, Any]:
    """One run, with all that its tables need."""
    before = time.monotonic()
    found = run(speaker, training, course)
    return {
        "task": training.name,
        "method": method,
        "workers": course.workers,
        "setting": f"{course.workers} worker{'s' * (course.workers > 1)}",
        "seed": course.seed,
        "steps": training.steps,
        "trainings": course.trainings,
        "best": training.best,
        "median": training.median,
        "wall_s": round(time.monotonic() - before, 1),
        **found,
    }


def regret(
    own: Record, reference: tuple[float, float], marks: Sequence[float]
) -> list[float]:
    """(loss without noise of what was seen as best - best) / (median - best) by then.

    `marks` are full trainings. Before there is any loss it is 1, as for the median.
    """
    best, median = reference
    steps = np.array([one[0] for one in own["found"]])
    losses = np.array([one[2] for one in own["found"]])
    shares = np.maximum((losses - best) / (median - best), 0.0)
    trained = np.round(np.array(marks) * own["steps"], 6)
    places = np.searchsorted(steps, trained, side="right")
    regrets: list[float] = np.concatenate(([1.0], shares))[places].tolist()
    return regrets


def sooner(records: Sequence[Record], own: Scores) -> dict[tuple[str, str], Array]:
    """By row, for each task how many times sooner it is where the reference ends.

    That is 50 full trainings over those after which the mean regret of a row's seeds is
    that of the reference after 50; 0 where it never is.
    """
    ends = [one for one in records if (one["method"], one["setting"]) == REFERENCE]
    if not ends or min(one["trainings"] for one in ends) < MARKS[-1]:
        return {}
    grid = np.arange(1, round(MARKS[-1] / GRID) + 1) * GRID
    curves = scores(records, grid.tolist(), regret)
    assert curves is not None
    means = curves.regrets.mean(1)  # task, row, mark
    aims = means[:, curves.rows.index(REFERENCE), -1]
    found = {}
    for place, row in enumerate(curves.rows):
        there = means[:, place] <= aims[:, None] + 1e-9
        first = grid[np.argmax(there, axis=1)]
        found[row] = np.where(there.any(1), MARKS[-1] / first, 0.0)
    return found


def tables(records: Sequence[Record], marks: Sequence[int]) -> Iterator[str]:
    """The table of regrets, of what workers cost, and of how much sooner."""
    families = sorted({one["task"].partition(":")[0] for one in records})
    for family in families:
        part = [one for one in records if one["task"].startswith(f"{family}:")]
        own = scores(part, marks, regret)
        if own is None:
            continue
        yield text(f"{family}, regret after full trainings", own)
        yield from _workers(own)
        yield from _sooner(sooner(part, own), own)


def _workers(own: Scores) -> Iterator[str]:
    """Regret with several workers over that with one, by method."""
    lines = []
    for place, (method, setting) in enumerate(own.rows):
        if (method, "1 worker") not in own.rows or setting == "1 worker":
            continue
        alone = own.regrets[:, :, own.rows.index((method, "1 worker"))]
        ratios = [
            _ratio(own.regrets[:, :, place, mark], alone[:, :, mark])
            for mark in range(len(own.marks))
        ]
        lines.append(f"| {method}, {setting} | {' | '.join(ratios)} |")
    if lines:
        heads = " | ".join(f"at {mark}" for mark in own.marks)
        head = f"| over that of 1 worker | {heads} |"
        yield "\n".join([head, "| --- |" + " --- |" * len(own.marks), *lines])


def _ratio(several: Array, alone: Array) -> str:
    """The ratio of two means and its bootstrap interval."""

    def ratio(several: Array, alone: Array) -> Array:
        quotient: Array = several / np.maximum(alone, 1e-9)
        return quotient

    low, high = interval_of(ratio, several, alone)
    middle = float(ratio(several.mean(), alone.mean()))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _sooner(found: dict[tuple[str, str], Array], own: Scores) -> Iterator[str]:
    """The table of how much sooner, and its tasks one by one."""
    if not found:
        return
    short = [name.partition(":")[2] for name in own.tasks]
    lines = [
        f"| times sooner than {REFERENCE[0]} | median | range | {' | '.join(short)} |",
        "| --- |" + " --- |" * (2 + len(short)),
    ]
    for row, times in found.items():
        ends = f"{times.min():.1f} to {times.max():.1f}"
        every = " | ".join(f"{one:.1f}" for one in times)
        name = ", ".join(row)
        lines.append(f"| {name} | {np.median(times):.1f} | {ends} | {every} |")
    yield "\n".join(lines)


def believed() -> Iterator[Training]:
    """The generated trainings with beliefs near the best params, and far from them."""
    for name, distance in (("right", NEAR), ("wrong", FAR)):
        for instance in INSTANCES:
            own, centers = learning(instance), centers_of(instance, distance)
            space = believing_space(own.space, centers, CONFIDENCE)
            yield replace(own, name=f"learning_{name}:{instance}", space=space)


def _json(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None


def _command(method: str) -> list[str]:
    """How the process of a method is started."""
    sampler, _, scheduler = method.partition("+")
    words = [sys.executable, "-m", "benchmarks.protocol", "--mode", "mf"]
    return [*words, "--sampler", sampler, "--scheduler", scheduler or "auto"]


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--method", action="append", help="SAMPLER+SCHEDULER; several")
    parser.add_argument("--workers", default="1", help="how many: 1,4,8")
    parser.add_argument("--budget", type=int, default=MARKS[-1], help="full trainings")
    parser.add_argument("--bench", type=Path, help="a folder of tasks, see trainings")
    parser.add_argument("--task", default="", help="tasks whose name begins with this")
    parser.add_argument("--beliefs", action="store_true", help="right and wrong ones")
    parser.add_argument("--seeds", default="0-4", help="FIRST-LAST")
    parser.add_argument("--minutes", type=float, default=1e6, help="no run after this")
    parser.add_argument("--results", type=Path, default=Path("fidelity.jsonl"))
    return parser.parse_args(words)


def go_on(
    arguments: argparse.Namespace,
    trainings: Sequence[Training],
    methods: Sequence[str],
    workers: Sequence[int],
) -> None:
    """Does the runs that are not in the results yet, seed by seed, and appends them."""
    first, _, last = arguments.seeds.partition("-")
    known = _long_enough(arguments)
    done = {tuple(one[name] for name in KEY) for one in known}
    every = [
        (training, method, count, seed)
        for seed in range(int(first), int(last or first) + 1)
        for count in workers
        for method in methods
        for training in trainings
    ]
    stop = time.monotonic() + 60 * arguments.minutes
    speakers: dict[str, Speaker] = {}
    with ExitStack() as stack, arguments.results.open("a", encoding="utf-8") as file:
        for training, method, count, seed in every:
            one = (training.name, method, count, seed)
            if one in done or time.monotonic() > stop:
                continue
            if method not in speakers:
                speakers[method] = stack.enter_context(Speaker(_command(method)))
            course = Course(arguments.budget, count, seed)
            found = record(training, method, course, speakers[method])
            # The line's end comes first: the line before may have been cut off.
            file.write("\n" + json.dumps(found))
            file.flush()
            print(*one, f"{found['wall_s']} s", file=sys.stderr)


def _long_enough(arguments: argparse.Namespace) -> list[Record]:
    """The runs of at least the budget that are there."""
    every = read(arguments.results)
    return [one for one in every if one["trainings"] >= arguments.budget]


def main(words: Sequence[str] | None = None) -> None:
    """Does what is left to do, and prints the tables of the methods named."""
    arguments = _arguments(words)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    every = from_folder(arguments.bench, "dev_mf") if arguments.bench else []
    every += [learning(instance) for instance in INSTANCES]
    every += list(believed()) if arguments.beliefs else []
    chosen = [one for one in every if one.name.startswith(arguments.task)]
    methods = arguments.method or ["auto+auto", "gp+full"]
    workers = [int(count) for count in arguments.workers.split(",")]
    go_on(arguments, chosen, methods, workers)
    records = [
        one
        for one in _long_enough(arguments)
        if one["method"] in methods and one["workers"] in workers
        if one["task"].startswith(arguments.task)
    ]
    marks = [mark for mark in MARKS if mark <= arguments.budget]
    print("\n\n".join(tables(records, marks)))


if __name__ == "__main__":
    main()
