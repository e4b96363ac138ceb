"""What is compared: tasks, the settings under which they run, and who takes part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .surfaces import TRAINING, conditional, diverging, moved, optimum, smooth
from .task import Task, after, believing, digits, from_folder, place, value_at

INSTANCES = range(3)  # of each generated family
PARALLEL = 8
# Decades between the optimum and what diverges: right below it, and far.
MARGINS: Mapping[str, float] = {"edge": 0.2, "near": 0.5, "far": 1.0}
SCARCE = 5 / 6  # of the space diverges
# How far a belief's center lies from the optimum, as a share of the range.
NEAR, FAR = 0.1, 0.5
CONFIDENCE = 0.5  # the default of a belief
EARLIER = 50  # random trials of an earlier study
PAIRS = 3  # tasks of `dev_core` that learn from one another; of `dev_in` all do
LONG, SHORT = (10, 25, 50, 100), (10, 25, 50)  # trials after which regret is taken


@dataclass(frozen=True)
class Setting:
    """One condition under which every method runs."""

    name: str
    task: Task
    slots: int = 1


@dataclass(frozen=True)
class Comparison:
    """Settings, the trials after which they are looked at, and the peers.

    A run has as many trials as the last mark.
    """

    settings: Sequence[Setting]
    marks: Sequence[int]
    peers: Sequence[str]


def comparisons(bench: Path | None = None) -> dict[str, Comparison]:
    """All of them by name; with a benchmark folder, `parallel` has its tasks too."""
    return {
        "parallel": Comparison(
            list(_slots(bench)), LONG, ("optuna_tpe", "smac", "optuna_gp")
        ),
        "diverging": Comparison(
            [Setting("", diverging(*margin)) for margin in MARGINS.items()],
            LONG,
            ("optuna_tpe", "optuna_tpe_1e6"),
        ),
        "scarce": Comparison(
            [
                Setting("", diverging(f"scarce {name}", margin, share=SCARCE))
                for name, margin in MARGINS.items()
            ],
            SHORT,
            ("optuna_tpe", "optuna_tpe_1e6"),
        ),
        "conditional": Comparison(
            [Setting("", conditional(instance)) for instance in INSTANCES],
            SHORT,
            ("optuna_tpe_group", "smac"),
        ),
        "digits": Comparison(
            [Setting("", digits())], SHORT, ("optuna_tpe_group", "smac")
        ),
        "beliefs": Comparison(list(_believed()), LONG, ("optuna_tpe",)),
        "transfer": Comparison(list(_transferred(bench)), SHORT, ()),
    }


def _slots(bench: Path | None) -> Iterator[Setting]:
    tasks = [smooth(instance) for instance in INSTANCES]
    for task in tasks + (from_folder(bench, "dev") if bench else []):
        for slots in (1, PARALLEL):
            yield Setting(f"{slots} at a time", task, slots)


def _believed() -> Iterator[Setting]:
    for instance in INSTANCES:
        task = smooth(instance)
        wrong = centers_of(instance, FAR)
        yield Setting("none", task)
        yield Setting("good", believing(task, centers_of(instance, NEAR), CONFIDENCE))
        yield Setting("wrong lr", believing(task, {"lr": wrong["lr"]}, CONFIDENCE))
        yield Setting("wrong", believing(task, wrong, CONFIDENCE))


def _transferred(bench: Path | None) -> Iterator[Setting]:
    for instance in INSTANCES:
        task = smooth(instance)
        near, far = (centers_of(instance, distance) for distance in (NEAR, FAR))
        yield Setting("none", task)
        yield Setting("near", after(task, moved(instance, near), EARLIER))
        changed = moved(instance, near, changed=True)
        yield Setting("changed space", after(task, changed, EARLIER))
        yield Setting("opposite", after(task, moved(instance, far), EARLIER))
    core, inner = (
        from_folder(bench, names) if bench else [] for names in ("dev_core", "dev_in")
    )
    recorded = [task for task in core if task.family == "lcbench"][:PAIRS]
    for tasks in (recorded, inner):
        for number, task in enumerate(tasks):
            yield Setting("none", task)
            yield Setting("another set", after(task, tasks[number - 1], EARLIER))


def centers_of(instance: int, distance: float) -> dict[str, Any]:
    """Values that are so far from the optimum of `smooth(instance)`, all of them."""
    best = optimum(instance)
    return {
        one["name"]: value_at(one, _away(place(one, best[one["name"]]), distance))
        for one in TRAINING
    }


def _away(u: float, distance: float) -> float:
    """The place at that distance, towards the side where there is more room."""
    return min(max(u + (distance if u < 0.5 else -distance), 0.0), 1.0)
