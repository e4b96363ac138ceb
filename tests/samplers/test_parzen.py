from __future__ import annotations

import numpy as np
import pytest

from danlu.domain import Belief, Choice, Float, Int
from danlu.samplers.parzen import MOST_CELLS, Blend, around, axes
from danlu.space import Array, SearchSpace

NESTED = SearchSpace(
    {
        "optimizer": Choice(
            {
                "adam": {"beta": Float(0, 1)},
                "sgd": {
                    "momentum": Choice({"on": {"nesterov": Float(0, 1)}, "off": {}})
                },
            }
        ),
        "lr": Float(0, 1),
    }
)
OPTIMIZER, BETA, MOMENTUM, NESTEROV, LR = range(5)


def places(space: SearchSpace, column: int) -> Array:
    """The middle of each value of a dimension with steps."""
    steps = {own.column: own for own in axes(space).steps}
    return steps[column].middles


def test_the_density_of_a_number_integrates_to_one() -> None:
    space = SearchSpace({"x": Float(0, 1)})
    mixture = around(axes(space), np.array([[0.0], [0.3], [0.31], [1.0]]))
    middles = (np.arange(4000) + 0.5) / 4000

    density = np.exp(mixture.log_density(middles[:, None]))

    assert density.mean() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "domain",
    [
        Int(1, 6),
        Int(1, 60, log=True),
        Choice([32, 64, 128], ordered=True),
        Choice(["a", "b", "c"]),
        Int(7, 7),
    ],
)
def test_the_probabilities_of_values_add_up_to_one(domain: Int | Choice) -> None:
    space = SearchSpace({"n": domain})
    (steps,) = axes(space).steps
    mixture = around(axes(space), steps.middles[:2, None])

    density = np.exp(mixture.log_density(steps.middles[:, None]))

    assert (density * np.diff(steps.edges)).sum() == pytest.approx(1)


def test_a_joint_density_integrates_to_one() -> None:
    space = SearchSpace({"x": Float(0, 1), "c": Choice(["a", "b"]), "n": Int(1, 3)})
    own = axes(space)
    mixture = around(own, own.on_steps(np.random.default_rng(0).random((5, 3))))
    x = (np.arange(1000) + 0.5) / 1000
    grid = np.meshgrid(x, places(space, 1), places(space, 2), indexing="ij")

    density = np.exp(mixture.log_density(np.stack(grid, -1).reshape(-1, 3)))

    assert density.mean() == pytest.approx(1, abs=1e-4)


def test_the_density_of_a_conditional_space_integrates_to_one() -> None:
    space = SearchSpace({"c": Choice({"a": {"x": Float(0, 1)}, "b": {}})})
    mixture = around(axes(space), np.array([[0.25, 0.4], [0.75, np.nan]]))
    x = (np.arange(2000) + 0.5) / 2000
    with_x = np.stack([np.full_like(x, 0.25), x], axis=1)

    of_a = np.exp(mixture.log_density(with_x)).mean() / 2
    of_b = np.exp(mixture.log_density(np.array([[0.75, np.nan]])))[0] / 2

    assert of_a + of_b == pytest.approx(1, abs=1e-5)


def test_without_kernels_the_density_is_even() -> None:
    mixture = around(axes(NESTED), np.empty((0, 5)))

    drawn = mixture.sample(20, np.random.default_rng(0))

    assert (mixture.log_density(drawn) == 0).all()


def test_samples_lie_as_dense_as_the_density_says() -> None:
    space = SearchSpace(
        {"x": Float(0, 1), "c": Choice(["a", "b", "c"]), "n": Int(1, 4)}
    )
    mixture = around(axes(space), np.array([[0.1, 0.5, 0.125], [0.7, 0.5, 0.875]]))
    drawn = mixture.sample(20_000, np.random.default_rng(0))
    even = axes(space).on_steps(np.random.default_rng(1).random((20_000, 3)))
    weight = np.exp(mixture.log_density(even))

    for column in range(3):
        bins = np.linspace(0, 1, 13 if column else 11)
        seen, _ = np.histogram(drawn[:, column], bins)
        meant, _ = np.histogram(even[:, column], bins, weights=weight)
        assert np.abs(seen - meant).max() / 20_000 < 0.02


def test_samples_have_the_dimensions_that_their_choices_bring() -> None:
    points = axes(NESTED).without_inactive(np.random.default_rng(0).random((8, 5)))
    drawn = around(axes(NESTED), points).sample(300, np.random.default_rng(1))

    is_adam = drawn[:, OPTIMIZER] < 0.5
    assert (is_adam == ~np.isnan(drawn[:, BETA])).all()
    assert (is_adam == np.isnan(drawn[:, MOMENTUM])).all()
    is_on = ~is_adam & (np.nan_to_num(drawn[:, MOMENTUM], nan=1.0) < 0.5)
    assert (is_on == ~np.isnan(drawn[:, NESTEROV])).all()
    assert not np.isnan(drawn[:, LR]).any()


def test_a_kernel_of_one_branch_says_nothing_about_another() -> None:
    none = np.nan
    adam = np.array([[0.25, 0.9, none, none, 0.5]] * 4)
    mixture = around(axes(NESTED), adam)

    sgd = np.array([[0.75, none, 0.25, x, 0.5] for x in (0.1, 0.5, 0.9)])

    density = mixture.log_density(sgd)
    assert density == pytest.approx([density[0]] * 3)


def test_an_arm_keeps_the_conditions_below_its_pinned_choice() -> None:
    arm = NESTED.pin({"optimizer=sgd/momentum": "on"})
    points = axes(arm).without_inactive(np.full((2, 4), [[0.25], [0.75]]))

    assert np.isnan(points).tolist() == [
        [False, False, True, False],
        [False, True, False, False],
    ]


def test_a_number_of_many_whole_values_is_smooth() -> None:
    space = SearchSpace({"few": Int(1, MOST_CELLS), "many": Int(1, MOST_CELLS + 1)})

    assert axes(space).smooth.tolist() == [1]


def test_what_is_believed_is_drawn_before_anything_is_known() -> None:
    belief = Belief(0.2, confidence=0.9)
    space = SearchSpace({"x": Float(0, 1, belief=belief)})
    mixture = around(axes(space), np.empty((0, 1)))

    drawn = mixture.sample(500, np.random.default_rng(0))

    assert 0.7 < (np.abs(drawn - 0.2) < 0.2).mean()
    high, low = mixture.log_density(np.array([[0.2], [0.9]]))
    assert high > 0 > low


def test_a_blend_draws_each_of_its_parts_as_often_as_its_share() -> None:
    own = axes(SearchSpace({"x": Float(0, 1)}))
    low, high = (around(own, np.full((30, 1), center)) for center in (0.1, 0.9))
    blend = Blend([low, high], np.array([0.8, 0.2]))

    drawn = blend.sample(1000, np.random.default_rng(0))

    middles = ((np.arange(1000) + 0.5) / 1000)[:, None]
    assert 0.8 == pytest.approx((drawn < 0.5).mean(), abs=0.03)
    assert 1 == pytest.approx(np.exp(blend.log_density(middles)).mean(), abs=1e-3)
