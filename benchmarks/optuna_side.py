"""What Optuna does in each measurement, in its own Python; run by the comparison."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

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


def version() -> dict[str, Any]:
    """Which release is measured."""
    return {"version": metadata.version("optuna")}


def imported() -> dict[str, Any]:
    """CPU seconds until the names are there, and until a study could be stated."""

    def names() -> None:
        import optuna  # noqa: F401

    def parts() -> None:
        import optuna

        optuna.storages.RDBStorage("sqlite:///:memory:")
        _ = optuna.samplers.RandomSampler, optuna.create_study

    seconds = cpu_s(names)
    return {"cpu_s": seconds, "ready_cpu_s": seconds + cpu_s(parts)}


def trials(folder: str, count: str, rule: str) -> dict[str, Any]:
    """CPU seconds of `count` trivial trials in this process, on SQLite."""
    _study(folder, "warm", rule).optimize(train, n_trials=20)
    study = _study(folder, "cold", rule)
    seconds = cpu_s(lambda: study.optimize(train, n_trials=int(count)))
    curves = [t.intermediate_values for t in study.get_trials(deepcopy=False)]
    return {"cpu_s": seconds, "trials": len(curves), "reports": sum(map(len, curves))}


def build(folder: str, count: str) -> dict[str, Any]:
    """Makes the study that `load` reads: one real trial, and rows like its own."""
    _study(folder, "large", "all in full").optimize(train, n_trials=1)
    with sqlite3.connect(Path(folder, "optuna.db")) as database:
        for number in range(1, int(count)):
            _copy_trial(database, number)
    return {}


def load(folder: str) -> dict[str, Any]:
    """CPU seconds to read a large study, imports not counted."""
    import optuna

    optuna.storages.RDBStorage("sqlite:///:memory:")
    found = {}

    def read() -> None:
        study = optuna.load_study(study_name="large", storage=_url(folder))
        known = study.get_trials(deepcopy=False)
        found["trials"] = len(known)
        found["reports"] = sum(len(trial.intermediate_values) for trial in known)

    return {"cpu_s": cpu_s(read), "peak_mb": peak_mb(), **found}


def plan(place: str, count: str) -> dict[str, Any]:
    """Makes the study on which many processes work at once."""
    _made(_address(place), "crowd")
    return {"count": int(count)}


def work(place: str, share: str, reports: str, gate: str) -> dict[str, Any]:
    """Runs this worker's share of the trials, and goes on after an error."""
    import optuna

    storage = optuna.storages.RDBStorage(_address(place))
    with suppress(Exception):  # one that meets a locked file has warmed up as well
        _made(storage, f"warm {os.getpid()}").optimize(train, n_trials=1)
    study = optuna.load_study(
        study_name="crowd",
        storage=storage,
        sampler=_sampler(),
        pruner=optuna.pruners.MedianPruner(),
    )
    study.get_trials(deepcopy=False)
    numbers, seconds, errors = [], [], []
    objective = partial(train, reports=int(reports))
    with Timed(gate) as timed:
        for _ in range(int(share)):
            began = time.perf_counter()
            try:
                study.optimize(
                    objective,
                    n_trials=1,
                    callbacks=[lambda _, t: numbers.append(t.number)],
                )
            except Exception as error:  # the count of errors is what is measured
                errors.append(repr(error))
            seconds.append(time.perf_counter() - began)
    return {"numbers": numbers, "seconds": seconds, "errors": errors, **timed.found}


def count(place: str) -> dict[str, Any]:
    """What became of the trials of the study that many worked on."""
    import optuna

    study = optuna.load_study(study_name="crowd", storage=_address(place))
    known = study.get_trials(deepcopy=False)
    ended = [trial.number for trial in known if trial.state.is_finished()]
    return {"numbers": [trial.number for trial in known], "ended": ended}


def endure(place: str, count: str, log: str) -> dict[str, Any]:
    """Trains as many trials as have not ended of the study that is killed."""
    import optuna

    def objective(trial: Any) -> float:
        _suggest(trial)
        for step in range(1, REPORTS + 1):
            time.sleep(REPORT_S)
            trial.report(loss(step, trial.number), step)
            note_report(log)
        return loss(REPORTS, trial.number)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(
        study_name="crowd", storage=_address(place), sampler=_sampler()
    )
    known = study.get_trials(deepcopy=False)
    ended = sum(trial.state.is_finished() for trial in known)
    study.optimize(objective, n_trials=int(count) - ended)
    return {}


def fill(place: str, count: str, reports: str) -> dict[str, Any]:
    """Runs `count` trials with that many reports each, to see what they take up."""
    import optuna

    def objective(trial: Any) -> float:
        _suggest(trial)
        for step in range(1, int(reports) + 1):
            trial.report(random.random(), step)
        return random.random()

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    _made(_address(place), "filled").optimize(objective, n_trials=int(count))
    return {}


