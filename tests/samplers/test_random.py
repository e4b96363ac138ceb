from __future__ import annotations

import numpy as np

from danlu.domain import Choice, Float
from danlu.history import History, Metric
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
