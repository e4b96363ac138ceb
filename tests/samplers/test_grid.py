from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from danlu.domain import Choice, Float, Int
from danlu.errors import SamplerError, SpaceError
from danlu.history import History
from danlu.metric import Metric
from danlu.samplers import Grid
from danlu.space import Params, SearchSpace
from danlu.value import Value

RNG = np.random.default_rng(0)


def every_point(grid: Grid, space: SearchSpace) -> list[Params]:
    points: list[Params] = []
    while True:
        known = History(space, Metric("loss"), position=len(points))
        suggestion = grid.ask(known, RNG)
        if suggestion is None:
            return points
        points.append(suggestion.params)


def test_a_flat_grid_is_the_product_of_its_values_with_the_last_fastest() -> None:
    space = SearchSpace({"a": Choice(["x", "y"]), "b": Int(1, 3), "c": Float(0, 1)})

    points = every_point(Grid(levels=3), space)

    expected = product("xy", [1, 2, 3], [0.0, 0.5, 1.0])
    assert list(expected) == [tuple(point.values()) for point in points]


def test_a_conditional_grid_has_only_what_each_option_brings() -> None:
    space = SearchSpace(
        {
            "opt": Choice(
                {
                    "adam": {"lr": Choice([1, 2])},
                    "sgd": {
                        "lr": Choice([3, 4]),
                        "m": Choice({"on": {"beta": Choice([5, 6])}, "off": {}}),
                    },
                    "none": {},
                }
            ),
            "n": Choice([0, 9]),
        }
    )

    points = every_point(Grid(), space)

    adam: list[dict[str, Value]] = [{"opt": "adam", "lr": lr} for lr in (1, 2)]
    momenta: list[dict[str, Value]]
    momenta = [{"m": "on", "beta": 5}, {"m": "on", "beta": 6}, {"m": "off"}]
    rates: list[dict[str, Value]] = [{"opt": "sgd", "lr": 3}, {"opt": "sgd", "lr": 4}]
    sgd = [{**rate, **momentum} for rate in rates for momentum in momenta]
    branches: list[dict[str, Value]] = [*adam, *sgd, {"opt": "none"}]
    assert [{**branch, "n": n} for branch in branches for n in (0, 9)] == points


def test_the_count_is_the_number_of_different_points() -> None:
    space = SearchSpace(
        {
            "a": Choice({"p": {"x": Float(0, 1)}, "q": {"y": Int(1, 100, log=True)}}),
            "b": Float(1e-3, 1, log=True),
        }
    )
    grid = Grid(levels=4)

    points = every_point(grid, space)

    assert grid.count(space) == len(points) == len({str(point) for point in points})


def test_levels_are_even_in_the_scale_of_the_domain_bounds_included() -> None:
    space = SearchSpace({"lr": Float(1e-3, 1e1, log=True)})

    assert [1e-3, 1e-2, 1e-1, 1.0, 10.0] == [
        point["lr"] for point in every_point(Grid(), space)
    ]


def test_levels_can_be_said_by_name_path_and_value() -> None:
    space = SearchSpace(
        {
            "opt": Choice({"a": {"lr": Float(0, 1)}, "b": {"lr": Float(0, 1)}}),
            "n": Int(0, 9),
        }
    )
    grid = Grid(levels={"lr": 2, "opt=b/lr": [0.25], "n": [3, 7]})

    points = [tuple(point.values()) for point in every_point(grid, space)]

    branches = [("a", 0.0), ("a", 1.0), ("b", 0.25)]
    assert [(*branch, n) for branch in branches for n in (3, 7)] == points


def test_a_pinned_value_is_the_only_one_of_its_dimension() -> None:
    space = SearchSpace({"a": Choice([1, 2]), "b": Choice([3, 4])}).pin({"a": 2})

    assert [{"a": 2, "b": 3}, {"a": 2, "b": 4}] == every_point(Grid(), space)


@pytest.mark.parametrize(
    "domain",
    [
        Int(0, 2**63 - 1),
        Int(2**62 + 1, 2**63 - 1, log=True),
        Float(-1e300, 1e300),
        Int(-(10**400), 10**400),
    ],
    ids=["int64", "int64 log", "float", "beyond floats"],
)
def test_a_huge_range_has_its_levels_too(domain: Any) -> None:
    points = every_point(Grid(levels=3), SearchSpace({"x": domain}))

    assert (domain.low, domain.high) == (points[0]["x"], points[-1]["x"])
    assert 3 == len(points)


def test_a_value_outside_the_domain_is_refused() -> None:
    with pytest.raises(SpaceError, match="7 is not in"):
        every_point(Grid({"x": [7]}), SearchSpace({"x": Float(0, 1)}))


@pytest.mark.parametrize("levels", [0, -1, {"x": 0}, {"x": []}, 2.5, {"x": 2.5}])
def test_levels_are_at_least_one(levels: Any) -> None:
    with pytest.raises(SamplerError, match="Grid needs"):
        Grid(levels)


def test_levels_of_an_unknown_name_are_refused() -> None:
    with pytest.raises(SamplerError, match=r"did you mean 'lr'\?"):
        Grid({"lrr": 3}).count(SearchSpace({"lr": Float(0, 1)}))
