"""What both sides of a comparison share: the trial, and how a process is measured.

Standard library only, since the peer's Python imports it too.
"""

from __future__ import annotations

import json
import math
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

REPORTS = 10  # of a trial
REPORT_S = 0.05  # between them, where a trial is to last a while
MORE_IS_BETTER = "trials/s"
SIDES = {"danlu": "danlu_side.py", "optuna": "optuna_side.py"}

# The space in which samplers are asked: name to the bounds of a real number on a log
# scale or of a whole number, or to options.
RATES = {f"rate_{place}": (1e-5, 1.0) for place in range(6)}
COUNTS = {"layers": (1, 8), "width": (1, 1000)}
OPTIONS = {"optimizer": ("adam", "sgd", "rmsprop"), "activation": ("relu", "tanh")}
# The sampler that goes on from the trials that it suggested, and makes nothing of
# others: the known ones are asked for one by one. All other samplers are told them.
ITS_OWN_TRIALS = "cma_es"

Row = dict[str, Any]


def loss(step: int, number: int) -> float:
    """A curve below those of all earlier trials, so that no trial is stopped early."""
    return 1 / step - number


def valley(params: Mapping[str, Any]) -> float:
    """A loss over `RATES`, `COUNTS` and `OPTIONS` for which every param matters."""
    rates = (math.log10(params[name]) / 5 + 0.5 for name in RATES)
    counts = (params[name] / high - 0.4 for name, (_, high) in COUNTS.items())
    others = sum(params[name] != first for name, (first, *_) in OPTIONS.items())
    return float(sum(x * x for x in (*rates, *counts)) + 0.1 * others)


def spread(number: int) -> dict[str, Any]:
    """The params of the known trial `number`: random, and the same on both sides."""
    rng = random.Random(number)
    return {
        **{name: 10 ** rng.uniform(-5, 0) for name in RATES},
        **{name: rng.randint(*bounds) for name, bounds in COUNTS.items()},
        **{name: rng.choice(options) for name, options in OPTIONS.items()},
    }


def per_ask_ms(ask_and_tell: Callable[[], Any], most: int, limit_s: float) -> float:
    """CPU milliseconds of one ask and tell: the mean after two that are not counted.

    `most` are counted, fewer where they take more than `limit_s` together.
    """
    ask_and_tell()
    ask_and_tell()
    spent_s, count = 0.0, 0
    while count < most and spent_s < limit_s:
        spent_s += cpu_s(ask_and_tell)
        count += 1
    return 1000 * spent_s / count


def cpu_s(action: Callable[[], Any]) -> float:
    """CPU seconds that this process spends on `action`, all threads together."""
    before = time.process_time()
    action()
    return time.process_time() - before


def note_report(log: str) -> None:
    """Adds a byte to the file `log`, which says to another process that we train."""
    with Path(log).open("a") as file:
        file.write(".")


def peak_mb() -> float:
    """The most memory that this process has held, in MB (10**6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # unlike getrusage, not inherited from the parent process
        lines = dict(
            line.split(":", 1)
            for line in status.read_text().splitlines()
            if ":" in line
        )
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


@dataclass(frozen=True)
class Side:
    """One of the two: its name and the Python that has it."""

    name: str
    python: str

    def command(self, *words: object) -> list[str]:
        script = Path(__file__).with_name(SIDES[self.name])
        return [self.python, str(script), *map(str, words)]

    def measure(self, *words: object) -> dict[str, Any]:
        """What a fresh process of this side prints last: one JSON object."""
        ended = subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise RuntimeError(f"{self.name} {words}:\n{ended.stderr[-3000:]}")
        found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return found


class Timed:
    """The time and CPU seconds of a worker, from the gate's opening to its last trial.

    It says that it is ready by a file beside the gate; imports are not counted.
    """

    def __init__(self, gate: str) -> None:
        self._gate = Path(gate)
        self.found: dict[str, float] = {}

    def __enter__(self) -> Self:
        Path(f"{self._gate}.{os.getpid()}").touch()
        while not self._gate.exists():
            time.sleep(0.01)
        self._cpu_s = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        cpu = time.process_time() - self._cpu_s
        self.found.update(cpu_s=cpu, ended_s=time.monotonic())


def side_main(verbs: Sequence[Callable[..., dict[str, Any]]]) -> None:
    """Runs `SCRIPT VERB ARGUMENT...` and prints what the verb found as JSON."""
    named = {verb.__name__: verb for verb in verbs}
    print(json.dumps(named[sys.argv[1]](*sys.argv[2:])), flush=True)


def row(claim: str, ours: float, peer: float | None = None) -> Row:
    """One line of the table; a ratio above 1 says that danlu is better."""
    ratio = peer / ours if ours and peer else None
    if ratio and claim.startswith(MORE_IS_BETTER):
        ratio = 1 / ratio
    return {"measured": claim, "danlu": ours, "optuna": peer, "ratio": ratio}


def table(rows: Sequence[Row]) -> str:
    """The rows as text, for a terminal."""
    lines = [f"{'':58} {'danlu':>9} {'Optuna':>9} {'ratio':>7}"]
    for one in rows:
        ratio = f"{one['ratio']:.1f}" if one["ratio"] else ""
        theirs = "" if one["optuna"] is None else f"{one['optuna']:.4g}"
        numbers = f"{one['danlu']:>9.4g} {theirs:>9} {ratio:>7}"
        lines.append(f"{one['measured']:58} {numbers}")
    return "\n".join(lines)
