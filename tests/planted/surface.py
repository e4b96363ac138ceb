"""What a training ends at, as a function of its params: terms with known truth.

A term gives a shortfall q >= 0 from the *places* of a trial: for each active path where
its value is in the unit cube of the study. The best place of a term may be outside of
[0, 1]: then the space is too small. The error of a training is

    error = floor + (chance - floor) (1 - exp(-q)),

a bowl around the optimum and a plateau far from it, where a network has learned nothing
and keeps the error of chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from danlu.value import Value

Places = Mapping[str, float]
Values = Mapping[str, Value]


class Term(Protocol):
    """One part of the shortfall q."""

    def q(self, places: Places, values: Values) -> float: ...


@dataclass(frozen=True)
class Bowl:
    """One hyperparameter: `weight` at a distance of the whole range from `best`.

    Beyond the best it is `above` times as steep: too hot hurts more than too cold.
    """

    path: str
    best: float
    weight: float
    above: float = 1.0

    def q(self, places: Places, values: Values) -> float:
        if self.path not in places:
            return 0.0
        distance = places[self.path] - self.best
        return self.weight * distance**2 * (self.above if distance > 0 else 1.0)


@dataclass(frozen=True)
class Valley:
    """Two hyperparameters that make up for each other: what counts is a weighted sum.

    So it is with learning rate and momentum, or learning rate and batch size.
    """

    first: str
    second: str
    best: float
    weight: float
    share: float = 1.0  # of the second one in the sum

    def q(self, places: Places, values: Values) -> float:
        if self.first not in places or self.second not in places:
            return 0.0
        distance = places[self.first] + self.share * places[self.second] - self.best
        return self.weight * distance**2


@dataclass(frozen=True)
class Rise:
    """More is better, less and less so: the width of a network, the data it is given.

    `weight` exp(-`rate` u) is lost at the place u.
    """

    path: str
    weight: float
    rate: float

    def q(self, places: Places, values: Values) -> float:
        if self.path not in places:
            return 0.0
        return self.weight * math.exp(-self.rate * places[self.path])


@dataclass(frozen=True)
class Offset:
    """An option of a choice that costs `loss` of q, whatever else is set."""

    path: str
    option: Value
    loss: float

    def q(self, places: Places, values: Values) -> float:
        return self.loss if values.get(self.path) == self.option else 0.0


@dataclass(frozen=True)
class Only:
    """A term that counts in one arm alone: where `path` has that option."""

    path: str
    option: Value
    term: Term

    def q(self, places: Places, values: Values) -> float:
        if values.get(self.path) != self.option:
            return 0.0
        return self.term.q(places, values)


@dataclass(frozen=True)
class Cliff:
    """Training diverges where a weighted sum of places exceeds `limit`.

    Right at the limit half of the seeds diverge; the chance of it goes from a quarter
    to three quarters within about `softness` on each side.
    """

    weights: Mapping[str, float]
    limit: float
    softness: float = 0.01
    reason: str = ""  # of the infeasible trial; empty where the metric becomes nan

    def excess(self, places: Places) -> float:
        """How far beyond the limit a trial is; negative on the safe side."""
        if not self.weights.keys() <= places.keys():
            return -math.inf
        heat = sum(weight * places[path] for path, weight in self.weights.items())
        return heat - self.limit

    def chance(self, places: Places) -> float:
        """The probability that a trial is infeasible."""
        excess = self.excess(places) / self.softness
        return 1 / (1 + math.exp(-min(max(excess, -50.0), 50.0)))


@dataclass(frozen=True)
class Corner:
    """Training diverges where every one of these places is above its limit."""

    limits: Mapping[str, float]
    reason: str = ""

    def excess(self, places: Places) -> float:
        """How far inside the corner a trial is; negative outside."""
        return min(places[path] - limit for path, limit in self.limits.items())

    def chance(self, places: Places) -> float:
        """The probability that a trial is infeasible."""
        return float(self.excess(places) > 0)


def error(q: float, floor: float, chance: float) -> float:
    """The error that a training with the shortfall q ends at, without any noise."""
    return floor + (chance - floor) * (1 - math.exp(-q))


def shortfall(terms: Sequence[Term], places: Places, values: Values) -> float:
    """q of all terms together."""
    return sum(term.q(places, values) for term in terms)
