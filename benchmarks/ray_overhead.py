"""What a trivial trial costs on Ray: danlu's executor beside Ray Tune.

Each side runs in a fresh process that starts a cluster of its own on this machine. All
CPU seconds of all its processes are counted, also Ray's, by a control group (Linux, as
root); start and end are taken out by measuring a small and a large number of trials.

    python -m benchmarks.ray_overhead --peer-python peers/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

SLOTS = 2
MORE = {"danlu": 20, "tune": 1}  # trials of a side: cheap ones need many to be seen


def train_danlu(trial: Any) -> None:
    trial.report(1, loss=trial.params["x"] ** 2)


def run_danlu(count: int, folder: Path) -> int:
    """Runs trials with danlu; how many were completed."""
    import danlu
    from danlu.executors import Ray

    space = {"x": danlu.Float(-1, 1)}
    study = danlu.Study(
        "s", "What does a trial cost?", "loss", space, trials=count, sampler="random"
    )
    executor = Ray(train_danlu, address="local", slots=SLOTS)
    with danlu.open(folder / "danlu.db") as project:
        history = project.run(study, executor)
    executor.close()
    return sum(trial.state is danlu.State.COMPLETED for trial in history.trials)


def run_tune(count: int, folder: Path) -> int:
    """Runs trials with Ray Tune; how many were completed."""
    import ray
    from ray import tune

    def train(params: dict[str, float]) -> None:
        tune.report({"loss": params["x"] ** 2})

    ray.init(address="local", log_to_driver=False, include_dashboard=False)
    tuner = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space={"x": tune.uniform(-1, 1)},
        tune_config=tune.TuneConfig(
            metric="loss", mode="min", num_samples=count, max_concurrent_trials=SLOTS
        ),
        run_config=tune.RunConfig(storage_path=str(folder), name="s", verbose=0),
    )
    results = tuner.fit()
    ray.shutdown()
    return sum("loss" in (result.metrics or {}) for result in results)


SIDES = {"danlu": run_danlu, "tune": run_tune}


def _cost(python: str, side: str, count: int) -> dict[str, float]:
    """What `count` trials take, with all processes that they need."""
    with tempfile.TemporaryDirectory() as folder, _group() as group:
        own = [python, str(Path(__file__)), "--side", side, str(count), folder]
        joins = f"echo $$ > {group}/cgroup.procs && exec {shlex.join(own)}"
        began_s = time.monotonic()
        ended = subprocess.run(
            ["sh", "-c", joins], capture_output=True, text=True, check=False
        )
        wall_s = time.monotonic() - began_s
        if ended.returncode:
            raise RuntimeError(f"{side}:\n{ended.stderr[-3000:]}")
        completed = json.loads(ended.stdout.splitlines()[-1])
        if completed != count:
            raise RuntimeError(f"{side} completed {completed} of {count} trials")
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {
            "cpu_s": _used_s(group),
            "wall_s": wall_s,
            "files": len(files),
            "kb": sum(path.stat().st_size for path in files) / 1e3,
        }


@contextmanager
def _group() -> Iterator[Path]:
    """A fresh control group: the kernel counts its seconds, also those of the dead."""
    unified = Path("/sys/fs/cgroup/unified")
    root = unified if unified.exists() else Path("/sys/fs/cgroup")
    group = root / f"danlu-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        raise SystemExit(f"needs the right to make a control group: {error}") from None
    try:
        yield group
    finally:
        group.rmdir()


def _used_s(group: Path) -> float:
    """CPU seconds of a group, once all of its processes have ended."""
    deadline_s = time.monotonic() + 30
    while (group / "cgroup.procs").read_text() and time.monotonic() < deadline_s:
        time.sleep(0.1)
    lines = (group / "cpu.stat").read_text().splitlines()
    usage = dict(line.split() for line in lines)
    return int(usage["usage_usec"]) / 1e6


def measured(python: str, side: str, few: int, many: int) -> dict[str, float]:
    """What one more trial costs."""
    few, many = few * MORE[side], many * MORE[side]
    small, large = (_cost(python, side, count) for count in (few, many))
    return {key: (large[key] - small[key]) / (many - few) for key in small}


def _arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--few", type=int, default=5)
    parser.add_argument("--many", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=1, help="the median is taken")
    parser.add_argument("--json", type=Path, help="where to write the numbers too")
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main() -> None:
    """Measures both sides in turn, and prints what a trial costs."""
    arguments = _arguments()
    if arguments.side:
        side, count, folder = arguments.side
        print(json.dumps(SIDES[side](int(count), Path(folder))), flush=True)
        return
    pythons = {"danlu": sys.executable, "tune": arguments.peer_python}
    found: dict[str, list[dict[str, float]]] = {side: [] for side in pythons}
    for _ in range(arguments.repeat):
        for side, python in pythons.items():
            cost = measured(python, side, arguments.few, arguments.many)
            print(side, cost, file=sys.stderr)
            found[side].append(cost)
    medians = {side: _median(costs) for side, costs in found.items()}
    ratio = medians["tune"]["cpu_s"] / medians["danlu"]["cpu_s"]
    for side, cost in medians.items():
        print(f"{side:6} " + "  ".join(f"{key} {cost[key]:.3f}" for key in cost))
    print(f"Ray Tune takes {ratio:.1f} times the CPU of danlu for a trial")
    if arguments.json:
        machine = f"{platform.platform()}, {os.cpu_count()} cores"
        document = {"machine": machine, "ray": metadata.version("ray"), **medians}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


def _median(costs: Sequence[dict[str, float]]) -> dict[str, float]:
    middle = len(costs) // 2
    return {key: sorted(cost[key] for cost in costs)[middle] for key in costs[0]}


if __name__ == "__main__":
    main()
