from __future__ import annotations

import numpy as np

from danlu.domain import Belief, Choice, Float
from danlu.history import History
from danlu.metric import Metric
from danlu.samplers import Random
from danlu.space import SearchSpace

SPACE = SearchSpace({"x": Float(0, 1), "c": Choice(["a", "b", "c"])})


def test_values_are_even_over_the_space() -> None:
    rng = np.random.default_rng(0)
    known = History(SPACE, Metric("loss"))

    drawn = [Random().ask(known, rng).params for _ in range(3000)]

    # three standard deviations of a share of 3000 are at most 0.027
    for option in "abc":
        assert abs(np.mean([p["c"] == option for p in drawn]) - 1 / 3) < 0.027
    for quarter in (0.25, 0.5, 0.75):
        below = np.mean([float(str(p["x"])) < quarter for p in drawn])
        assert abs(below - quarter) < 0.027


def test_more_values_lie_where_they_are_believed() -> None:
    c = Choice(["a", "b", "c"], belief=Belief("b", 0.7))
    space = SearchSpace({"x": Float(0, 1, belief=Belief(0.2, 0.9)), "c": c})
    rng = np.random.default_rng(0)

    drawn = [Random().ask(History(space, Metric("loss")), rng) for _ in range(1000)]

    # of a normal distribution 95 % is within two standard deviations, of 0.1 each;
    # three standard deviations of a share of 1000 are at most 0.048
    near = [abs(float(str(own.params["x"])) - 0.2) < 0.2 for own in drawn]
    assert abs(np.mean(near) - (0.9 * 0.955 + 0.1 * 0.4)) < 0.048
    b = [own.params["c"] == "b" for own in drawn]
    assert abs(np.mean(b) - 0.8) < 0.048
