"""What each scheduler costs a report and a free slot, in CPU time of one thread.

python -m benchmarks.decisions --trials 1000 --reports 100

A study of that many trials is half of the way through: trials were paused at the rungs
of `asha`, the more the earlier, and every tenth has ended. What is timed is what the
loop asks of a scheduler: `judge` after each report of trials that go on to the end, and
`next` for a free slot after a report has come in, when no new trials are left to start.
The sampler is not asked. Of populations `next` is timed as the last trials are begun.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from danlu import Curve, Float, History, Metric, SearchSpace, State, Trial, recipes
from danlu.ledger import Ledger
from danlu.schedulers import AsyncPbt, Patience, Pb2, Pbt, Scheduler, Threshold
from danlu.space import Array

from .asks import THREADS
from .populations import decided

POPULATIONS: Mapping[str, Pbt | AsyncPbt | Pb2] = {
    "pbt": Pbt(),
    "async_pbt": AsyncPbt(),
    "pb2": Pb2(),
}
NAMES = (
    "median",
    "percentile",
    "patience",
    "threshold",
    "asha_stop",
    "curve_stop",
    "asha",
    "successive_halving",
    "hyperband",
    "async_hyperband",
    "freeze_thaw",
    *POPULATIONS,
)
JUDGED = 5  # trials whose reports are timed
ASKED = 50  # free slots
_METRIC = Metric("loss")
_SPACE = SearchSpace({"x": Float(0, 1)})


@dataclass(frozen=True)
class Costs:
    """CPU milliseconds of each call of `judge` and of `next`."""

    judged: Sequence[float]
    asked: Sequence[float]


def costs_ms(name: str, trials: int, reports: int) -> Costs:
    """What a scheduler costs in a study of so many trials."""
    scheduler, history = _scheduler(name, reports), _history(trials, reports)
    judged = list(_judged(scheduler, history, reports))
    if name not in POPULATIONS:
        return Costs(judged, list(_asked(scheduler, history, reports)))
    return Costs(judged, list(_members(name, trials, reports)))


def _members(name: str, trials: int, reports: int) -> Iterator[float]:
    """Each `next` of a population whose trials make about so many reports each.

    A fifth of its members, or a quarter, is replaced after each interval.
    """
    interval = max(1, reports // 5)
    found = replace(POPULATIONS[name], interval=interval)
    grown_by = Pbt(found.population, interval, found.share)
    if isinstance(found, AsyncPbt):  # its notes are others
        return decided(found, found, trials, trials * reports)
    return decided(found, grown_by, trials, trials * reports)


def _scheduler(name: str, reports: int) -> Scheduler:
    if name == "patience":
        return Patience(steps=max(1, reports // 10))
    if name == "threshold":
        return Threshold(step=max(1, reports // 2), value=2.0)
    return recipes.scheduler(name)


def _history(trials: int, reports: int) -> History:
    rng = np.random.default_rng(0)
    budgets = [*recipes.scheduler("asha").rungs(_empty(reports))]
    ledger = Ledger()
    for number in range(trials):
        place = len(budgets) - 1 if number % 10 == 0 else rng.geometric(0.6) - 1
        budget = budgets[min(place, len(budgets) - 1)]
        state = State.COMPLETED if budget == reports else State.PAUSED
        curve = Curve(np.arange(1, budget + 1), _losses(rng, reports)[:budget])
        note = {"round": number // 50, "bracket": number % 3}
        ledger.keep(
            Trial(
                number,
                {"x": 0.5},
                state,
                index=number,
                budget=budget,
                curves={"loss": curve},
                scheduler_note=note,
            )
        )
    return replace(_empty(reports), trials=ledger)


def _empty(reports: int) -> History:
    return History(_SPACE, _METRIC, (), max_steps=reports)


def _losses(rng: np.random.Generator, reports: int) -> Array:
    steps = np.arange(1.0, reports + 1.0)
    decay = rng.uniform(0.2, 1.0) * steps ** -rng.uniform(0.3, 1.5)
    return np.asarray(rng.uniform(0.1, 0.5) + decay + 0.01 * rng.random(reports))


def _judged(scheduler: Scheduler, history: History, reports: int) -> Iterator[float]:
    """Of each report; the first trial warms up and does not count."""
    ledger, rng = history.trials, np.random.default_rng(1)
    assert isinstance(ledger, Ledger)
    for turn in range(JUDGED + 1):
        losses, trial = _losses(rng, reports), Trial(len(ledger), {"x": 0.5})
        for step in range(1, reports + 1):
            curve = Curve(np.arange(1, step + 1), losses[:step])
            trial = trial.with_curves({"loss": curve})
            ledger.keep(trial)
            began_s = time.process_time()
            scheduler.judge(trial, history)
            if turn:
                yield 1e3 * (time.process_time() - began_s)
        ledger.keep(replace(trial, state=State.COMPLETED))


def _asked(scheduler: Scheduler, history: History, reports: int) -> Iterator[float]:
    """Each after a report of a running trial; the first one warms up."""
    history = replace(history, planned=len(history.trials))
    ledger, rng = history.trials, np.random.default_rng(2)
    assert isinstance(ledger, Ledger)
    trial, losses = Trial(len(ledger), {"x": 0.5}), _losses(rng, reports)
    for turn in range(ASKED + 1):
        step = min(turn + 1, reports)
        curve = Curve(np.arange(1, step + 1), losses[:step])
        ledger.keep(trial.with_curves({"loss": curve}))
        began_s = time.process_time()
        scheduler.next(history, rng)
        if turn:
            yield 1e3 * (time.process_time() - began_s)


def table(rows: Mapping[str, Costs]) -> str:
    """The costs as a table in Markdown."""
    lines = [
        "| scheduler | `judge`, ms | at most | `next`, ms | at most |",
        "|---|---|---|---|---|",
    ]
    for name, own in rows.items():
        judged = f"{np.mean(own.judged):.3f} | {max(own.judged):.2f}"
        asked = f"{np.mean(own.asked):.2f} | {max(own.asked):.2f}"
        lines.append(f"| `{name}` | {judged} | {asked} |")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description="What each scheduler costs a report.")
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--reports", type=int, default=100)
    parser.add_argument("--only", choices=NAMES, action="append")
    own = parser.parse_args(words)
    names = own.only or NAMES
    print(table({name: costs_ms(name, own.trials, own.reports) for name in names}))


if __name__ == "__main__":
    os.environ.update(dict.fromkeys(THREADS, "1"))
    main()
