"""The contracts hold for every part of ours, and find parts that break them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest
from numpy.random import Generator

from danlu import recipes
from danlu.history import History
from danlu.samplers import Grid, QuasiRandom, Random, Sampler, Suggestion
from danlu.schedulers import Full, Median, Resume, Scheduler, Start, Verdict
from danlu.testing import ContractBroken, check_sampler, check_scheduler
from danlu.trial import Trial


@pytest.mark.parametrize(
    "sampler",
    [Random(), QuasiRandom(), QuasiRandom("halton"), Grid(3), recipes.sampler("auto")],
    ids=repr,
)
def test_a_sampler_of_ours_holds_the_contract(sampler: Sampler) -> None:
    check_sampler(sampler)


@pytest.mark.parametrize("scheduler", [Full(), Median(), Median(3, 2)], ids=repr)
def test_a_scheduler_of_ours_holds_the_contract(scheduler: Scheduler) -> None:
    check_scheduler(scheduler)


@dataclass(frozen=True)
class Astray(Sampler):
    def ask(self, history: History, rng: Generator) -> Suggestion:
        inside = Random().ask(history, rng).params
        return Suggestion(dict.fromkeys(inside, "astray"))


@dataclass(frozen=True)
class Moody(Sampler):
    calls: list[int] = dataclasses.field(default_factory=list)

    def ask(self, history: History, rng: Generator) -> Suggestion | None:
        self.calls.append(1)
        return Random().ask(history, rng) if len(self.calls) % 2 else None


class Loose(Sampler):
    def ask(self, history: History, rng: Generator) -> Suggestion | None:
        return None


@dataclass(frozen=True)
class Endless(Scheduler):
    def next(self, history: History, rng: Generator) -> Start | Resume:
        return Resume(0) if history.trials else Start()

    def judge(self, trial: Trial, history: History) -> Verdict:
        return Verdict.PAUSE


@pytest.mark.parametrize(
    ("sampler", "broken"),
    [
        (Astray(), "is not in"),
        (Moody(), "two answers"),
        (Loose(), "is not a frozen dataclass"),
    ],
)
def test_the_contract_finds_a_broken_sampler(sampler: Sampler, broken: str) -> None:
    with pytest.raises(ContractBroken, match=broken):
        check_sampler(sampler)


def test_the_contract_finds_a_scheduler_that_does_not_end() -> None:
    with pytest.raises(ContractBroken, match="does not end a study"):
        check_scheduler(Endless())
