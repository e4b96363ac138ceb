"""Random search (Bergstra & Bengio, 2012): every trial drawn on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.random import Generator

from ..belief import spread
from ..history import History
from .base import Sampler, Suggestion


@dataclass(frozen=True)
class Random(Sampler):
    """Params drawn evenly from the search space, each trial on its own.

    Where the space has beliefs, more of them lie where the best is expected.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> history = danlu.History(space, danlu.Metric("loss"))
    >>> suggestion = danlu.samplers.Random().ask(history, numpy.random.default_rng(0))
    >>> suggestion.params
    {'x': 0.6369616873215}
    """

    adaptive: ClassVar[bool] = False

    def ask(self, history: History, rng: Generator) -> Suggestion:
        """The params at a random point of the unit cube."""
        space = history.space
        (point,) = spread(space, rng.random((1, len(space))))
        return Suggestion(space.decode(point))
