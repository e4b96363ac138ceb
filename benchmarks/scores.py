"""Regret, rank and share of infeasible trials, from the records of runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]
Record = Mapping[str, Any]
Row = tuple[str, str]  # a method and its setting
# The regrets of a record at the marks, from (best, median) of its task.
Score = Callable[[Any, tuple[float, float], Sequence[Any]], list[float]]
EARLY = 30  # trials after which a method may be expected to know what diverges
RESAMPLES = 2000
COVERED = (0.025, 0.975)  # a 95 % interval


@dataclass(frozen=True)
class Scores:
    """What `rows` reached in the cells (task, seed) that all of them finished.

    `regrets` and `ranks` are (task, seed, row, mark), `infeasible` (task, seed, row).
    """

    rows: Sequence[Row]
    marks: Sequence[float]
    tasks: Sequence[str]
    regrets: Array
    ranks: Array
    infeasible: Array


def scores(
    records: Sequence[Record], marks: Sequence[float], score: Score | None = None
) -> Scores | None:
    """The scores of one comparison, None where no cell is complete."""
    scored: Score = score or regret
    references = _references(records)
    found = {
        (one["task"], one["seed"], (one["method"], one["setting"])): one
        for one in records
    }
    rows = sorted({row for _, _, row in found})
    seeds = defaultdict(list)
    for task, seed in sorted({(task, seed) for task, seed, _ in found}):
        if all((task, seed, row) in found for row in rows):
            seeds[task].append(seed)
    if not seeds:
        return None
    least = min(map(len, seeds.values()))
    cells = [
        [[found[task, seed, row] for row in rows] for seed in own[:least]]
        for task, own in seeds.items()
    ]
    regrets = np.array(
        [
            [
                [scored(one, references[one["task"]], marks) for one in row]
                for row in own
            ]
            for own in cells
        ]
    )
    ranks = rankdata(regrets, axis=2)
    infeasible = [
        [[infeasible_late(one) for one in row] for row in own] for own in cells
    ]
    return Scores(rows, marks, list(seeds), regrets, ranks, np.array(infeasible))


def regret(
    record: Record, reference: tuple[float, float], marks: Sequence[int]
) -> list[float]:
    """(true loss of what was seen as best - best) / (median - best) at each mark.

    `reference` is (best, median). Without a finite loss so far it is 1, as if the
    median params had been found.
    """
    best, median = reference
    seen, true = (_floats(record[name]) for name in ("seen", "true"))
    found = []
    for mark in marks:
        until = np.where(np.isnan(seen[:mark]), np.inf, seen[:mark])
        chosen = int(np.argmin(until))
        share = (true[chosen] - best) / (median - best)
        found.append(max(float(share), 0.0) if np.isfinite(until[chosen]) else 1.0)
    return found


def infeasible_late(record: Record) -> float:
    """The share of trials without a finite loss among those after the first 30."""
    late = np.array(record["numbers"]) >= EARLY
    return (
        float(np.mean(np.isnan(_floats(record["seen"]))[late])) if late.any() else 0.0
    )


def interval(values: Array) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of `values` (task, seed).

    Tasks are drawn again, and seeds within each of them.
    """
    return interval_of(lambda mean: mean, values)


def interval_of(function: Callable[..., Array], *values: Array) -> tuple[float, float]:
    """The same of a function of the means of several `values`, drawn together."""
    rng = np.random.default_rng(0)
    tasks, seeds = values[0].shape
    task = rng.integers(0, tasks, (RESAMPLES, tasks, 1))
    seed = rng.integers(0, seeds, (RESAMPLES, tasks, seeds))
    means = [own[task, seed].mean((1, 2)) for own in values]
    low, high = np.quantile(function(*means), COVERED)
    return float(low), float(high)


def text(title: str, own: Scores) -> str:
    """The scores as a table in Markdown, the best last rank first."""
    last = own.marks[-1]
    heads = [f"regret at {mark}" for mark in own.marks]
    heads = ["method", *heads, "95 %", f"rank at {last}", "95 %"]
    if own.infeasible.any():
        heads.append(f"infeasible after {EARLY}")
    seeds = own.regrets.shape[1]
    lines = [
        f"{title} ({', '.join(own.tasks)}; {seeds} seed{'s' * (seeds > 1)})",
        "",
        f"| {' | '.join(heads)} |",
        "| " + " | ".join(["---"] * len(heads)) + " |",
    ]
    for row in np.argsort(own.ranks[:, :, :, -1].mean((0, 1))):
        name = ", ".join(filter(None, own.rows[row]))
        lines.append(f"| {' | '.join([name, *_cells(own, int(row))])} |")
    return "\n".join(lines)


def _cells(own: Scores, row: int) -> list[str]:
    regrets, ranks = own.regrets[:, :, row], own.ranks[:, :, row, -1]
    cells = [f"{mean:.3f}" for mean in regrets.mean((0, 1))]
    cells += ["{:.3f} to {:.3f}".format(*interval(regrets[:, :, -1]))]
    cells += [f"{ranks.mean():.1f}", "{:.1f} to {:.1f}".format(*interval(ranks))]
    if own.infeasible.any():
        cells.append(f"{100 * own.infeasible[:, :, row].mean():.0f} %")
    return cells


def _references(records: Sequence[Record]) -> dict[str, tuple[float, float]]:
    """The best and the median loss by task.

    Where a task does not know them, they are the lowest loss of all runs and the median
    of all first ten trials, in which most methods draw at random.
    """
    by_task = defaultdict(list)
    for one in records:
        by_task[one["task"]].append(one)
    return {task: _reference(own) for task, own in by_task.items()}


def _reference(records: Sequence[Record]) -> tuple[float, float]:
    best, median = records[0]["best"], records[0]["median"]
    if best is not None and median is not None:
        return best, median
    true = [_floats(one["true"]) for one in records]
    first = np.concatenate([own[:10] for own in true])
    return float(np.nanmin(np.concatenate(true))), float(np.nanmedian(first))


def _floats(values: Sequence[float | None]) -> Array:
    return np.array(values, np.float64)
