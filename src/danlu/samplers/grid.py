"""Grid search, also over conditional spaces: every combination once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from ..domain import Choice, Domain, Float, Int
from ..errors import SamplerError, SpaceError, did_you_mean
from ..history import History
from ..space import SearchSpace, path_of
from ..value import Value, same
from .base import Sampler, Suggestion

LEVELS = 5  # per number where nothing is said: 5 tell a valley from a slope


@dataclass(frozen=True)
class Grid(Sampler):
    """Every combination of the options and of some values of each number, once.

    `levels` is a count for all numbers, or a mapping of name or path to a count or to
    a list of values (5 for those that it leaves out). Numbers are spaced evenly in
    their own scale, bounds included; a whole number with no more values than levels
    gives each of them. The last hyperparameter changes fastest. Beliefs do not apply:
    whoever wants points closer together somewhere lists them in `levels`.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"lr": danlu.Float(1e-3, 1e-1, log=True),
    ...                            "opt": danlu.Choice(["adam", "sgd"])})
    >>> grid = danlu.samplers.Grid(levels=3)
    >>> grid.count(space)
    6
    >>> third = danlu.History(space, danlu.Metric("loss"), position=2)
    >>> grid.ask(third, numpy.random.default_rng(0)).params
    {'lr': 0.01, 'opt': 'adam'}

    Raises:
        SamplerError: fewer than one level.
    """

    levels: int | Mapping[str, int | Sequence[Value]] = LEVELS
    exhaustive: ClassVar[bool] = True
    adaptive: ClassVar[bool] = False

    def __post_init__(self) -> None:
        levels = self.levels
        if isinstance(levels, Mapping):
            object.__setattr__(self, "levels", dict(levels))
        every = levels.values() if isinstance(levels, Mapping) else [levels]
        for own in every:
            count = len(own) if isinstance(own, list | tuple) else own
            if type(count) is not int or count < 1:
                raise SamplerError(
                    f"Grid needs a number of levels from 1, or a list, got {own!r}"
                )

    def ask(self, history: History, rng: Generator) -> Suggestion | None:
        """The grid's point number `history.position`, None when it is exhausted."""
        space = history.space
        if history.position >= self.count(space):
            return None
        values = dict(self._point(space, space.domains, history.position))
        return Suggestion(space.admit(values))

    def count(self, space: SearchSpace) -> int:
        """How many points the grid has over `space`."""
        self._check_names(space)
        return self._count(space, space.domains)

    def _check_names(self, space: SearchSpace) -> None:
        known = [name for d in space.dimensions for name in (d.name, d.path)]
        known += [name for path in space.pinned for name in (_last(path), path)]
        named = self.levels if isinstance(self.levels, Mapping) else ()
        for name in named:
            if name not in known:
                hint = did_you_mean(name, known)
                raise SamplerError(f"Grid has levels for {name!r}: {hint}")

    def _count(
        self,
        space: SearchSpace,
        domains: Mapping[str, Domain],
        parent: str | None = None,
        option: Value = None,
    ) -> int:
        """Points below one branch: a product of names, a sum over options."""
        return prod(
            sum(self._shares(space, name, domain, path_of(parent, option, name)))
            for name, domain in domains.items()
        )

    def _shares(
        self, space: SearchSpace, name: str, domain: Domain, path: str
    ) -> list[int]:
        """For each value of a hyperparameter, the points of the branch it opens."""
        values = self._values(space, name, domain, path)
        if not isinstance(domain, Choice):
            return [1] * len(values)
        branches = domain.branches
        return [self._count(space, branches.get(v, {}), path, v) for v in values]

    def _point(
        self,
        space: SearchSpace,
        domains: Mapping[str, Domain],
        rank: int,
        parent: str | None = None,
        option: Value = None,
    ) -> Iterator[tuple[str, Value]]:
        """The point number `rank` below one branch, as pairs of name and value."""
        rest = self._count(space, domains, parent, option)
        for name, domain in domains.items():
            path = path_of(parent, option, name)
            shares = self._shares(space, name, domain, path)
            rest //= sum(shares)
            own, rank = divmod(rank, rest)
            place = 0
            while own >= shares[place]:
                own -= shares[place]
                place += 1
            value = self._values(space, name, domain, path)[place]
            yield name, value
            if isinstance(domain, Choice) and value in domain.branches:
                yield from self._point(space, domain.branches[value], own, path, value)

    def _values(
        self, space: SearchSpace, name: str, domain: Domain, path: str
    ) -> Sequence[Value]:
        if path in space.pinned:
            return [space.pinned[path]]
        levels = (
            self.levels if isinstance(self.levels, Mapping) else {path: self.levels}
        )
        own = levels.get(path, levels.get(name, LEVELS))
        if isinstance(own, int):
            return _spread(domain, own)
        try:
            values = [domain.admit(value) for value in own]
        except SpaceError as error:
            raise SpaceError(
                f"a level of {path!r} is not in its domain: {error}"
            ) from None
        return _different(values)


def _spread(domain: Domain, levels: int) -> Sequence[Value]:
    """`levels` values from bound to bound; the options of a choice are all taken."""
    if isinstance(domain, Choice):
        return tuple(domain.options)
    if isinstance(domain, Int) and domain.high - domain.low < levels:
        return range(domain.low, domain.high + 1)
    if domain.low == domain.high or levels == 1:
        return [domain.decode(0.5)]
    values: list[Value] = [
        _between(domain, place) for place in np.linspace(0, 1, levels).tolist()
    ]
    return _different(values)


def _different(values: Sequence[Value]) -> Sequence[Value]:
    return [v for n, v in enumerate(values) if not any(same(v, w) for w in values[:n])]


def _between(domain: Float | Int, place: float) -> int | float:
    """The value at `place` of the way from low to high in the domain's scale."""
    if isinstance(domain, Float):
        return domain.decode(place)
    if not domain.log:
        return domain.low + round(Fraction(place) * (domain.high - domain.low))
    value = round(Float(domain.low, domain.high, log=True).decode(place))
    return min(max(value, domain.low), domain.high)


def _last(path: str) -> str:
    return path.rpartition("/")[2]
