"""Quasi-random search: low-discrepancy points, scrambled and randomly shifted.

Points of a low-discrepancy sequence leave smaller gaps than independent ones, and like
random search, unlike a grid, give every hyperparameter a new value with every trial
(Bousquet et al., 2017, "Critical hyper-parameters: no random, no cry").

The point number k depends on the study's seed, the arm and k alone: any number of
workers, a restart, or a later extension of the study give the same points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from numpy.random import Generator

from ..belief import spread
from ..errors import SamplerError
from ..history import History
from ..sequence import point
from .base import Sampler, Suggestion


@dataclass(frozen=True)
class QuasiRandom(Sampler):
    """Params at the points of a scrambled Sobol or Halton sequence.

    Where the space has beliefs, more of them lie where the best is expected.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> halves = []
    >>> for k in range(4):
    ...     history = danlu.History(space, danlu.Metric("loss"), position=k)
    ...     rng = numpy.random.default_rng(0)
    ...     x = danlu.samplers.QuasiRandom().ask(history, rng).params["x"]
    ...     halves.append(int(4 * x))
    >>> sorted(halves)  # four points: one in each quarter
    [0, 1, 2, 3]

    Raises:
        SamplerError: the sequence is neither `sobol` nor `halton`.
    """

    adaptive: ClassVar[bool] = False
    sequence: Literal["sobol", "halton"] = "sobol"

    def __post_init__(self) -> None:
        if self.sequence not in ("sobol", "halton"):
            raise SamplerError(
                f"the sequence is 'sobol' or 'halton', got {self.sequence!r}"
            )

    def ask(self, history: History, rng: Generator) -> Suggestion:
        """The params at the sequence's point number `history.position`."""
        space = history.space
        u = point(self.sequence, len(space), history.seed, history.position)
        (place,) = spread(space, u[None])
        return Suggestion(space.decode(place))
