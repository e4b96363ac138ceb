"""Methods beside each other: each with its rate tuned, on the same seeds, in a table.

Intervals are those of Student's t, 95 %, over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .claim_tasks import Params, Seeds, Trainings

TUNING = range(10**6, 10**6 + 2)  # seeds of a grid's cells, and of nothing else
WIDENED = 4  # how often a grid is made wider at most
CONFIDENCE = 0.95
Values = Sequence[float]
Score = Callable[[Params], float]


@dataclass(frozen=True)
class Axis:
    """Values of one hyperparameter in a grid; the grid grows by the factor."""

    name: str
    values: tuple[float, ...]
    factor: float


def tuned(score: Score, axes: Sequence[Axis]) -> tuple[Params, Mapping[Any, float]]:
    """The best cell of a grid that grows until it is not at an edge, and all scores."""
    values = {axis.name: list(axis.values) for axis in axes}
    scores: dict[tuple[float, ...], float] = {}
    for widened in range(WIDENED + 1):
        for cell in product(*values.values()):
            if cell not in scores:
                scores[cell] = score(dict(zip(values, cell, strict=True)))
        best = min(scores, key=lambda cell: scores[cell])
        beyond = [
            _beyond(axis, values[axis.name], best[place])
            for place, axis in enumerate(axes)
        ]
        if not any(beyond) or widened == WIDENED:
            break
        for axis, more in zip(axes, beyond, strict=True):
            values[axis.name] = sorted([*values[axis.name], *more])
    return dict(zip(values, best, strict=True)), scores


def _beyond(axis: Axis, values: Sequence[float], best: float) -> list[float]:
    """The next value past the edge at which the best one lies."""
    if best == values[0]:
        return [float(f"{best / axis.factor:.3g}")]
    return [float(f"{best * axis.factor:.3g}")] if best == values[-1] else []


@dataclass(frozen=True)
class Method:
    """A training of a task whose `axes` are tuned, the rest given."""

    trainings: Trainings
    task: str
    params: Params
    axes: tuple[Axis, ...]
    average: int | None = None  # which of the half-lives counts, None for the weights

    def grid(self) -> tuple[Params, Mapping[Any, float]]:
        """The best cell by validation on seeds of its own, and all cells."""
        return tuned(self._score, self.axes)

    def best(self) -> Params:
        return {**self.params, **self.grid()[0]}

    def tested(self, seeds: Seeds) -> list[float]:
        """What the best cell ends with on fresh seeds, on the test examples."""
        return self.at(self.best(), "test", seeds)

    def at(self, params: Params, part: str, seeds: Seeds) -> list[float]:
        """What trainings with these params end with."""
        return [self._value({**self.params, **params}, part, seed) for seed in seeds]

    def _score(self, cell: Params) -> float:
        return float(np.mean(self.at(cell, "val", TUNING)))

    def _value(self, params: Params, part: str, seed: int) -> float:
        record = self.trainings.ended(self.task, params, seed)
        own = record if self.average is None else record["averages"][self.average]
        return float(own[f"{part}_{self.trainings.tasks[self.task].metric}"])


@dataclass(frozen=True)
class Race:
    """How many updates a training takes to the target, its rate tuned for that."""

    trainings: Trainings
    task: str
    params: Params
    axis: Axis
    target: float

    def best(self) -> Params:
        def score(cell: Params) -> float:
            return float(np.mean(self.logs(cell, TUNING)))

        return tuned(score, [self.axis])[0]

    def logs(self, cell: Params, seeds: Seeds) -> list[float]:
        """The logarithms of the updates; never there counts as one more than all."""
        asked = {**self.params, **cell}
        found = [
            self.trainings.reached(self.task, asked, seed, self.target)["reached"]
            for seed in seeds
        ]
        return [math.log(own or asked["updates"] + 1) for own in found]


def one_by_one(scores: Mapping[Any, float]) -> float:
    """What is lost on a grid by tuning the rate first and the decay afterward.

    The mean over the decays from which one may begin; 0 where the two are independent.
    """
    rates = {rate for rate, _ in scores}
    decays = {decay for _, decay in scores}
    ends = []
    for begun in decays:
        rate = min(rates, key=lambda own: scores[own, begun])
        ends.append(min(scores[rate, decay] for decay in decays))
    return float(np.mean(ends)) - min(scores.values())


def interval(values: Values) -> tuple[float, float]:
    """The mean and half the width of its interval, infinite for a single value."""
    own: NDArray[np.float64] = np.asarray(values, float)
    if len(own) < 2:
        return float(own.mean()), math.inf
    from scipy.stats import t

    quantile = float(t.ppf((1 + CONFIDENCE) / 2, len(own) - 1))
    return float(own.mean()), quantile * float(own.std(ddof=1)) / math.sqrt(len(own))


def gaps(values: Values, others: Values) -> list[float]:
    """What each seed has more than in the other method, seed by seed."""
    return [a - b for a, b in zip(values, others, strict=True)]


def verdict(values: Values, *, margin: float = 0.0) -> str:
    """Whether differences that should be below the margin are.

    `holds` and `does not hold` need the whole interval on one side of it.
    """
    mean, half = interval(values)
    if mean + half < margin:
        return "holds"
    return "does not hold" if mean - half > margin else "open"


def mean_cell(values: Values, *, places: int = 4) -> str:
    mean, half = interval(values)
    return f"{mean:.{places}f} ± {half:.{places}f}"


def gap_cell(values: Values, *, places: int = 4) -> str:
    mean, half = interval(values)
    return f"{mean:+.{places}f} ± {half:.{places}f}"


def factor_cell(logs: Values) -> str:
    """The geometric mean of ratios, from their logarithms, and its interval."""
    mean, half = interval(logs)
    low, high = math.exp(mean - half), math.exp(min(mean + half, 700.0))
    return f"{math.exp(mean):.2f} ({low:.2f} to {high:.2f})"


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown under its title."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join([title, "", *(f"| {' | '.join(row)} |" for row in lines), ""])
