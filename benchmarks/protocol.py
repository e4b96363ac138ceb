"""A sampler of danlu behind a line protocol, so that any harness can drive it.

python -m benchmarks.protocol --sampler gp

Each line on stdin is one JSON object, answered by one on stdout:

  {"init": {"space": [...], "seed": 0, "max_trials": 100}}   begins a new run
  {"ask": {}}                                                 gives an id and a config
  {"tell": {"id": 7, "value": 0.231}}                         smaller is better
  {"stop": {}}                                                ends the process

The space is a list of entries like {"name": "lr", "type": "float", "low": 1e-5, "high":
0.1, "log": true}, {"type": "int", ...} and {"type": "cat", "choices": [...]}. With
"cond": {"parent": "booster", "in": ["dart", "gbtree"]} an entry is active under these
options only. Several trials may be asked for before one is told; a value that is null
or not finite says that the config is infeasible.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from danlu import Choice, Curve, Float, History, Int, State, Study, Trial, recipes
from danlu.ask import sampler_of, trial_rng, trial_seed
from danlu.domain import Domain, Value
from danlu.ledger import Ledger
from danlu.memory import arm_seed
from danlu.samplers import Sampler
from danlu.trial import Kind

METRIC = "loss"
_NUMBERS: Mapping[str, type[Float | Int]] = {"float": Float, "int": Int}

Entry = Mapping[str, Any]
Message = Mapping[str, Any]


class Run:
    """One study in memory, asked and told as the flow does it."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._sampler = sampler_of(study)
        self._trials = Ledger()

    def ask(self) -> Trial:
        """The next trial, running from now on."""
        number = len(self._trials)
        rng = trial_rng(self._study, number)
        suggestion = self._sampler.ask(self.history(), rng)
        if suggestion is None:
            raise RuntimeError(f"{self._sampler} has nothing left after {number} asks")
        trial = Trial(
            number,
            self._study.search_space.admit(suggestion.params),
            index=number,
            budget=self._study.max_steps,
            seed=trial_seed(self._study, Kind.SEARCH, number),
            sampler_note=suggestion.note,
        )
        self._trials.keep(trial)
        return trial

    def tell(self, number: int, value: float | None) -> None:
        """Ends the trial `number` with its loss, or as infeasible without one."""
        curve = Curve.of({1: float("nan") if value is None else value})
        feasible = self._study.objective.loss(curve) is not None
        state = State.COMPLETED if feasible else State.INFEASIBLE
        ended = replace(self._trials[number], state=state, curves={METRIC: curve})
        self._trials.keep(ended)

    def history(self) -> History:
        """What the sampler is shown when it is asked next."""
        study = self._study
        return History(
            space=study.search_space,
            metric=study.objective,
            trials=self._trials,
            seed=arm_seed(study.seed, 0),
            position=len(self._trials),
            max_steps=study.max_steps,
        )


def study(init: Message, sampler: Sampler | str) -> Study:
    """The study that an `init` message states."""
    return Study(
        name="benchmark",
        goal="How low does this sampler get?",
        metric=METRIC,
        space=domains(init["space"]),
        trials=int(init["max_trials"]),
        sampler=sampler,
        max_steps=1,
        seed=int(init["seed"]),
    )


def domains(entries: Sequence[Entry]) -> dict[str, Domain]:
    """A flat list of entries with conditions, as nested domains."""
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
    if entry["type"] == "cat":
        name, options = entry["name"], entry["choices"]
        return Choice({own: dict(_branch(entries, name, own)) for own in options})
    number = _NUMBERS[entry["type"]]
    return number(entry["low"], entry["high"], log=bool(entry.get("log")))


def answers(lines: Iterable[str], sampler: Sampler | str) -> Iterator[Message]:
    """What is said to each line, until the one that says to stop."""
    run: Run | None = None
    for line in lines:
        ((verb, said),) = json.loads(line).items()
        if verb == "stop":
            return
        if verb == "init":
            run = Run(study(said, sampler))
            yield {"ok": True}
            continue
        if run is None:
            raise RuntimeError(f"{verb!r} came before any init")
        if verb == "ask":
            trial = run.ask()
            yield {"id": trial.number, "config": trial.params}
        elif verb == "tell":
            run.tell(said["id"], said["value"])
            yield {"ok": True}
        else:
            raise RuntimeError(f"no verb {verb!r}: init, ask, tell or stop")


def _sampler(name: str) -> Sampler:
    """A sampler by its name, or as MODULE:CLASS while it has none."""
    module, _, own = name.partition(":")
    if own:
        made: Sampler = getattr(import_module(module), own)()
        return made
    return recipes.sampler(name)


def main() -> None:
    """Answers on stdout whatever comes on stdin."""
    parser = argparse.ArgumentParser(description="A sampler behind a line protocol.")
    parser.add_argument("--sampler", default="auto", help="a name, or MODULE:CLASS")
    arguments = parser.parse_args()
    say = partial(print, flush=True)
    for answer in answers(sys.stdin, _sampler(arguments.sampler)):
        say(json.dumps(answer))


if __name__ == "__main__":
    main()