def asks(sampler: str, known: str, most: str, limit_s: str) -> dict[str, Any]:
    """CPU milliseconds of an ask when that many trials are known."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")  # QMC is experimental
    space = _space()
    study = optuna.create_study(sampler=_samplers()[sampler]())

    def ask_and_tell() -> None:
        trial = study.ask(space)
        study.tell(trial, valley(trial.params))

    for number in range(int(known)):
        if sampler == ITS_OWN_TRIALS:
            ask_and_tell()
            continue
        params = spread(number)
        told = optuna.trial.create_trial(
            params=params, distributions=space, value=valley(params)
        )
        study.add_trial(told)
    return {"ask_ms": per_ask_ms(ask_and_tell, int(most), float(limit_s))}


def _space() -> dict[str, Any]:
    from optuna import distributions as kinds

    return {
        **{n: kinds.FloatDistribution(*own, log=True) for n, own in RATES.items()},
        **{n: kinds.IntDistribution(*own) for n, own in COUNTS.items()},
        **{n: kinds.CategoricalDistribution(own) for n, own in OPTIONS.items()},
    }


def _samplers() -> dict[str, Callable[[], Any]]:
    """Optuna's samplers with their defaults, under danlu's names."""
    from optuna import samplers

    return {
        "random": partial(samplers.RandomSampler, seed=0),
        "quasi_random": partial(samplers.QMCSampler, seed=0),
        "cma_es": partial(
            samplers.CmaEsSampler, seed=0, warn_independent_sampling=False
        ),
        "tpe": partial(samplers.TPESampler, seed=0),
        "gp": partial(samplers.GPSampler, seed=0),
    }


def train(trial: Any, reports: int = REPORTS) -> float:
    import optuna

    _suggest(trial)
    for step in range(1, reports + 1):
        value = loss(step, trial.number)
        trial.report(value, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return value


def _suggest(trial: Any) -> None:
    trial.suggest_float("log_lr", -5, 0)
    trial.suggest_float("momentum", 0.1, 1, log=True)
    trial.suggest_int("width", 1, 1000, log=True)
    trial.suggest_int("layers", 1, 8)
    trial.suggest_categorical("activation", ["relu", "tanh", "gelu"])


def _address(place: str) -> str:
    """The storage's address: `place` is a path, or that of a server."""
    if place.startswith("postgresql://"):
        return place.replace("postgresql://", "postgresql+psycopg://")
    return f"sqlite:///{place}"


def _url(folder: str) -> str:
    return f"sqlite:///{folder}/optuna.db"


def _sampler() -> Any:
    import optuna

    return optuna.samplers.RandomSampler()


def _study(folder: str, name: str, rule: str = "median stopping") -> Any:
    return _made(_url(folder), name, rule)


def _made(storage: Any, name: str, rule: str = "median stopping") -> Any:
    import optuna

    stops = rule == "median stopping"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        study_name=name,
        storage=storage,
        sampler=_sampler(),
        pruner=optuna.pruners.MedianPruner() if stops else optuna.pruners.NopPruner(),
    )


def _copy_trial(database: sqlite3.Connection, number: int) -> None:
    """Adds a trial with other numbers in place of the first one's."""
    first = 1
    inserted = _copy_rows(database, "trials", first, {"number": number})
    _copy_rows(database, "trial_values", first, {"trial_id": inserted})
    for table, column in (
        ("trial_params", "param_value"),
        ("trial_intermediate_values", "intermediate_value"),
    ):
        _copy_rows(database, table, first, {"trial_id": inserted}, column)


def _copy_rows(
    database: sqlite3.Connection,
    table: str,
    trial: int,
    changed: dict[str, int],
    varied: str | None = None,
) -> int:
    names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    found = database.execute(f"SELECT * FROM {table} WHERE trial_id = ?", [trial])
    marks = ", ".join("?" * (len(names) - 1))
    last = 0
    for row in found.fetchall():
        values = dict(zip(names, row, strict=True))
        if varied and not _is_category(values):
            values[varied] = values[varied] * random.random()
        values = {**values, **changed}
        kept = names[1:]  # the first column is the row's own number
        statement = f"INSERT INTO {table} ({', '.join(kept)}) VALUES ({marks})"
        cursor = database.execute(statement, [values[name] for name in kept])
        last = cursor.lastrowid or 0
    return last


def _is_category(values: dict[str, Any]) -> bool:
    kind = json.loads(values.get("distribution_json") or "{}").get("name", "")
    return kind in ("CategoricalDistribution", "IntDistribution")


if __name__ == "__main__":
    side_main(
        [version, imported, trials, build, load, plan, work, count, endure, fill, asks]
    )
