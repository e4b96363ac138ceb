"""Real trainings: how many steps danlu needs for what random search found.

python -m benchmarks.training --seeds 0-4
python -m benchmarks.training --data FOLDER --only pbt --seeds 0-4

search   danlu's own choice, and ASHA, beside random search in full length, by the
         validation error of a small network with six hyperparameters
pbt      population-based training beside the best fixed lr of a random search with as
         many steps, where the best lr falls during training

Each run is a study of its own, run by `Project.run` in two processes, with checkpoints.
Steps count when they are trained, whoever asked for them. Each run is one line of
`--results`; runs that are there are not done again. The tables go to stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import danlu
from danlu.analysis import schedule_of
from danlu.auto import AutoScheduler
from danlu.client import LiveTrial
from danlu.report import write_html
from danlu.schedulers import Asha, Full, Pb2, Pbt

from . import images, trained
from .asks import THREADS

SLOTS = 2
KEY = ("comparison", "images", "method", "seed")
FULL = 27  # epochs of a full training of `search`: ASHA's rungs are 1, 3, 9 and 27
RANDOM_TRIALS = 30
# A trial of ASHA takes 1 + 2/3 + 6/9 + 18/27 = 3 epochs on average, so that this many
# take as many as random search, and what was reached earlier can be read off.
ASHA_TRIALS = RANDOM_TRIALS * FULL // 3
LENGTH, MEMBERS = 40, 20  # steps of a full training of `pbt`, and its population
Record = dict[str, Any]

TUNED = {
    "lr": danlu.Float(1e-4, 1.0, log=True),
    "one_minus_momentum": danlu.Float(1e-2, 0.5, log=True),
    "weight_decay": danlu.Float(1e-6, 1e-1, log=True),
    "dropout": danlu.Float(0.0, 0.8),
    "label_smoothing": danlu.Float(0.0, 0.4),
    "width": danlu.Int(8, 256, log=True),
}
LR = {"lr": danlu.Float(1e-4, 1.0, log=True)}


@dataclass(frozen=True)
class Method:
    """Who chooses params and lengths, and how many trials there may be."""

    sampler: danlu.Sampler | str
    scheduler: danlu.Scheduler
    trials: int
    fixed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """What is trained, by which methods; the first of them is the reference."""

    train: Callable[[LiveTrial], None]
    metric: danlu.Metric
    space: Mapping[str, danlu.Domain]
    max_steps: int
    methods: Mapping[str, Method]
    table: Callable[[str, Sequence[Record]], str]


CONSTANT = {"decay": "none", "length": LENGTH}
COSINE = {"decay": "cosine", "length": LENGTH}
NEAR = Pbt(population=MEMBERS, resample=0.0)  # no param is drawn anew
COMPARISONS = {
    "search": Comparison(
        images.tuned,
        danlu.Metric("val_error"),
        TUNED,
        FULL,
        {
            "random": Method("random", Full(), RANDOM_TRIALS),
            "auto": Method("auto", AutoScheduler(checkpoints=True), ASHA_TRIALS),
            "random_asha": Method("random", Asha(), ASHA_TRIALS),
            "gp_full": Method("gp", Full(), RANDOM_TRIALS),
        },
        trained.reached,
    ),
    "pbt": Comparison(
        images.noisy,
        danlu.Metric("val_loss", at="last"),
        LR,
        LENGTH,
        {
            "random": Method("random", Full(), MEMBERS, CONSTANT),
            "random_cosine": Method("random", Full(), MEMBERS, COSINE),
            "pbt": Method("random", Pbt(population=MEMBERS), 1000, CONSTANT),
            "pbt_near": Method("random", NEAR, 1000, CONSTANT),
            "pb2": Method("random", Pb2(population=MEMBERS), 1000, CONSTANT),
        },
        trained.ends,
    ),
}


def run(
    name: str, method: str, seed: int, data: Path | None, report: Path | None = None
) -> Record:
    """One study, with every step that was trained in it, and its page at `report`."""
    own = COMPARISONS[name]
    before_s, before_cpu_s = time.monotonic(), _cpu_s()
    with tempfile.TemporaryDirectory() as place:
        images.prepare(data, Path(place))
        with danlu.open(Path(place) / "tuning.db", place) as project:
            study = _study(own, own.methods[method], seed)
            history = project.run(study, own.train, slots=SLOTS)
            if report is not None:
                write_html(study, history, report)
        lines = (Path(place) / images.STEPS).read_text("utf-8").splitlines()
    steps = [json.loads(line) for line in lines]
    return {
        **dict(zip(KEY, (name, images_name(data), method, seed), strict=True)),
        "full": own.max_steps,
        "wall_s": round(time.monotonic() - before_s, 1),
        "cpu_s": round(_cpu_s() - before_cpu_s, 1),
        "schedule": _schedule(history),
        **{key: [line[key] for line in steps] for key in steps[0]},
    }


def images_name(data: Path | None) -> str:
    """What is trained on, as the tables call it."""
    return "digits" if data is None else "Fashion-MNIST"


def _study(own: Comparison, method: Method, seed: int) -> danlu.Study:
    return danlu.Study(
        "training",
        "Who finds good params in few steps?",
        own.metric,
        own.space,
        trials=method.trials,
        max_steps=own.max_steps,
        sampler=method.sampler,
        scheduler=method.scheduler,
        fixed=method.fixed,
        seed=seed,
    )


def _schedule(history: danlu.History) -> list[dict[str, Any]]:
    """By which params the best of those that were trained to the end were trained."""
    full = [own for own in history.ranked() if own.step == history.max_steps]
    return [own.to_json() for own in schedule_of(history, full[0].number)]


def _cpu_s() -> float:
    """CPU seconds of this process and of all that have ended under it."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def read(results: Path) -> list[Record]:
    """The records of the file; a line that was cut off is left out."""
    if not results.exists():
        return []
    lines = results.read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def go_on(arguments: argparse.Namespace, names: Sequence[str]) -> None:
    """Does the runs that are not in the results yet, and appends them."""
    done = {tuple(one[key] for key in KEY) for one in read(arguments.results)}
    stop = time.monotonic() + 60 * arguments.minutes
    with arguments.results.open("a", encoding="utf-8") as file:
        for name, method, seed in _runs(arguments, names):
            one = (name, images_name(arguments.data), method, seed)
            if one in done or time.monotonic() > stop:
                continue
            page = _page(arguments.reports, f"{name}-{method}-{seed}.html")
            found = run(name, method, seed, arguments.data, page)
            # The line's end comes first: the line before may have been cut off.
            file.write("\n" + json.dumps(found))
            file.flush()
            print(*one, f"{found['wall_s']} s", file=sys.stderr)


