"""A fixed list of params, tried in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from numpy.random import Generator

from ..errors import SamplerError, SpaceError
from ..history import History
from ..space import Params
from ..value import plain
from .base import Sampler, Suggestion


@dataclass(frozen=True)
class Fixed(Sampler):
    """The params of a list, in order; nothing after its end.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"lr": danlu.Float(0, 1)})
    >>> history = danlu.History(space, danlu.Metric("loss"), position=1)
    >>> points = danlu.samplers.Fixed([{"lr": 0.1}, {"lr": 0.2}])
    >>> points.ask(history, numpy.random.default_rng(0)).params
    {'lr': 0.2}

    Raises:
        SamplerError: it is no list of params, or empty.
        SpaceError: a value is nothing that a trial can have, such as nan.
    """

    points: Sequence[Params]
    exhaustive: ClassVar[bool] = True
    adaptive: ClassVar[bool] = False

    def __post_init__(self) -> None:
        known = isinstance(self.points, Sequence) and not isinstance(self.points, str)
        if not known or not all(isinstance(own, Mapping) for own in self.points):
            raise SamplerError(
                f"Fixed needs a list of params by name, got {self.points!r}: write "
                "[{'lr': 0.1}, {'lr': 0.2}]"
            )
        points = tuple(
            {name: plain(value) for name, value in point.items()}
            for point in self.points
        )
        object.__setattr__(self, "points", points)
        if not self.points:
            raise SamplerError("Fixed needs at least one set of params, got none")

    def ask(self, history: History, rng: Generator) -> Suggestion | None:
        """The entry at `history.position`, None after the last."""
        if history.position >= len(self.points):
            return None
        try:
            params = history.space.admit(self.points[history.position])
        except SpaceError as error:
            place = f"point {history.position} of the list (from 0)"
            raise SpaceError(f"{place} is not in the space: {error}") from None
        return Suggestion(params)
