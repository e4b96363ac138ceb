"""The contract of a sampler: a pure function of the history and a random generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from numpy.random import Generator

from ..history import History
from ..space import Params
from ..trial import Note


@dataclass(frozen=True)
class Suggestion:
    """The params of the next trial, and what the sampler marks on it for itself.

    >>> import danlu
    >>> danlu.Suggestion({"lr": 0.1}).params
    {'lr': 0.1}
    """

    params: Params
    note: Note = field(default_factory=dict)


class Sampler(ABC):
    """Chooses params. A subclass is a frozen dataclass of its settings.

    `exhaustive`: it goes through a list of its own until that ends. Then it is asked
    about the whole space, since arms would cut its list in pieces.

    `adaptive`: its answers depend on the trials so far. Of two processes that ask at
    the same moment, the second asks again when it was given the params of the first.

    >>> import danlu
    >>> issubclass(danlu.samplers.Random, danlu.Sampler)
    True
    """

    exhaustive: ClassVar[bool] = False
    adaptive: ClassVar[bool] = True

    @abstractmethod
    def ask(self, history: History, rng: Generator) -> Suggestion | None:
        """The params of the next trial, or None when there is nothing left to try.

        The same history and the same `rng` give the same answer. `history.position`
        tells how many suggestions came before this one; trials that other processes
        have asked for and not yet written down may be missing from `history.trials`.
        """
