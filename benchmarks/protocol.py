"""A method of danlu behind a line protocol, so that any harness can drive it.

python -m benchmarks.protocol --sampler gp --scheduler full
python -m benchmarks.protocol --mode mf

With `--mode full` a trial is one training, told once it is over. With `--mode mf`
trials are trained epoch by epoch and go on from their checkpoints: sampler and
scheduler are those that `auto` takes for such a program, where they are not named.

Each line on stdin is one JSON object, answered by one on stdout:

  {"init": {"space": [...], "seed": 0, "max_trials": 100, "max_fidelity": 52}}
  {"ask": {}}     gives an id, its config, and the epoch up to which it is to be trained
  {"tell": {"id": 7, "fidelity": 9, "value": 0.231, "curve": [[8, 0.3], [9, 0.231]]}}
  {"stop": {}}    ends the process

An init begins a new run. Smaller values are better, unless it says "direction":
"maximize". The curve has what is new, and may be null where there is but one value; a
value that is null or not finite says that the config is infeasible. Several trials may
be asked for before one is told. Without a scheduler that may end it, a trial is asked
for once, for all epochs; with one it is asked for again, with one epoch more, as long
as it may go on.

The space is a list of entries like {"name": "lr", "type": "float", "low": 1e-5, "high":
0.1, "log": true}, {"type": "int", ...} and {"type": "cat", "choices": [...]}. With
"cond": {"parent": "booster", "in": ["dart", "gbtree"]} an entry is active under these
options only. "ordered": true says that neighboring choices are alike, and "belief":
{"center": 0.01, "confidence": 0.5} where the best is believed to be. An init may have
"earlier" studies to learn from: [{"space": [...], "trials": [[{"lr": 0.1}, 0.3]]}].
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from danlu import (
    Belief,
    Choice,
    Curve,
    Float,
    History,
    Int,
    Metric,
    Report,
    SearchSpace,
    State,
    Study,
    Suggestion,
    Trial,
    recipes,
)
from danlu.ask import sampler_of, scheduler_of, trial_rng, trial_seed
from danlu.auto import AutoScheduler
from danlu.domain import Domain
from danlu.level import leveled
from danlu.memory import Memory
from danlu.samplers import Sampler
from danlu.schedulers import Full, Resume, Scheduler, Start
from danlu.settle import ending
from danlu.storage.sql import open_storage
from danlu.trial import Kind
from danlu.value import Value

METRIC = "loss"
_NUMBERS: Mapping[str, type[Float | Int]] = {"float": Float, "int": Int}

Entry = Mapping[str, Any]
Message = Mapping[str, Any]


class Run:
    """One study in memory, asked and told as the flow does it."""

    def __init__(self, study: Study, earlier: tuple[History, ...] = ()) -> None:
        self._study = study
        self._earlier = earlier
        self._sampler = sampler_of(study)
        self._scheduler = scheduler_of(study)
        self._memory = Memory(study, open_storage(":memory:"), study_id=0)
        self._going_on: deque[int] = deque()  # running, and nobody trains them now
        self._ends = 0  # how many trials have ended: their order is that of a clock

    def ask(self) -> Trial:
        """The trial to be trained for one step more."""
        if self._going_on:
            return self._memory.trial(self._going_on.popleft())
        history = self.history()
        number = len(history.trials)
        choice = self._scheduler.next(history, trial_rng(self._study, number))
        if choice is None:
            raise RuntimeError(f"nothing to start while {number} trials are known")
        if isinstance(choice, Resume):
            paused = self._memory.trial(choice.number)
            trial = replace(paused, state=State.RUNNING, budget=choice.budget)
        else:
            trial = self._new(number, choice)
        self._memory.keep(trial)
        return trial

    def next(self, trial: Trial) -> int:
        """The step up to which a trial that was asked for is to be trained."""
        if isinstance(self._scheduler, Full):
            return trial.budget or self._study.max_steps or 1
        return trial.step + 1

    def tell(self, number: int, curve: Mapping[int, float]) -> None:
        """Takes what a trial has reached, and ends it where nothing is left to do."""
        reports = [Report(step, {METRIC: value}) for step, value in curve.items()]
        trial = self._memory.hold(number, reports)
        self._memory.take_unsaved(number)
        budget = trial.budget or self._study.max_steps
        found = ending(trial, self._memory, self._scheduler, reports)
        if found is not None:
            self._keep(replace(trial, state=found[0]))
        elif budget is not None and trial.step >= budget:
            self._keep(replace(trial, state=State.COMPLETED))
        else:
            self._going_on.append(number)

    def history(self) -> History:
        """What is known, as the sampler sees it when it is asked next."""
        history = self._memory.history()
        position = len(history.trials)
        return replace(history, position=position, earlier=self._earlier)

    def _keep(self, trial: Trial) -> None:
        if trial.state.ended:
            self._ends += 1
            trial = replace(trial, ended_s=float(self._ends))
        self._memory.keep(trial)

    def _new(self, number: int, start: Start) -> Trial:
        suggestion = Suggestion(start.params) if start.params else None
        if suggestion is None:
            rng = trial_rng(self._study, number)
            known = self.history()
            seen = leveled(known, self._scheduler.rungs(known), start.budget)
            suggestion = self._sampler.ask(seen, rng)
        if suggestion is None:
            raise RuntimeError(f"{self._sampler} has nothing left after {number} asks")
        return Trial(
            number,
            self._study.search_space.admit(suggestion.params),
            index=number,
            budget=start.budget,
            seed=trial_seed(self._study, Kind.SEARCH, number),
            sampler_note=suggestion.note,
            scheduler_note=start.note,
        )


def study(
    init: Message, sampler: Sampler | str, scheduler: Scheduler | str = "full"
) -> Study:
    """The study that an `init` message states."""
    return Study(
        name="benchmark",
        goal="How low does this method get?",
        metric=Metric(METRIC, maximize=_is_maximized(init)),
        space=domains(init["space"]),
        trials=int(init["max_trials"]),
        sampler=sampler,
        scheduler=scheduler,
        max_steps=int(init.get("max_fidelity") or 1),
        seed=int(init["seed"]),
    )


def ended_study(told: Message) -> History:
    """An earlier study, from its space and the params and losses of its trials."""
    space = SearchSpace(domains(told["space"]))
    trials = [
        Trial(
            number,
            space.admit(params),
            State.COMPLETED if math.isfinite(_number(loss)) else State.INFEASIBLE,
            index=number,
            curves={METRIC: Curve.of({1: _number(loss)})},
        )
        for number, (params, loss) in enumerate(told["trials"])
    ]
    return History(space, Metric(METRIC), trials)


def domains(entries: Sequence[Entry]) -> dict[str, Domain]:
    """A flat list of entries with conditions, as nested domains.

    Raises:
        ValueError: an entry would never be active.
    """
    names = {entry["name"]: entry for entry in entries}
    for entry in entries:
        condition = entry.get("cond")
        if condition is None:
            continue
        choices = names.get(condition["parent"], {}).get("choices", ())
        if not condition["in"] or any(own not in choices for own in condition["in"]):
            raise ValueError(
                f"{entry['name']} is active where {condition['parent']} is one of "
                f"{condition['in']}: the parent has to be a cat with these choices"
            )
    return dict(_branch(entries, None, None))


def _branch(
    entries: Sequence[Entry], parent: str | None, option: Value
) -> Iterator[tuple[str, Domain]]:
    """The entries that are active under one option of `parent` (None: always)."""
    for entry in entries:
        condition = entry.get("cond")
        above = condition["parent"] if condition else None
        if above == parent and (condition is None or option in condition["in"]):
            yield entry["name"], _domain(entries, entry)


def _domain(entries: Sequence[Entry], entry: Entry) -> Domain:
    belief = Belief(**entry["belief"]) if entry.get("belief") else None
    if entry["type"] == "cat":
        name, ordered = entry["name"], bool(entry.get("ordered"))
        options = {own: dict(_branch(entries, name, own)) for own in entry["choices"]}
        return Choice(options, ordered=ordered, belief=belief)
    number, log = _NUMBERS[entry["type"]], bool(entry.get("log"))
    return number(entry["low"], entry["high"], log=log, belief=belief)


def answers(
    lines: Iterable[str],
    sampler: Sampler | str,
    scheduler: Scheduler | str = "full",
) -> Iterator[Message]:
    """What is said to each line, until the one that says to stop."""
    run: Run | None = None
    for line in lines:
        ((verb, said),) = json.loads(line).items()
        if verb == "stop":
            return
        if verb == "init":
            earlier = tuple(map(ended_study, said.get("earlier") or ()))
            run = Run(study(said, sampler, scheduler), earlier)
            yield {"ok": True}
            continue
        if run is None:
            raise RuntimeError(f"{verb!r} came before any init")
        if verb == "ask":
            trial = run.ask()
            yield {
                "id": trial.number,
                "config": trial.params,
                "fidelity": run.next(trial),
            }
        elif verb == "tell":
            run.tell(said["id"], _curve(said))
            yield {"ok": True}
        else:
            raise RuntimeError(f"no verb {verb!r}: init, ask, tell or stop")


def _curve(told: Message) -> dict[int, float]:
    """The values by step of a `tell` message."""
    last = [told.get("fidelity") or 1, told["value"]]
    points = told.get("curve") or [last]
    if not math.isfinite(_number(told["value"])):
        points = [*points, last]
    return {int(step): _number(value) for step, value in points}


def _number(value: float | None) -> float:
    """The value, nan where it is null."""
    return math.nan if value is None else float(value)


def _is_maximized(init: Message) -> bool:
    direction = init.get("direction") or "minimize"
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction is minimize or maximize, got {direction!r}")
    return bool(direction == "maximize")


def _sampler(name: str) -> Sampler:
    """A sampler by its name, or as MODULE:CLASS while it has none."""
    module, _, own = name.partition(":")
    if own:
        made: Sampler = getattr(import_module(module), own)()
        return made
    return recipes.sampler(name)


def scheduler_in(mode: str, name: str | None = None) -> Scheduler | str:
    """The scheduler of a name, or the default of a mode.

    A harness with epochs can go on from where a trial was, so `auto` may promote.
    """
    if mode == "mf" and name in (None, "auto"):
        return AutoScheduler(checkpoints=True)
    return name or "full"


def main(words: Sequence[str] | None = None) -> None:
    """Answers on stdout whatever comes on stdin."""
    parser = argparse.ArgumentParser(description="A method behind a line protocol.")
    parser.add_argument("--mode", choices=("full", "mf"), default="full")
    parser.add_argument("--sampler", default="auto", help="a name, or MODULE:CLASS")
    parser.add_argument("--scheduler", help="a name; auto with epochs, else full")
    own = parser.parse_args(words)
    scheduler = scheduler_in(own.mode, own.scheduler)
    for answer in answers(sys.stdin, _sampler(own.sampler), scheduler):
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