def _runs(
    arguments: argparse.Namespace, names: Sequence[str]
) -> Iterator[tuple[str, str, int]]:
    """Every run to be done, seed by seed, so that a part of them is balanced."""
    first, _, last = arguments.seeds.partition("-")
    for seed in range(int(first), int(last or first) + 1):
        for name in names:
            for method in COMPARISONS[name].methods:
                if method in (arguments.method or COMPARISONS[name].methods):
                    yield name, method, seed


def _page(folder: Path | None, name: str) -> Path | None:
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=list(COMPARISONS), help="one comparison")
    parser.add_argument("--method", action="append", help="only these methods")
    parser.add_argument("--data", type=Path, help="a folder with fashion_mnist in it")
    parser.add_argument("--seeds", default="0-4", help="FIRST-LAST")
    parser.add_argument("--minutes", type=float, default=1e6, help="no run after this")
    parser.add_argument("--reports", type=Path, help="a folder for a page of each run")
    parser.add_argument("--results", type=Path, default=Path("training.jsonl"))
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Does what is left to do, and prints the tables."""
    arguments = _arguments(words)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    names = [arguments.only] if arguments.only else list(COMPARISONS)
    go_on(arguments, names)
    records = read(arguments.results)
    for name in names:
        for what in sorted({one["images"] for one in records}):
            own = [one for one in records if one["images"] == what]
            own = [one for one in own if one["comparison"] == name]
            if own:
                print(COMPARISONS[name].table(f"{name}, {what}", own), end="\n\n")


if __name__ == "__main__":
    main()
