"""Contracts that any sampler, scheduler, executor or storage must hold.

Third parties run them on their own parts:

    from danlu.testing import check_sampler

    def test_contract():
        check_sampler(MySampler())

Each check raises `ContractBroken` with a sentence that says what was broken.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from pathlib import Path

import numpy as np

from .ask import trial_rng
from .constraint import Constraint, parsed
from .domain import Belief, Choice, Float, Int
from .executors.base import Event, Executor, Exited, Launch, Outcome, Reported
from .history import History
from .metric import Metric
from .samplers.base import Sampler
from .schedulers.base import Resume, Scheduler, Start, Verdict
from .space import Params, SearchSpace
from .storage.base import Claim, Storage
from .study import Study
from .trial import Curve, Kind, Report, State, Trial

_METRIC = Metric("loss")
_PATIENCE_S = 60.0  # after which an executor that says nothing is taken for stuck


class ContractBroken(AssertionError):
    """A part does not hold its contract; the message says which sentence of it."""


def check_sampler(sampler: Sampler) -> None:
    """Raises unless `sampler` holds the contract of a sampler.

    It is a frozen dataclass; the same history and generator give the same answer; its
    params are in the space, conditional ones included; it survives trials that are
    infeasible, failed, equal, pending, missing or extreme, and studies with beliefs,
    constraints, earlier studies and rungs.

    >>> import danlu
    >>> check_sampler(danlu.samplers.Random())
    """
    _frozen(sampler)
    for history in _questions():
        first = sampler.ask(history, np.random.default_rng(1))
        second = sampler.ask(history, np.random.default_rng(1))
        _require(first == second, f"the same question, two answers: {first}")
        if first is not None:
            inside = first.params in history.space
            _require(inside, f"{first.params} is not in {history.space.domains}")


def check_scheduler(scheduler: Scheduler) -> None:
    """Raises unless `scheduler` holds the contract of a scheduler.

    It is a frozen dataclass; its answers repeat; a simulated study of it ends; it
    survives trials without reports, with nan, and with equal losses.

    >>> import danlu
    >>> check_scheduler(danlu.schedulers.Median())
    """
    _frozen(scheduler)
    space = SearchSpace({"x": Float(0, 1)})
    for losses in (lambda x, s: x + 1 / s, lambda x, s: 1.0, lambda x, s: math.nan):
        _simulate(scheduler, space, losses)


def check_executor(make: Callable[[], Executor], folder: Path) -> None:
    """Raises unless the executor that `make` makes holds its contract.

    Its program must report `loss` at the steps 1 to 3 and end. Reports come before the
    exit and nothing after it; `stop` and `kill` of a trial that has ended do nothing.

    >>> import danlu, pathlib, tempfile
    >>> def train(trial):
    ...     for step in (1, 2, 3):
    ...         trial.report(step, loss=1 / step)
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> check_executor(lambda: danlu.executors.Inline(train), folder)
    """
    executor = make()
    try:
        for number in range(executor.slots + 1):
            trial = Trial(number, {"x": 0.5}, budget=3)
            events = _run_one(
                executor, Launch("s", trial, "loss", folder / str(number))
            )
            _check_events(number, events)
            executor.stop(number)
            executor.kill(number)
        late: list[Event] = []
        executor.poll(late.append, 0.0)
        _require(not late, f"news of trials that have ended: {late}")
    finally:
        executor.close()


def check_storage(storage: Storage) -> None:
    """Raises unless `storage`, an empty one, holds the contract of a storage.

    Numbers are unique and without gaps; a state is moved once; a late reporter is
    turned away; a follower of `changes` sees everything; decisions keep their order.

    >>> from danlu.storage.sql import open_storage
    >>> check_storage(open_storage(":memory:"))
    """
    study = storage.add_study("contract", {"goal": "to be held"}).id
    claim = Claim("somebody", 60.0)
    numbers = [storage.reserve(study, Kind.SEARCH, claim, limit=3) for _ in range(4)]
    given = [reserved and (reserved.number, reserved.index) for reserved in numbers]
    _require(given == [(0, 0), (1, 1), (2, 2), None], f"numbers were {given}")
    trial = Trial(0, {"x": 2**60 + 1, "y": "é' OR 1"}, index=0, seed=5)
    storage.fill(study, trial)
    known = storage.changes(study, 0)
    _require(known.trials == (trial,), f"kept {trial}, got {known.trials}")
    _check_reports(storage, study, trial, known.version)
    _check_moves(storage, study, trial)
    _check_decisions(storage, study)
    _check_notes(storage, study)
    storage.release(study, 2)
    again = storage.reserve(study, Kind.SEARCH, claim, limit=3)
    _require(again is not None and again.number == 2, f"released 2, then got {again}")


def _check_reports(storage: Storage, study: int, trial: Trial, since: int) -> None:
    reports = [Report(1, {"loss": 0.5, "acc": math.nan}), Report(2, {"loss": 0.25})]
    state = storage.report(study, trial.number, trial.attempt, reports)
    _require(state is State.RUNNING, f"a running trial is {state} when it reports")
    late = storage.report(study, trial.number, trial.attempt + 1, reports)
    _require(late is State.STOPPED, "a report of another attempt was taken")
    new = storage.changes(study, since)
    curves = {name: c for _, stretch in new.stretches for name, c in stretch.items()}
    _require(curves["loss"] == Curve.of({1: 0.5, 2: 0.25}), f"got {curves}")
    nothing = storage.changes(study, new.version)
    _require(not nothing.trials and not nothing.stretches, "old news as new")


def _check_moves(storage: Storage, study: int, trial: Trial) -> None:
    done = replace(trial, state=State.COMPLETED, ended_s=2.0)
    last = [Report(3, {"loss": 0.125})]
    _require(storage.move(study, trial, done, reports=last), "nobody won a move")
    _require(not storage.move(study, trial, done), "two won the same move")
    known = storage.changes(study, 0)
    _require(done in known.trials, f"moved to {done}, got {known.trials}")
    points = sum(len(stretch["loss"]) for n, stretch in known.stretches if n == 0)
    _require(points == 3, f"3 points were reported, {points} are kept")


def _check_decisions(storage: Storage, study: int) -> None:
    other = storage.add_study("another", {"goal": "to be decided"}).id
    documents = [{"verdict": "adopt", "why": "é' OR 1"}, {"verdict": "more"}]
    kept = [
        storage.add_decision(of, document)
        for of, document in zip((study, other), documents, strict=True)
    ]
    known = storage.decisions()
    ids = [(record.id, record.study) for record in known]
    expected = [(record.id, record.study) for record in kept]
    _require(ids == expected, f"the decisions {expected} came back as {ids}")
    again = known[1].document
    _require(again == documents[1], f"decided {documents[1]}, got {again}")


def _check_notes(storage: Storage, study: int) -> None:
    noted = [Trial(number, {}, scheduler_note={"member": 0}) for number in (1, 2)]
    since = storage.changes(study, 0).version
    alone = [storage.fill(study, trial, alone_since=since) for trial in noted]
    _require(alone == [True, False], f"of two with one note were written: {alone}")


def _frozen(part: object) -> None:
    _require(
        is_dataclass(part) and _refuses_change(part),
        f"{type(part).__name__} is not a frozen dataclass",
    )
    same = {field.name: getattr(part, field.name) for field in fields(part)}  # type: ignore[arg-type]
    _require(type(part)(**same) == part, "its settings do not make it again")


def _refuses_change(part: object) -> bool:
    try:
        part.__setattr__("some_setting", 1)
    except FrozenInstanceError:
        return True
    return False


def _questions() -> Iterator[History]:
    """Histories with which a sampler must be able to answer."""
    for space in _spaces():
        for trials in _pasts(space):
            yield History(space, _METRIC, trials, position=len(trials))
    for space in (_tree(), _believed()):
        yield from _constrained(space)
        yield from _transferred(space)
        yield from _leveled(space)


def _constrained(space: SearchSpace) -> Iterator[History]:
    """Limits that some trials keep, all, none; and a metric that nobody reports."""
    sizes = np.linspace(0, 1, 12).tolist()
    for text in ("size <= 0.5", "size <= 2", "size >= 2", "other <= 0"):
        limit = parsed(text)
        trials = [
            _sized(_trial(n, params, float(n)), limit, sizes[n])
            for n, params in enumerate(_drawn(space))
        ]
        limits = (limit, parsed("never <= 0"))
        yield History(space, _METRIC, trials, position=12, constraints=limits)


def _transferred(space: SearchSpace) -> Iterator[History]:
    """Earlier studies: of this space, of another, without a loss, without a trial."""
    every = [_trial(n, params, float(n % 5)) for n, params in enumerate(_drawn(space))]
    line = SearchSpace({"layers": Int(2, 9), "x": Float(0, 1)})
    others = [_trial(n, own, float(n)) for n, own in enumerate(_drawn(line))]
    none = [replace(trial, state=State.INFEASIBLE) for trial in every]
    for own in (every, none, []):
        earlier = (History(space, _METRIC, own), History(line, _METRIC, others))
        for trials in ([], every[:3], every):
            yield History(space, _METRIC, trials, position=len(trials), earlier=earlier)


def _leveled(space: SearchSpace) -> Iterator[History]:
    """Trials that are paused at rungs, of which one is promoted."""
    trials = [
        replace(_trial(n, params, float(n), State.PAUSED), budget=1)
        for n, params in enumerate(_drawn(space))
    ]
    curves = {"loss": Curve.of({1: 0.0, 3: 0.5})}
    trials[0] = replace(trials[0], state=State.RUNNING, budget=9, curves=curves)
    for level in (1, 3, 9):
        yield History(space, _METRIC, trials, position=12, max_steps=9, level=level)


def _spaces() -> Iterator[SearchSpace]:
    yield SearchSpace({"x": Float(0, 1)})
    yield SearchSpace({"only": Float(3, 3), "one": Choice(["a"])})
    yield SearchSpace({f"x{n}": Float(1e-6, 1, log=True) for n in range(60)})
    yield _tree()


def _tree() -> SearchSpace:
    """Branches, whole numbers, and options with an order and without one."""
    return SearchSpace(
        {
            "optimizer": Choice(
                {
                    "adam": {"lr": Float(1e-4, 1, log=True), "beta": Float(0.5, 1)},
                    "sgd": {"lr": Float(1e-2, 1, log=True)},
                }
            ),
            "layers": Int(1, 4),
            "width": Int(8, 512, log=True),
            "batch": Choice([32, 64, 128], ordered=True),
        },
        fixed={"epochs": 3},
    )


def _believed() -> SearchSpace:
    """What is believed of each kind of hyperparameter, under an option too."""
    lr = Float(1e-4, 1, log=True, belief=Belief(1.0, confidence=0.99))
    return SearchSpace(
        {
            "optimizer": Choice({"adam": {"lr": lr}, "sgd": {}}, belief=Belief("sgd")),
            "layers": Int(1, 4, belief=Belief(1)),
            "batch": Choice([32, 64, 128], ordered=True, belief=Belief(128, 0.9)),
            "x": Float(0, 1),
        }
    )


def _drawn(space: SearchSpace) -> list[Params]:
    rng = np.random.default_rng(0)
    return [space.decode(rng.random(len(space))) for _ in range(12)]


def _pasts(space: SearchSpace) -> Iterator[list[Trial]]:
    """Pasts that a sampler must survive."""
    params = _drawn(space)
    yield []
    yield [Trial(0, params[0])]
    for state in State:
        yield [_trial(n, own, 1.0, state) for n, own in enumerate(params)]
    extreme = [1e300, -1e300, 0.0, 5e-324, 1.0, 1.0]
    yield [_trial(n, params[n], loss) for n, loss in enumerate(extreme)]
    yield [_trial(n, own, math.nan) for n, own in enumerate(params)]


def _trial(
    number: int, params: Params, loss: float, state: State = State.COMPLETED
) -> Trial:
    curves = {"loss": Curve.of({1: loss})}
    return Trial(number, params, state, index=number, curves=curves)


def _sized(trial: Trial, limit: Constraint, size: float) -> Trial:
    """The trial with that size, infeasible if the limit is about it and is broken."""
    broken = limit.metric == "size" and limit.slack(size) > 0
    curves = {**trial.curves, "size": Curve.of({1: size})}
    state = State.INFEASIBLE if broken else trial.state
    return replace(trial, state=state, curves=curves)


def _simulate(
    scheduler: Scheduler, space: SearchSpace, loss: Callable[[float, int], float]
) -> None:
    """A study of up to 20 trials of 9 steps, one at a time."""
    study = Study("simulated", "Does it end?", _METRIC, space, trials=20, max_steps=9)
    trials: list[Trial] = []
    for turn in range(1000):
        history = History(space, _METRIC, trials, max_steps=9, planned=20)
        choice = scheduler.next(history, trial_rng(study, turn))
        same = scheduler.next(history, trial_rng(study, turn))
        _require(choice == same, f"the same question, two answers: {choice}, {same}")
        if choice is None or (isinstance(choice, Start) and len(trials) == 20):
            return
        number = choice.number if isinstance(choice, Resume) else len(trials)
        if isinstance(choice, Start):
            params = choice.params or {"x": (number * 0.618) % 1}
            note = choice.note
            trials.append(Trial(number, params, index=number, scheduler_note=note))
        budget = 9 if choice.budget is None else choice.budget
        begun = replace(trials[number], state=State.RUNNING, budget=budget)
        trials[number] = _trained(
            scheduler, replace(history, trials=trials), begun, loss
        )
    raise ContractBroken(f"{scheduler} does not end a study of 20 trials of 9 steps")


def _trained(
    scheduler: Scheduler,
    history: History,
    trial: Trial,
    loss: Callable[[float, int], float],
) -> Trial:
    """The trial at its budget, or where the scheduler ended it."""
    curve = dict(enumerate(trial.curves["loss"].values, 1)) if trial.curves else {}
    for step in range(trial.step + 1, (trial.budget or 9) + 1):
        curve[step] = loss(float(trial.params["x"] or 0), step)
        trial = trial.with_curves({"loss": Curve.of(curve)})
        verdict = scheduler.judge(trial, history)
        if verdict is Verdict.PAUSE:
            return replace(trial, state=State.PAUSED)
        if verdict is Verdict.STOP:
            return replace(trial, state=State.STOPPED)
    return replace(trial, state=State.COMPLETED)


def _run_one(executor: Executor, launch: Launch) -> list[Event]:
    events: list[Event] = []
    executor.start(launch)
    deadline_s = time.monotonic() + _PATIENCE_S
    while not any(isinstance(event, Exited) for event in events):
        executor.poll(events.append, 0.1)
        _require(time.monotonic() < deadline_s, f"no exit within {_PATIENCE_S:g} s")
    return events


def _check_events(number: int, events: list[Event]) -> None:
    reports = [r for e in events if isinstance(e, Reported) for r in e.reports]
    steps = [report.step for report in reports]
    last = events[-1]
    _require(all(event.number == number for event in events), "news of another trial")
    _require(steps == [1, 2, 3], f"the steps 1, 2, 3 arrived as {steps}")
    _require(isinstance(last, Exited), f"something came after the exit: {last}")
    done = isinstance(last, Exited) and last.outcome is Outcome.DONE
    _require(done, f"the program ended with {last}")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ContractBroken(otherwise)
