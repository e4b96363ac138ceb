"""The default sampler: the method that suits the study so far, and why.

Exploration uses quasi-random points, exploitation uses Bayesian optimization (rule
D11). A study with scientific hyperparameters explores: it compares, and points that
were chosen without looking at the results keep the comparison fair. Any other study is
after good params. There the Gaussian process found better ones than TPE and CMA-ES on
every family of tasks that was measured, from the first trials on, and the more trials
there are the less it gains over TPE and the more it costs (docs/samplers-measured.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from numpy.random import Generator

from .history import History
from .samplers.base import Sampler, Suggestion
from .samplers.gp import GP
from .samplers.quasi_random import QuasiRandom
from .samplers.tpe import TPE
from .trial import State

MOST_FOR_GP = 1000  # trials: beyond, TPE asks in milliseconds and finds no less


@dataclass(frozen=True)
class Auto(Sampler):
    """Asks the sampler that suits the study so far; the note says which, and why.

    `explores`: the study compares, so that all its points are quasi-random.

    >>> import danlu, numpy
    >>> from danlu.auto import Auto
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> history = danlu.History(space, danlu.Metric("loss"))
    >>> Auto().ask(history, numpy.random.default_rng(0)).note["why"]
    'Gaussian process: 1 dimension, 0 trials'
    """

    explores: bool = False

    def ask(self, history: History, rng: Generator) -> Suggestion | None:
        """The suggestion of the sampler that suits the history."""
        sampler, name = self.choice(history)
        suggestion = sampler.ask(history, rng)
        if suggestion is None:
            return None
        why = f"{name}: {_facts(history)}"
        return replace(suggestion, note={**suggestion.note, "why": why})

    def choice(self, history: History) -> tuple[Sampler, str]:
        """The sampler that suits the history, and its name in words."""
        if self.explores:
            return QuasiRandom(), "quasi-random, to compare fairly"
        if len(history.trials) >= MOST_FOR_GP:
            return TPE(), "TPE"
        return GP(), "Gaussian process"


def _facts(history: History) -> str:
    """What the choice rests on: `9 dimensions, 60 trials, 2 at a time`."""
    dimensions = history.space.dimensions
    facts = [_counted(len(dimensions), "dimension")]
    conditional = sum(dimension.parent is not None for dimension in dimensions)
    if conditional:
        facts.append(f"{conditional} of them conditional")
    running = sum(trial.state is State.RUNNING for trial in history.trials)
    facts.append(_counted(len(history.trials) - running, "trial"))
    if running:
        facts.append(f"{running + 1} at a time")
    return ", ".join(facts)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
