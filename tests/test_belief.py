"""Points lie where they are believed, and the density says how many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from danlu.belief import SPREAD, due, is_refuted, log_belief, spread
from danlu.domain import Belief, Choice, Domain, Float, Int
from danlu.errors import SpaceError
from danlu.space import SearchSpace

GRID = (np.arange(4000) + 0.5) / 4000


def column(domain: Domain) -> SearchSpace:
    return SearchSpace({"x": domain})


def spread_over(domain: Domain) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return spread(column(domain), GRID[:, None])[:, 0]


def believed(center: float, confidence: float) -> Float:
    return Float(0, 1, belief=Belief(center, confidence))


centers = st.floats(0, 1).map(lambda c: round(c, 12))
confidences = st.floats(0.01, 0.99)


def test_without_beliefs_points_stay_where_they_are() -> None:
    u = np.random.default_rng(0).random((5, 2))
    space = SearchSpace({"x": Float(0, 1), "c": Choice(["a", "b"])})

    assert spread(space, u) is u
    assert np.zeros(5).tolist() == log_belief(space, u).tolist()


def test_the_density_is_that_of_the_mixture() -> None:
    u = np.array([[0.0], [0.25], [0.9]])
    bell = norm(0.3, SPREAD)
    inside = bell.cdf(1) - bell.cdf(0)
    expected = 0.7 * bell.pdf(u[:, 0]) / inside + 0.3

    found = log_belief(column(believed(0.3, 0.7)), u)

    assert np.log(expected) == pytest.approx(found, rel=1e-12)


@given(centers, confidences)
def test_the_density_integrates_to_one(center: float, confidence: float) -> None:
    densities = np.exp(log_belief(column(believed(center, confidence)), GRID[:, None]))

    assert 1 == pytest.approx(densities.mean(), abs=1e-5)


@given(centers, confidences, st.floats(0, 1))
def test_below_a_spread_point_lies_the_share_that_it_stood_for(
    center: float, confidence: float, u: float
) -> None:
    place = spread(column(believed(center, confidence)), np.array([[u]]))[0, 0]
    bell = norm(center, SPREAD)
    share = (bell.cdf(place) - bell.cdf(0)) / (bell.cdf(1) - bell.cdf(0))

    assert u == pytest.approx(confidence * share + (1 - confidence) * place, abs=1e-12)
    assert 0 <= place <= 1


def test_points_stay_in_their_order() -> None:
    assert (np.diff(spread_over(believed(0.2, 0.9))) > 0).all()


@pytest.mark.parametrize("center", ["a", "b", "c"])
def test_an_option_without_order_gets_its_share(center: str) -> None:
    choice = Choice(["a", "b", "c"], belief=Belief(center, 0.4))

    drawn = [choice.decode(u) for u in spread_over(choice).tolist()]

    assert 0.4 + 0.6 / 3 == pytest.approx(drawn.count(center) / len(drawn), abs=1e-3)
    density = np.exp(log_belief(column(choice), np.array([[choice.encode(center)]])))
    assert 3 * (0.4 + 0.6 / 3) == pytest.approx(density[0])


def test_neighbors_in_an_order_are_believed_in_too() -> None:
    choice = Choice(list(range(10)), ordered=True, belief=Belief(4, 0.5))

    drawn = [choice.decode(u) for u in spread_over(choice).tolist()]

    assert drawn.count(4) > drawn.count(5) > drawn.count(9)
    assert drawn.count(3) == pytest.approx(drawn.count(5), abs=1)


def test_a_belief_is_in_the_scale_of_its_domain() -> None:
    lr = Float(1e-4, 1.0, log=True, belief=Belief(1e-2, 0.99))

    assert 0.5 == pytest.approx(np.median(spread_over(lr)), abs=1e-9)


def test_whole_numbers_are_believed_around_their_center() -> None:
    layers = Int(1, 100, belief=Belief(40, 0.9))

    drawn = [layers.decode(u) for u in spread_over(layers).tolist()]

    assert 40 == pytest.approx(float(np.median(drawn)), abs=1)


def test_inactive_dimensions_are_skipped() -> None:
    lr = Float(0, 1, belief=Belief(0.5, 0.5))
    space = SearchSpace({"opt": Choice({"adam": {}, "sgd": {"lr": lr}})})
    points = np.array([[0.25, np.nan], [0.75, 0.5]])

    densities = log_belief(space, points)

    assert 0 == densities[0] < densities[1]
    assert np.isnan(spread(space, points)[0, 1])


def test_a_domain_of_one_value_may_be_believed_in() -> None:
    only = Float(3, 3, belief=Belief(3))

    assert {3.0} == {only.decode(u) for u in spread_over(only).tolist()}


def test_no_points_are_spread_to_none() -> None:
    space = column(believed(0.5, 0.5))

    assert (0, 1) == spread(space, np.empty((0, 1))).shape
    assert (0,) == log_belief(space, np.empty((0, 1))).shape


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 1.5, float("nan"), True, "high"])
def test_a_confidence_is_between_0_and_1(confidence: float) -> None:
    with pytest.raises(SpaceError, match=r"confidence=...\) is between 0 and 1"):
        Belief(0.5, confidence)


def test_a_center_is_kept_as_its_domain_keeps_values() -> None:
    assert Belief(1.0) == Float(0, 2, belief=Belief(1)).belief
    assert Belief(2) == Int(0, 2, belief=Belief(2.0)).belief


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Float(0, 1, belief=Belief(2)), r"inside its domain: 2 is not in 0..1"),
        (lambda: Int(0, 1, belief=Belief(0.5)), "not a whole number"),
        (lambda: Choice(["a"], belief=Belief("b")), "'b' is not in a"),
        (lambda: Float(0, 1, belief=0.5), r"write belief=Belief\(0.5\)"),  # type: ignore[arg-type]
    ],
)
def test_a_belief_fits_its_domain(make: object, says: str) -> None:
    with pytest.raises(SpaceError, match=says):
        make()  # type: ignore[operator]


def test_without_beliefs_every_point_is_due_in_the_same_space() -> None:
    space = SearchSpace({"x": Float(0, 1)})

    assert all(due(space, position) is space for position in range(5))


@pytest.mark.parametrize(("confidence", "plain"), [(0.5, 50), (0.9, 10), (0.99, 1)])
def test_a_share_of_the_points_is_chosen_without_the_beliefs(
    confidence: float, plain: int
) -> None:
    space = SearchSpace(
        {"x": believed(0.3, confidence), "y": believed(0.9, confidence / 2)}
    )

    without = [position for position in range(100) if due(space, position) is not space]

    assert len(without) == pytest.approx(plain, abs=1)
    assert 0 not in without


def test_nothing_is_believed_of_branches_either_when_it_is_not_due() -> None:
    own = Choice({"a": {"y": believed(0.3, 0.5)}, "b": {}}, belief=Belief("a"))
    space = SearchSpace({"c": own}, {"data": "digits"})
    u = np.random.default_rng(0).random((9, 2))

    plain = due(space, 1)

    assert spread(plain, u) is u
    assert [space.decode(row) for row in u] == [plain.decode(row) for row in u]


def test_a_belief_is_refuted_by_losses_that_grow_with_it() -> None:
    space, x = column(believed(0.2, 0.5)), np.linspace(0, 1, 20)[:, None]

    assert not is_refuted(space, x, np.abs(x[:, 0] - 0.25))
    assert is_refuted(space, x, np.abs(x[:, 0] - 0.9))


def test_a_belief_stands_while_too_few_trials_have_a_loss() -> None:
    x, losses = np.linspace(0, 1, 6)[:, None], np.linspace(1, 0, 6)
    few = np.where(np.arange(6) < 3, losses, np.nan)

    assert is_refuted(column(believed(0.0, 0.5)), x, losses)
    assert not is_refuted(column(believed(0.0, 0.5)), x, few)
    assert not is_refuted(column(Float(0, 1)), x, losses)
