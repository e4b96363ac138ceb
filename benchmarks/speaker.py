"""A method in a process of its own, behind the line protocol, and one run of it."""

from __future__ import annotations

import heapq
import json
import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from .task import Task

ROOT = Path(__file__).parent.parent
# Of the logarithm of a training's duration: two thirds of them lie within a factor of
# 2.7, as where widths and depths are tuned.
DURATION_SD = 0.5

Record = dict[str, Any]


class Speaker:
    """A process that answers each JSON line with one."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )

    def say(self, verb: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """What it answers to one message."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({verb: said}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"no answer to {verb!r}: run {' '.join(self._command)} to see why"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def command(method: str, peer_python: str, smac_python: str) -> list[str]:
    """How the process of a method is started; a method of danlu is a sampler's name."""
    name, _, own = method.partition("_")
    if name == "optuna":
        return [peer_python, "-m", "benchmarks.optuna_protocol", own]
    if method == "smac":
        return [smac_python, "-m", "benchmarks.smac_protocol"]
    return [sys.executable, "-m", "benchmarks.protocol", "--sampler", method]


@dataclass(frozen=True)
class Course:
    """How many trials a run has, how many at a time, and its seed."""

    trials: int
    slots: int
    seed: int


def run(speaker: Speaker, task: Task, course: Course) -> Record:
    """The losses in the order in which the trials ended.

    The next trial is asked for when one of those that run ends. How long the k-th
    trial takes is drawn from the seed, the same for all methods.
    """
    init = {"space": task.space, "seed": course.seed, "max_trials": course.trials}
    if task.earlier:
        init["earlier"] = task.earlier
    speaker.say("init", {**init, "max_fidelity": 1, "direction": "minimize"})
    rng = np.random.default_rng(course.seed)
    durations = rng.lognormal(0, DURATION_SD, course.trials)
    running: list[tuple[float, int, Any, float, float]] = []
    ended: list[tuple[int, float, float]] = []
    clock, asked = 0.0, 0
    while len(ended) < course.trials:
        while len(running) < course.slots and asked < course.trials:
            answer = speaker.say("ask", {})
            seen, true = task.train(answer["config"], course.seed)
            ends = clock + durations[asked]
            heapq.heappush(running, (ends, asked, answer["id"], seen, true))
            asked += 1
        clock, number, own_id, seen, true = heapq.heappop(running)
        told = {"id": own_id, "fidelity": 1, "value": _json(seen), "curve": None}
        speaker.say("tell", {**told, "cost": 1.0})
        ended.append((number, seen, true))
    return {
        "numbers": [number for number, _, _ in ended],
        "seen": [_json(seen) for _, seen, _ in ended],
        "true": [_json(true) for _, _, true in ended],
    }


def _json(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None
