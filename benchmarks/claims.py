"""What papers claim about training, in miniature: seeds, intervals, tuned rates.

python -m benchmarks.claims --data FOLDER --seeds 0-4
python -m benchmarks.claims one_cycle ema --data FOLDER --seeds 0-9 --results FILE

Each method gets the rate (and decay) that is best on seeds of their own, by validation;
a grid whose best cell lies at an edge is made wider. What is reported are test values
of fresh seeds, the same for all methods, and differences are paired by seed. A training
is a line of `--results`; those that are there are not done again, so the same command
goes on where it stopped. `--data` has the folders fashion_mnist, clinc150 and
tinyshakespeare; without it only what reads scikit-learn's digits is done.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .claim_methods import (
    Axis,
    Method,
    Race,
    factor_cell,
    gap_cell,
    gaps,
    mean_cell,
    one_by_one,
    table,
    verdict,
)
from .claim_tasks import Seeds, Trainings, claim_tasks

EQUAL = 0.05  # of an error: what counts as the same accuracy


@dataclass(frozen=True)
class Claim:
    """Whose claim it is, what was expected before the first run, and its tables."""

    source: str
    expected: str
    tables: Callable[[Trainings, Seeds], Iterator[str]]


def present(trainings: Trainings, *names: str) -> list[str]:
    """Those of the tasks that can be had."""
    return [name for name in names if name in trainings.tasks]


# One cycle. The momentum is 0.9, the decay that of He et al. (2016).
RATES = Axis("lr", (0.05, 0.1, 0.2, 0.4), 2.0)
USUAL_SGD = {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 1e-4}
SCHEDULES = ("constant", "step", "cosine", "one_cycle")
SHARES = {"1": 1.0, "1/2": 0.5, "1/5": 0.2}


def one_cycle(trainings: Trainings, seeds: Seeds) -> Iterator[str]:
    for task, full in (("digits", 300), ("fashion", 400), ("digits", 1500)):
        if task in trainings.tasks:
            yield _cycles(trainings, task, full, seeds)


def _cycles(trainings: Trainings, task: str, full: int, seeds: Seeds) -> str:
    """Errors of each schedule at each length beside `step` and `constant` in full."""
    methods = {
        (schedule, share): Method(
            trainings,
            task,
            {**USUAL_SGD, "schedule": schedule, "updates": round(full * part)},
            (RATES,),
        )
        for schedule in SCHEDULES
        for share, part in SHARES.items()
    }
    ends = {key: method.tested(seeds) for key, method in methods.items()}
    rows = []
    for (schedule, share), own in ends.items():
        row = [schedule, share, f"{methods[schedule, share].best()['lr']:g}"]
        for other in ("constant", "step"):
            more = gaps(own, ends[other, "1"])
            margin = EQUAL * float(np.mean(ends[other, "1"]))
            same = verdict(more, margin=margin) if schedule == "one_cycle" else ""
            row += [gap_cell(more), same]
        rows.append([*row[:3], mean_cell(own), *row[3:]])
    heads = ["schedule", "length", "lr", "test error", "more than constant, full"]
    heads += ["as good", "more than step, full", "as good"]
    first = table(f"{task}, full length {full} updates", heads, rows)
    return f"{first}\n{_at_equal_length(task, full, ends)}"


def _at_equal_length(
    task: str, full: int, ends: Mapping[tuple[str, str], Sequence[float]]
) -> str:
    """What one-cycle has more than the others that were trained for as long."""
    others = [name for name in SCHEDULES if name != "one_cycle"]
    rows = [
        [
            share,
            *(
                gap_cell(gaps(ends["one_cycle", share], ends[name, share]))
                for name in others
            ),
        ]
        for share in SHARES
    ]
    title = f"{task}, of {full} updates: one_cycle at the same length"
    return table(title, ["length", *(f"more than {name}" for name in others)], rows)


# Weight decay: the same number of cells for each rule, a factor of ten apart.
ADAM_RATES = Axis("lr", (1e-3, 3.16e-3, 1e-2, 3.16e-2), 10**0.5)


def adamw(trainings: Trainings, seeds: Seeds) -> Iterator[str]:
    decays = {"adam": (1e-5, 1e-4, 1e-3, 1e-2), "adamw": (1e-2, 1e-1, 1.0, 10.0)}
    for task in present(trainings, "text", "fashion", "digits"):
        yield _decays(trainings, task, ADAM_RATES, decays, seeds)


def sgdw(trainings: Trainings, seeds: Seeds) -> Iterator[str]:
    decays = {"sgd": (1e-5, 1e-4, 1e-3, 1e-2), "sgdw": (1e-4, 1e-3, 1e-2, 1e-1)}
    for task in present(trainings, "fashion", "digits"):
        yield _decays(trainings, task, RATES, decays, seeds)


def _decays(
    trainings: Trainings,
    task: str,
    rates: Axis,
    decays: Mapping[str, tuple[float, ...]],
    seeds: Seeds,
) -> str:
    """L2 and decoupled decay, each at the best cell of its grid, and without decay."""
    coupled, decoupled = decays
    cosine = {"schedule": "cosine", "updates": 300, "weight_decay": 0.0}
    without = Method(trainings, task, {**cosine, "optimizer": coupled}, (rates,))
    methods = {"no decay": without} | {
        name: Method(
            trainings,
            task,
            {**cosine, "optimizer": name},
            (rates, Axis("weight_decay", values, 10.0)),
        )
        for name, values in decays.items()
    }
    ends = {name: method.tested(seeds) for name, method in methods.items()}
    rows = []
    for name, own in ends.items():
        found, scores = methods[name].grid()
        more = gaps(own, ends[coupled])
        said = verdict(more) if name == decoupled else ""
        rows.append([name, f"{found['lr']:g}", f"{found.get('weight_decay', 0):g}"])
        rows[-1] += [str(len(scores)), mean_cell(own), gap_cell(more), said]
        rows[-1] += ["" if name == "no decay" else f"{one_by_one(scores):.4f}"]
    heads = ["rule", "lr", "decay", "cells", "test error", f"more than {coupled}"]
    heads += ["better", "lost, one by one"]
    return table(task, heads, rows)


WARMUPS = (0.0, 0.05, 0.2)  # of the updates


def warmup(trainings: Trainings, seeds: Seeds) -> Iterator[str]:
    rates = {
        "characters": (3e-3, 1e-2, 3e-2, 1e-1),
        "characters_post": (3e-3, 1e-2, 3e-2, 1e-1),
        "plain": (0.05, 0.1, 0.2, 0.4),
        "digits": (0.4, 0.8, 1.6, 3.2),
    }
    for task in present(trainings, *rates):
        kind = "adamw" if task.startswith("characters") else "sgd"
        yield _warmups(trainings, task, kind, rates[task], seeds)


def _warmups(
    trainings: Trainings, task: str, kind: str, rates: Sequence[float], seeds: Seeds
) -> str:
    """What warm-ups change at each rate, and at the rate that is best for each."""
    steps = {"updates": 300} if kind == "sgd" else {}
    fixed = {"optimizer": kind, "schedule": "cosine", **steps}
    axis = Axis("lr", tuple(rates), rates[1] / rates[0])
    methods = {
        share: Method(trainings, task, {**fixed, "warmup_fraction": share}, (axis,))
        for share in WARMUPS
    }
    rows = []
    for rate in rates:
        ends = [own.at({"lr": rate}, "test", seeds) for own in methods.values()]
        rows.append([f"{rate:g}", *_beside_first(ends)])
    best = [own.tested(seeds) for own in methods.values()]
    found = ", ".join(f"{own.best()['lr']:g}" for own in methods.values())
    rows.append([f"tuned: {found}", *_beside_first(best)])
    heads = ["lr", "without"]
    for share in WARMUPS[1:]:
        heads += [f"more with {share:.0%}", "better"]
    metric = trainings.tasks[task].metric
    return table(f"{task}, {kind}, test {metric}", heads, rows)


def _beside_first(ends: Sequence[Sequence[float]]) -> list[str]:
    cells = [mean_cell(ends[0])]
    for own in ends[1:]:
        more = gaps(own, ends[0])
        cells += [gap_cell(more), verdict(more)]
    return cells


HALF_LIVES = (1 / 64, 1 / 16, 1 / 4)  # of the run


def ema(trainings: Trainings, seeds: Seeds) -> Iterator[str]:
    for task in present(trainings, "digits", "fashion", "text", "characters"):
        yield _averages(trainings, task, seeds)


def _averages(trainings: Trainings, task: str, seeds: Seeds) -> str:
    """What averages gain in the same runs, and beside a rate that falls."""
    own = trainings.tasks[task]
    is_adam = task in ("text", "characters")
    updates = 200 if task == "characters" else 300
    fixed = {
        "optimizer": "adamw" if is_adam else "sgd",
        "updates": updates,
        "half_lives": [share * updates * own.batch for share in HALF_LIVES],
    }
    axes = (ADAM_RATES if is_adam else RATES,)
    rows: list[list[str]] = []
    annealed: list[float] = []
    for schedule in ("cosine", "constant"):
        plain = Method(trainings, task, {**fixed, "schedule": schedule}, axes)
        best, ends = plain.best(), plain.tested(seeds)
        annealed = annealed or ends
        cells = [schedule, "weights", f"{best['lr']:g}", mean_cell(ends)]
        for place in range(len(HALF_LIVES)):
            averaged = Method(trainings, task, plain.params, axes, place)
            more = gaps(averaged.at(best, "test", seeds), ends)
            cells += [gap_cell(more), verdict(more)]
        rows.append([*cells, gap_cell(gaps(ends, annealed)), ""])
    rows.append(_tuned_average(trainings, task, plain, seeds, annealed))
    heads = ["schedule", "lr tuned for", "lr", f"test {own.metric}"]
    for share in HALF_LIVES:
        heads += [f"more, half-life 1/{round(1 / share)}", "better"]
    return table(task, [*heads, "more than cosine", "as good"], rows)


def _tuned_average(
    trainings: Trainings,
    task: str,
    plain: Method,
    seeds: Seeds,
    annealed: Sequence[float],
) -> list[str]:
    """A constant rate and a half-life that are best together, beside a cosine."""
    averaged = [
        Method(trainings, task, plain.params, plain.axes, place)
        for place in range(len(HALF_LIVES))
    ]
    place = min(
        range(len(averaged)), key=lambda own: min(averaged[own].grid()[1].values())
    )
    found = averaged[place]
    ends = found.tested(seeds)
    more = gaps(ends, annealed)
    said = verdict(more, margin=EQUAL * float(np.mean(annealed)))
    about = f"the average, 1/{round(1 / HALF_LIVES[place])}"
    cells = ["constant", about, f"{found.best()['lr']:g}", mean_cell(ends)]
    return [*cells, *[""] * (2 * len(HALF_LIVES)), gap_cell(more), said]


SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048)
TARGET = 0.2  # validation error: a linear model of the pixels has about that


def batch(trainings: Trainings, seeds: Seeds) -> Iterator[str]:
    for task in present(trainings, "wide"):
        for momentum in (0.9, 0.0):
            yield _batches(trainings, task, momentum, seeds)


def _batches(trainings: Trainings, task: str, momentum: float, seeds: Seeds) -> str:
    """Updates to the target at each size, its rate tuned, and what doubling saves."""
    rows: list[list[str]] = []
    before: list[float] = []
    for size in SIZES:
        # More than twice what scaling without loss from the smallest size would take.
        updates = 500 + 64_000 // size
        fixed = {"optimizer": "sgd", "momentum": momentum, "batch_size": size}
        guess = (1 - momentum) * 0.1 * min(size, 256) / 16
        guesses = tuple(float(f"{guess * factor:.3g}") for factor in (0.5, 1, 2))
        race = Race(
            trainings,
            task,
            {**fixed, "updates": updates},
            Axis("lr", guesses, 2.0),
            TARGET,
        )
        rate = race.best()
        own = race.logs(rate, seeds)
        steps = math.exp(float(np.mean(own)))
        saved = factor_cell(gaps(before, own)) if before else ""
        rows.append([str(size), f"{rate['lr']:g}", f"{steps:.0f}"])
        rows[-1] += [f"{steps * size:.0f}", saved]
        before = own
    heads = ["batch", "lr", "updates to the target", "examples", "saved by doubling"]
    return table(f"{task}, momentum {momentum:g}", heads, rows)


CLAIMS: Mapping[str, Claim] = {
    "one_cycle": Claim(
        "Smith & Topin (2018), Super-convergence: 20 epochs instead of 100, ImageNet",
        "One-cycle in 1/5 of the updates has at most 1.05 times the error of a "
        "constant rate and of step decay in full.",
        one_cycle,
    ),
    "adamw": Claim(
        "Loshchilov & Hutter (2019): errors 15 % lower, rate and decay less entangled",
        "The best cell of AdamW has less error than the best of Adam with L2, and "
        "tuning rate and decay one by one loses less on its grid.",
        adamw,
    ),
    "warmup": Claim(
        "Vaswani et al. (2017), Goyal et al. (2017), Gilmer et al. (2022)",
        "At rates of 10 times the usual one and more a warm-up lowers what is reached; "
        "with the rate tuned for each, it is lower with a warm-up.",
        warmup,
    ),
    "ema": Claim(
        "Polyak & Juditsky (1992), Izmailov et al. (2018), Sandler et al. (2023)",
        "An average has less error than the weights it is of while the rate is "
        "constant, no less after a cosine, and with a constant rate at most 1.05 "
        "times that of a cosine.",
        ema,
    ),
    "batch": Claim(
        "Goyal et al. (2017), Shallue et al. (2019)",
        "Doubling the batch halves the updates to a target at first, then saves less, "
        "then nothing; the best rate grows with the batch; momentum scales further.",
        batch,
    ),
    "sgdw": Claim(
        "Loshchilov & Hutter (2019): the same for SGD",
        "The best cell of SGDW has no more error than the best of SGD with L2, and "
        "tuning one by one loses less on its grid.",
        sgdw,
    ),
}


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CLAIMS))
    parser.add_argument("--data", type=Path, help="the folder of the data sets")
    parser.add_argument("--task", action="append", help="only these tasks")
    parser.add_argument("--seeds", default="0-4", help="FIRST-LAST")
    parser.add_argument("--results", type=Path, default=Path("claims.jsonl"))
    given = parser.parse_args(words)
    unknown = set(given.names) - set(CLAIMS)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; use {', '.join(CLAIMS)}")
    return given


def main(words: Sequence[str] | None = None) -> None:
    """Trains what is missing, and prints the tables."""
    given = _arguments(words)
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    tasks = claim_tasks(given.data)
    chosen = {name: tasks[name] for name in given.task or tasks if name in tasks}
    trainings = Trainings(chosen, given.results)
    for name in given.names or CLAIMS:
        claim = CLAIMS[name]
        print(f"## {name}\n\n{claim.source}\n\nExpected: {claim.expected}\n")
        for text in claim.tables(trainings, seeds):
            print(text, flush=True)
        print(f"{name}: {trainings.done} trainings so far", file=sys.stderr)


if __name__ == "__main__":
    main()
