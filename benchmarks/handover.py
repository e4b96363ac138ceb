"""What exploitation finds after exploration, as `danlu next` proposes it and otherwise.

python -m benchmarks.handover --bench FOLDER --tasks dev --seeds 0-3

40 quasi-random trials explore a task. Then 20 more are spent in one of four ways: on
more quasi-random points; by `auto` in the whole space, learning from the exploration;
by `auto` in the region of the best that `danlu next` proposes, learning from it too; in
that region without learning. What counts is the normalized regret of the best of all 60
by what was seen of them, judged by its true loss. The generated tasks of
`benchmarks.surfaces` are there too (`--tasks generated`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import danlu
from danlu.propose.plans import Aim
from danlu.propose.proposals import propose

from .protocol import domains
from .surfaces import conditional, smooth
from .task import Task, from_folder

EXPLORED, MORE = 40, 20
INSTANCES = range(4)  # of each family that is generated
WAYS = ("explored", "more points", "whole space", "region", "region, not learning")

Seen = list[tuple[float, float]]  # what the optimizer saw, and the truth


def regrets(task: Task, seed: int) -> Mapping[str, float]:
    """The regret after each of `WAYS`."""
    begun = danlu.Study(
        name="explore",
        goal="Where is the best?",
        metric="loss",
        space=domains(task.space),
        sampler="quasi_random",
        trials=EXPLORED,
        max_steps=1,
        seed=seed,
    )
    with danlu.open(":memory:") as project:
        seen = trained(project, begun, task, seed)
        proposals = propose(begun, project.history(begun), [])
        region = next(own.study for own in proposals if own.aim is Aim.NARROW)
        region = replace(region, trials=MORE, baseline=None)
        later = replace(begun, name="more points", trials=MORE, seed=seed + 1)
        ways = [
            later,
            replace(later, name=WAYS[2], sampler="auto", learn_from=("explore",)),
            replace(region, name=WAYS[3]),
            replace(region, name=WAYS[4], learn_from=()),
        ]
        found = [[*seen, *trained(project, own, task, seed)] for own in ways]
    return {
        way: regret(task, own) for way, own in zip(WAYS, [seen, *found], strict=True)
    }


def trained(project: danlu.Project, study: danlu.Study, task: Task, seed: int) -> Seen:
    """What the trials of a study came to."""
    seen: Seen = []
    while trial := project.ask(study):
        loss, truth = task.train(trial.params, seed)
        seen.append((loss, truth))
        project.report(study, trial, 1, loss=loss)
        project.tell(study, trial)
    return seen


def regret(task: Task, seen: Seen) -> float:
    """0 for the best there is, 1 for random params."""
    finite = [own for own in seen if np.isfinite(own[0])]
    truth = min(finite)[1]
    if task.best is None or task.median is None:
        raise ValueError(f"{task.name}: nobody knows the best")
    return max(0.0, (truth - task.best) / (task.median - task.best))


def main() -> None:
    arguments = _arguments()
    tasks = _tasks(arguments)
    rows: list[Mapping[str, float]] = []
    families: list[str] = []
    for task in tasks:
        for seed in arguments.seeds:
            rows.append(regrets(task, seed))
            families.append(task.family)
        print(task.name, file=sys.stderr)
    print(f"{'':<22}" + "".join(f"{way:>22}" for way in WAYS))
    for family in [*dict.fromkeys(families), "all"]:
        own = [r for r, f in zip(rows, families, strict=True) if family in (f, "all")]
        means = [float(np.mean([row[way] for row in own])) for way in WAYS]
        print(f"{family:<16}{len(own):>6}" + "".join(f"{m:>22.3f}" for m in means))
    for way in (*WAYS[1:3], WAYS[4]):
        away = np.array([row["region"] - row[way] for row in rows])
        error = away.std(ddof=1) / len(away) ** 0.5
        print(f"region - {way}: {away.mean():+.3f} (standard error {error:.3f})")


def _tasks(arguments: argparse.Namespace) -> Sequence[Task]:
    if arguments.tasks == "generated":
        return [*map(smooth, INSTANCES), *map(conditional, INSTANCES)]
    return from_folder(arguments.bench, arguments.tasks)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", type=Path, default=Path())
    parser.add_argument("--tasks", default="generated")
    parser.add_argument("--seeds", type=_seeds, default=range(4))
    return parser.parse_args()


def _seeds(text: str) -> Sequence[int]:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    import logging

    logging.getLogger("danlu").setLevel(logging.ERROR)
    main()
