from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest

from danlu.belief import spread
from danlu.domain import Belief, Choice, Float, Int
from danlu.errors import SamplerError
from danlu.history import History
from danlu.metric import Metric
from danlu.samplers import QuasiRandom
from danlu.space import Array, SearchSpace

Sequence = Literal["sobol", "halton"]
CUBE = SearchSpace({name: Float(0, 1) for name in "abc"})
both = pytest.mark.parametrize("sequence", ["sobol", "halton"])


def point(sequence: Sequence, k: int, seed: int = 0, space: SearchSpace = CUBE) -> Any:
    known = History(space, Metric("loss"), seed=seed, position=k)
    return QuasiRandom(sequence).ask(known, np.random.default_rng(k)).params


def points(sequence: Sequence, count: int, seed: int = 0) -> Array:
    return np.array([list(point(sequence, k, seed).values()) for k in range(count)])


@both
def test_a_point_depends_on_the_seed_and_its_number_alone(sequence: Sequence) -> None:
    in_order = [point(sequence, k) for k in range(130)]

    assert in_order[::-1] == [point(sequence, k) for k in reversed(range(130))]
    assert in_order[5] != point(sequence, 5, seed=1)


@both
def test_no_point_comes_twice(sequence: Sequence) -> None:
    assert 300 == len(np.unique(points(sequence, 300), axis=0))


@both
def test_the_first_points_are_not_in_the_corner(sequence: Sequence) -> None:
    first = [points(sequence, 1, seed)[0] for seed in range(40)]

    assert 0.3 < np.mean(first) < 0.7
    assert not (np.array(first) == 0).any()


def test_each_block_of_64_sobol_points_fills_every_64th_once() -> None:
    values = points("sobol", 128)

    for block in (values[:64], values[64:]):
        for column in block.T:
            assert list(range(64)) == sorted((64 * column).astype(int).tolist())


@both
def test_a_choice_and_an_int_get_even_shares(sequence: Sequence) -> None:
    space = SearchSpace({"c": Choice(["a", "b", "c", "d"]), "n": Int(1, 4)})

    drawn = [point(sequence, k, space=space) for k in range(64)]

    for name, options in (("c", "abcd"), ("n", (1, 2, 3, 4))):
        shares = [sum(p[name] == option for p in drawn) for option in options]
        assert all(14 <= share <= 18 for share in shares), shares


@both
def test_a_study_of_two_arms_covers_each_on_its_own(sequence: Sequence) -> None:
    space = SearchSpace({"opt": Choice(["adam", "sgd"]), "lr": Float(0, 1)})

    for arm in ("adam", "sgd"):
        own = space.pin({"opt": arm})
        values = [point(sequence, k, space=own)["lr"] for k in range(16)]
        assert all(any(q <= v < q + 0.25 for v in values) for q in (0, 0.25, 0.5, 0.75))


def test_sobol_covers_the_cube_better_than_random_points() -> None:
    from scipy.stats import qmc

    random = np.random.default_rng(0).random((64, 3))

    assert qmc.discrepancy(points("sobol", 64)) < qmc.discrepancy(random) / 2


def test_an_unknown_sequence_is_refused() -> None:
    with pytest.raises(SamplerError, match="'sobol' or 'halton', got 'niederreiter'"):
        QuasiRandom("niederreiter")  # type: ignore[arg-type]


def test_a_sequence_is_as_even_through_a_belief_as_without_one() -> None:
    """Of 16 points one is in each 16th of what is believed."""
    space = SearchSpace({"x": Float(0, 1, belief=Belief(0.3, 0.8))})
    edges = spread(space, np.linspace(0, 1, 17)[:, None])[:, 0]
    drawn = [
        QuasiRandom().ask(
            History(space, Metric("loss"), position=k), np.random.default_rng(0)
        )
        for k in range(16)
    ]

    places = [space.encode(own.params)[0] for own in drawn]

    assert [1] * 16 == np.histogram(places, edges)[0].tolist()
