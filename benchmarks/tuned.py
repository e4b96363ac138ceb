"""Whole tunings: `danlu tune` beside Optuna's TPE with its median pruner.

python -m benchmarks.tuned --data FOLDER --seeds 0-9
python -m benchmarks.tuned --only digits --side danlu --seeds 0-4

Both sides may train the same number of steps, those of `--trainings` full trainings:
what danlu spends on confirmation is part of it. What each ends with is trained again on
the same five fresh seeds: the mean of the validation error (best over the steps, as
both sides choose it) and of the test error of the same weights. Each run is one line of
`--results`; runs that are there are not done again. The table goes to stdout.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import danlu
from danlu.measured import Preflight

from .asks import THREADS
from .workloads import Params, Workload, workloads

RETRAINED = 5  # fresh seeds of what each side ends with
FRESH = 10**6  # where the fresh seeds begin: no search uses them
KEY = ("workload", "side", "seed", "trainings", "epochs")
Record = dict[str, Any]


def by_danlu(
    workload: Workload, seed: int, epochs: int, preflight: Preflight | None = None
) -> tuple[Params, int]:
    """The params that `danlu.tune` adopts, and the epochs that it trained."""
    from danlu.autopilot import tune
    from danlu.budget import Budget

    trained = 0

    def train(trial: danlu.client.LiveTrial) -> None:
        nonlocal trained

        def report(epoch: int, measured: Mapping[str, float]) -> bool:
            nonlocal trained
            trained += 1
            return trial.report(epoch, **measured)

        workload.train(dict(trial.params), trial.seed, report)

    study = danlu.Study(
        workload.name,
        "Which params train best?",
        "val_error",
        workload.space,
        trials=1,
        max_steps=workload.epochs,
        seed=seed,
    )
    with danlu.open(":memory:") as project:

        def run(own: danlu.Study) -> danlu.History:
            return project.run(own, danlu.executors.Inline(train))

        budget = Budget(epochs / workload.epochs)
        decision = tune(project, study, run, budget, preflight=preflight).decision
    assert decision is not None
    assert decision.params is not None
    return decision.params, trained


def by_optuna(workload: Workload, seed: int, epochs: int) -> tuple[Params, int]:
    """The best params of TPE with the median pruner, and the epochs that it trained."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trained = 0

    def objective(trial: optuna.Trial) -> float:
        errors: list[float] = []

        def report(epoch: int, measured: Mapping[str, float]) -> bool:
            nonlocal trained
            trained += 1
            errors.append(measured["val_error"])
            trial.report(errors[-1], epoch)
            return not trial.should_prune() and trained < epochs

        params = {name: _asked(trial, name, own) for name, own in space.items()}
        workload.train(params, seed * 1000 + trial.number, report)
        if len(errors) < workload.epochs:
            raise optuna.TrialPruned
        return float(np.nanmin(errors))

    space = workload.space
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(),
    )
    while trained < epochs:
        study.optimize(objective, n_trials=1, catch=(ValueError,))
    return study.best_params, trained


def _asked(trial: Any, name: str, domain: danlu.Domain) -> Any:
    if isinstance(domain, danlu.Int):
        return trial.suggest_int(name, domain.low, domain.high, log=domain.log)
    assert isinstance(domain, danlu.Float)
    return trial.suggest_float(name, domain.low, domain.high, log=domain.log)


SIDES: Mapping[str, Callable[[Workload, int, int], tuple[Params, int]]] = {
    "danlu": by_danlu,
    "optuna": by_optuna,
}


def one(workload: Workload, side: str, seed: int, trainings: int) -> Record:
    """One tuning, and what its params lead to on fresh seeds."""
    before_s = time.process_time()
    epochs = trainings * workload.epochs
    params, trained = SIDES[side](workload, seed, epochs)
    searched_s = time.process_time() - before_s
    ends = [retrained(workload, params, FRESH + own) for own in range(RETRAINED)]
    return {
        **keyed(workload, side, seed, trainings),
        "params": dict(params),
        "trained": trained,
        "val_error": [val for val, _ in ends],
        "test_error": [test for _, test in ends],
        "cpu_s": round(searched_s, 1),
    }


def keyed(workload: Workload, side: str, seed: int, trainings: int) -> Record:
    """What tells a tuning from the others."""
    told = (workload.name, side, seed, trainings, workload.epochs)
    return dict(zip(KEY, told, strict=True))


