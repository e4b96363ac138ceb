"""The contract of a scheduler: pure functions of the history."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from numpy.random import Generator

from ..history import History
from ..space import Params
from ..trial import Note, Trial


@dataclass(frozen=True)
class Start:
    """Start a new trial and let it run to step `budget` (None: the full length).

    `params` None leaves the choice to the sampler. With `parent`, a trial that is
    paused or has ended, it begins from a copy of that trial's checkpoint, at its step.

    >>> import danlu
    >>> danlu.Start(budget=9).params is None
    True
    """

    budget: int | None = None
    params: Params | None = None
    parent: int | None = None
    note: Note = field(default_factory=dict)


@dataclass(frozen=True)
class Resume:
    """Let the paused trial `number` go on to step `budget` (None: the full length).

    >>> import danlu
    >>> danlu.Resume(4, budget=27)
    Resume(number=4, budget=27)
    """

    number: int
    budget: int | None = None


class Verdict(StrEnum):
    """What becomes of a running trial after a report.

    >>> import danlu
    >>> list(danlu.Verdict)
    [<Verdict.CONTINUE: 'continue'>, <Verdict.PAUSE: 'pause'>, <Verdict.STOP: 'stop'>]
    """

    CONTINUE = "continue"
    PAUSE = "pause"
    STOP = "stop"


class Scheduler(ABC):
    """Chooses how far trials run. A subclass is a frozen dataclass of its settings.

    `adaptive`: what `next` answers depends on the trials so far.

    >>> import danlu
    >>> issubclass(danlu.schedulers.Median, danlu.Scheduler)
    True
    """

    adaptive: ClassVar[bool] = True

    @abstractmethod
    def next(self, history: History, rng: Generator) -> Start | Resume | None:
        """What to do with a free slot; None waits for running trials.

        `history` is one arm of the study: each is asked about on its own. When None
        comes while nothing runs, the study is done, and those still paused are stopped.
        """

    @abstractmethod
    def judge(self, trial: Trial, history: History) -> Verdict:
        """Whether `trial` goes on after its latest report.

        Asked after every batch of reports, for search trials alone. `history` is the
        trial's arm: trials that differ in a scientific value are never compared.
        """

    def rungs(self, history: History) -> Sequence[int]:
        """The steps at which trials are compared to see who goes on, lowest first.

        A sampler learns from the losses at one of them (see `level.leveled`). Without
        any it learns from the trials that have ended.
        """
        return ()


class StoppingRule(Scheduler):
    """Starts a trial in every free slot; subclasses say which of them are stopped."""

    adaptive: ClassVar[bool] = False

    def next(self, history: History, rng: Generator) -> Start:
        """A new trial with the full budget."""
        return Start()
