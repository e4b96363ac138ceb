"""What danlu does in each measurement; run by `benchmarks.overhead`."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))
from measure import (
    COUNTS,
    ITS_OWN_TRIALS,
    OPTIONS,
    RATES,
    REPORT_S,
    REPORTS,
    Timed,
    cpu_s,
    loss,
    note_report,
    peak_mb,
    per_ask_ms,
    side_main,
    spread,
    valley,
)

if TYPE_CHECKING:
    import danlu


def version() -> dict[str, Any]:
    """Which release is measured."""
    return {"version": metadata.version("danlu")}


def imported() -> dict[str, Any]:
    """CPU seconds until the names are there, and until a study could be stated."""

    def names() -> None:
        import danlu  # noqa: F401

    def parts() -> None:
        import danlu

        danlu.open(":memory:").close()
        _ = danlu.Study, danlu.Float, danlu.samplers.Random

    seconds = cpu_s(names)
    return {"cpu_s": seconds, "ready_cpu_s": seconds + cpu_s(parts)}


def trials(folder: str, count: str, rule: str) -> dict[str, Any]:
    """CPU seconds of `count` trivial trials in this process, on SQLite."""
    import danlu

    with danlu.open(Path(folder, "danlu.db")) as project:
        executor = danlu.executors.Inline(train)
        project.run(_study("warm", 20, rule), executor)
        study = _study("cold", int(count), rule)
        seconds = cpu_s(lambda: project.run(study, executor))
        curves = [t.curves["loss"] for t in project.history("cold").trials]
    return {"cpu_s": seconds, "trials": len(curves), "reports": sum(map(len, curves))}


def build(folder: str, count: str) -> dict[str, Any]:
    """Makes the study that `load` reads."""
    import danlu

    with danlu.open(Path(folder, "danlu.db"), tempfile.mkdtemp()) as project:
        project.run(
            _study("large", int(count), "all in full"), danlu.executors.Inline(train)
        )
    return {}


def load(folder: str) -> dict[str, Any]:
    """CPU seconds to read a large study, imports not counted."""
    import danlu

    danlu.open(":memory:").close()
    found = {}

    def read() -> None:
        with danlu.open(Path(folder, "danlu.db")) as project:
            history = project.history(project.study())
        found["trials"] = len(history.trials)
        found["reports"] = sum(len(t.curves["loss"]) for t in history.trials)

    return {"cpu_s": cpu_s(read), "peak_mb": peak_mb(), **found}


def plan(place: str, count: str) -> dict[str, Any]:
    """Makes the study on which many processes work at once."""
    with _opened(place) as project:
        project.plan(_study("crowd", int(count)))
    return {}


def work(place: str, share: str, reports: str, gate: str) -> dict[str, Any]:
    """Asks, reports and tells until the study has all its trials."""
    import danlu

    numbers, seconds, errors = [], [], []
    with _opened(place) as project:
        project.run(_study(f"warm {os.getpid()}", 1), danlu.executors.Inline(train))
        study = project.study("crowd")
        project.history(study)
        with Timed(gate) as timed:
            while True:
                began = time.perf_counter()
                try:
                    trial = project.ask(study)
                    if trial is None:
                        break
                    for step in range(1, int(reports) + 1):
                        value = loss(step, trial.number)
                        project.report(study, trial, step, loss=value)
                    project.tell(study, trial)
                    numbers.append(trial.number)
                except danlu.DanluError as error:
                    errors.append(str(error))
                seconds.append(time.perf_counter() - began)
    return {"numbers": numbers, "seconds": seconds, "errors": errors, **timed.found}


def count(place: str) -> dict[str, Any]:
    """What became of the trials of the study that many worked on."""
    with _opened(place) as project:
        trials = project.history("crowd").trials
    ended = [trial.number for trial in trials if trial.state.ended]
    return {"numbers": [trial.number for trial in trials], "ended": ended}


def endure(place: str, count: str, log: str) -> dict[str, Any]:
    """Trains what is left of the study that is killed."""
    import danlu

    def train(trial: Any) -> None:
        for step in range(1, REPORTS + 1):
            time.sleep(REPORT_S)
            trial.report(step, loss=loss(step, trial.number))
            note_report(log)

    with _opened(place) as project:
        project.run("crowd", danlu.executors.Inline(train))
    return {}


def fill(place: str, count: str, reports: str) -> dict[str, Any]:
    """Runs `count` trials with that many reports each, to see what they take up."""
    import danlu

    def train(trial: Any) -> None:
        for step in range(1, int(reports) + 1):
            trial.report(step, loss=random.random())

    with _opened(place) as project:
        study = _study("filled", int(count), "all in full")
        project.run(study, danlu.executors.Inline(train))
    return {}


def asks(sampler: str, known: str, most: str, limit_s: str) -> dict[str, Any]:
    """CPU milliseconds of an ask when that many trials are known; None: no sampler."""
    import danlu
    from danlu.ask import trial_rng
    from danlu.ledger import Ledger

    if sampler not in danlu.recipes.sampler_names():
        return {"ask_ms": None}
    study, chosen, trials = _space_study(), danlu.recipes.sampler(sampler), Ledger()

    def tell(suggestion: danlu.Suggestion) -> None:
        number, params = len(trials), suggestion.params
        trials.keep(
            danlu.Trial(
                number,
                params,
                danlu.State.COMPLETED,
                index=number,
                sampler_note=suggestion.note,
                curves={"loss": danlu.Curve.of({1: valley(params)})},
            )
        )

    def ask_and_tell() -> None:
        number = len(trials)
        space, metric = study.search_space, study.objective
        history = danlu.History(space, metric, trials, position=number)
        tell(chosen.ask(history, trial_rng(study, number)))

    for number in range(int(known)):
        if sampler == ITS_OWN_TRIALS:
            ask_and_tell()
        else:
            tell(danlu.Suggestion(spread(number)))
    return {"ask_ms": per_ask_ms(ask_and_tell, int(most), float(limit_s))}


def _space_study() -> danlu.Study:
    import danlu

    rates = {name: danlu.Float(*own, log=True) for name, own in RATES.items()}
    counts = {name: danlu.Int(*own) for name, own in COUNTS.items()}
    options = {name: danlu.Choice(own) for name, own in OPTIONS.items()}
    return danlu.Study(
        name="asks",
        goal="What does an ask cost?",
        metric="loss",
        space={**rates, **counts, **options},
        trials=20_000,
    )


def _opened(place: str) -> danlu.Project:
    import danlu

    return danlu.open(place, tempfile.gettempdir())


def train(trial: Any) -> None:
    for step in range(1, REPORTS + 1):
        trial.report(step, loss=loss(step, trial.number))


def _study(name: str, count: int, rule: str = "median stopping") -> danlu.Study:
    import danlu

    return danlu.Study(
        name=name,
        goal="What does the flow cost?",
        metric="loss",
        space={
            "log_lr": danlu.Float(-5, 0),
            "momentum": danlu.Float(0.1, 1, log=True),
            "width": danlu.Int(1, 1000, log=True),
            "layers": danlu.Int(1, 8),
            "activation": danlu.Choice(["relu", "tanh", "gelu"]),
        },
        sampler="random",
        scheduler="median" if rule == "median stopping" else "full",
        trials=count,
    )


if __name__ == "__main__":
    side_main(
        [version, imported, trials, build, load, plan, work, count, endure, fill, asks]
    )