def retrained(workload: Workload, params: Params, seed: int) -> tuple[float, float]:
    """The lowest validation error over the epochs, and the test error there."""
    errors: list[tuple[float, float]] = []

    def report(epoch: int, measured: Mapping[str, float]) -> bool:
        errors.append((measured["val_error"], measured["test_error"]))
        return True

    workload.train(params, seed, report)
    return min(own for own in errors if math.isfinite(own[0]))


def table(records: Sequence[Record], sides: Sequence[str] = tuple(SIDES)) -> str:
    """The mean of two sides, and of the differences of tunings with the same seed."""
    heads = ["workload", "error", "tunings", *sides, " - ".join(sides), "better in"]
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for name in dict.fromkeys(one["workload"] for one in records):
        for error in ("val_error", "test_error"):
            means = {
                side: {
                    one["seed"]: float(np.mean(one[error]))
                    for one in records
                    if (one["workload"], one["side"]) == (name, side)
                }
                for side in sides
            }
            both = sorted(set.intersection(*map(set, means.values())))
            if both:
                lines.append(_line(name, error, means, both))
    return "\n".join(lines)


def _line(
    name: str,
    error: str,
    means: Mapping[str, Mapping[int, float]],
    seeds: Sequence[int],
) -> str:
    ours, others = means.values()
    gaps = np.array([ours[own] - others[own] for own in seeds])
    spread = gaps.std(ddof=1) / math.sqrt(len(gaps)) if len(gaps) > 1 else math.nan
    sides = [f"{np.mean([own[s] for s in seeds]):.4f}" for own in means.values()]
    cells = [name, error, str(len(seeds)), *sides]
    cells += [f"{gaps.mean():+.4f} ± {spread:.4f}", f"{int((gaps < 0).sum())}"]
    return "| " + " | ".join(cells) + " |"


def read(results: Path) -> list[Record]:
    """The records of the file; a line that was cut off is left out."""
    if not results.exists():
        return []
    lines = results.read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def main(words: Sequence[str] | None = None) -> None:
    """Does what is left to do, and prints the table."""
    go_on(words, __doc__, tuple(SIDES), one)


def go_on(
    words: Sequence[str] | None,
    says: str | None,
    names: Sequence[str],
    tuned: Callable[[Workload, str, int, int], Record],
) -> None:
    """Tunes each workload on each side; a table sets the first beside each other."""
    arguments = _arguments(words, says, names)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    trainings = arguments.trainings
    found = {
        name: replace(own, epochs=own.epochs * arguments.longer)
        for name, own in workloads(arguments.data).items()
    }
    sides = [arguments.side] if arguments.side else names
    first, _, last = arguments.seeds.partition("-")
    done = [{key: own[key] for key in KEY} for own in read(arguments.results)]
    cases = (
        (name, side, seed)
        for seed in range(int(first), int(last or first) + 1)
        for name in arguments.only or found
        for side in sides
    )
    with arguments.results.open("a", encoding="utf-8") as file:
        for name, side, seed in cases:
            if keyed(found[name], side, seed, trainings) in done:
                continue
            record = tuned(found[name], side, seed, trainings)
            # The line's end comes first: the last line may be cut off.
            file.write("\n" + json.dumps(record))
            file.flush()
            print(name, side, seed, f"{record['cpu_s']} s", file=sys.stderr)
    asked = {(name, own.epochs) for name, own in found.items()}
    same = [
        own
        for own in read(arguments.results)
        if own["trainings"] == trainings and (own["workload"], own["epochs"]) in asked
    ]
    first, *others = names
    print(*(table(same, (first, own)) for own in others), sep="\n\n")


def _arguments(
    words: Sequence[str] | None, says: str | None, sides: Sequence[str]
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=says, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="fashion_mnist and clinc150 in it")
    parser.add_argument("--only", action="append", help="only these workloads")
    parser.add_argument("--side", choices=sides, help="only this side")
    parser.add_argument("--seeds", default="0-9", help="FIRST-LAST")
    parser.add_argument("--trainings", type=int, default=50, help="that a side may do")
    parser.add_argument(
        "--longer", type=int, default=1, help="trainings of so many times the epochs"
    )
    parser.add_argument("--results", type=Path, default=Path("tunings.jsonl"))
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
