"""`auto`: the sampler and the scheduler that suit the study, and why.

Exploration uses quasi-random points, exploitation uses Bayesian optimization (rule
D11). A study with scientific hyperparameters explores: it compares, and points that
were chosen without looking at the results keep the comparison fair. Any other study is
after good params. There the Gaussian process found better ones than TPE and CMA-ES on
every family of tasks that was measured, from the first trials on, and the more trials
there are the less it gains over TPE and the more it costs (docs/samplers-measured.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from numpy.random import Generator

from . import samplers, schedulers
from .history import History
from .samplers.base import Sampler, Suggestion
from .schedulers.base import Resume, Scheduler, Start, Verdict
from .sentence import plural
from .trial import State, Trial

# With two rungs a trial would be judged once, after a third of its training: at most
# two thirds of the steps can be saved, and a single look is easily mistaken.
LEAST_RUNGS = 3
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
            return samplers.QuasiRandom(), "quasi-random, to compare fairly"
        if len(history.trials) >= MOST_FOR_GP:
            return samplers.TPE(), "TPE"
        return samplers.GP(), "Gaussian process"


@dataclass(frozen=True)
class AutoScheduler(Scheduler):
    """Trains little where a full training is long; the note says how, and why.

    `checkpoints`: the program goes on from its checkpoints, so that a trial may be
    paused and called back. Without, a trial that falls behind is stopped for good.

    >>> import danlu, numpy
    >>> from danlu.auto import AutoScheduler
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> history = danlu.History(space, danlu.Metric("loss"), max_steps=27)
    >>> AutoScheduler().next(history, numpy.random.default_rng(0)).note["why"]
    'asha_stop: 27 steps make 4 rungs, and nothing is known of checkpoints'
    """

    checkpoints: bool = False

    def next(self, history: History, rng: Generator) -> Start | Resume | None:
        """What the scheduler that suits the study would do."""
        scheduler, why = self.choice(history)
        found = scheduler.next(history, rng)
        if not isinstance(found, Start):
            return found
        return replace(found, note={**found.note, "why": why})

    def judge(self, trial: Trial, history: History) -> Verdict:
        """What the scheduler that suits the study says of a trial."""
        return self.choice(history)[0].judge(trial, history)

    def rungs(self, history: History) -> Sequence[int]:
        """Those of the scheduler that suits the study."""
        return self.choice(history)[0].rungs(history)

    def choice(self, history: History) -> tuple[Scheduler, str]:
        """The scheduler that suits the study, and why in words.

        It rests on the statement alone, so that it never changes during a study. The
        number of slots does not count: in none of the three does a slot wait.
        """
        steps = history.max_steps
        if steps is None:
            return schedulers.Full(), "full: max_steps is not set"
        count = len(schedulers.Asha().rungs(history))
        if count < LEAST_RUNGS:
            why = f"full: {steps} steps are too few to stop a trial early"
            return schedulers.Full(), why
        facts = f"{steps} steps make {count} rungs"
        if self.checkpoints:
            why = f"asha: {facts}, and the program keeps checkpoints"
            return schedulers.Asha(), why
        why = f"asha_stop: {facts}, and nothing is known of checkpoints"
        return schedulers.AshaStop(), why


def _facts(history: History) -> str:
    """What the choice rests on: `9 dimensions, 60 trials, 2 at a time`."""
    dimensions = history.space.dimensions
    facts = [plural(len(dimensions), "dimension")]
    conditional = sum(dimension.parent is not None for dimension in dimensions)
    if conditional:
        facts.append(f"{conditional} of them conditional")
    running = sum(trial.state is State.RUNNING for trial in history.trials)
    facts.append(plural(len(history.trials) - running, "trial"))
    if running:
        facts.append(f"{running + 1} at a time")
    return ", ".join(facts)
