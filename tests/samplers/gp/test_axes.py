from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from danlu.domain import Choice, Float, Int
from danlu.samplers.gp.axes import Axes
from danlu.samplers.gp.kernel import SHARE, correlation
from danlu.space import Array, Params, SearchSpace

LR = Float(1e-4, 1.0, log=True)
TREE = SearchSpace(
    {
        "optimizer": Choice(
            {
                "sgd": {"lr": LR, "momentum": Float(0, 1)},
                "adam": {"lr": LR, "beta": Float(0, 0.999)},
                "none": {},
            }
        ),
        "layers": Int(1, 4),
        "width": Int(16, 128, log=True),
        "batch": Choice([32, 64, 128], ordered=True),
        "one": Float(3, 3),
    }
)


def distance(space: SearchSpace, left: Params, right: Params) -> float:
    points = np.array([space.encode(left), space.encode(right)])
    a, b = Axes(space).embed(points)
    return float(((a - b) ** 2).sum())


def random_points(space: SearchSpace, count: int) -> Array:
    return np.random.default_rng(0).random((count, len(space)))


def test_two_options_are_at_the_distance_one() -> None:
    space = SearchSpace({"c": Choice(["a", "b", "c"])})

    assert_allclose(distance(space, {"c": "a"}, {"c": "b"}), 1.0)
    assert_allclose(distance(space, {"c": "a"}, {"c": "c"}), 1.0)


def test_neighbors_of_an_ordered_choice_are_nearer() -> None:
    space = SearchSpace({"b": Choice([1, 2, 4], ordered=True)})

    assert distance(space, {"b": 1}, {"b": 2}) < distance(space, {"b": 1}, {"b": 4})


def test_branches_share_what_they_have_in_common() -> None:
    space = TREE.pin({"layers": 1, "width": 16, "batch": 32, "one": 3})
    common = {**space.pinned, "optimizer": "sgd", "momentum": 0.5, "lr": 0.01}
    same_lr = {**space.pinned, "optimizer": "adam", "beta": 0.4995, "lr": 0.01}
    other_lr = {**same_lr, "lr": 1.0}

    assert_allclose(distance(space, common, same_lr), 1.0)
    assert_allclose(distance(space, common, other_lr), 1.25)


def test_hyperparameters_of_one_name_and_domain_share_an_axis() -> None:
    axes = Axes(TREE)
    paths = [d.path for d in TREE.dimensions]
    shared = [[paths[k] for k in columns] for columns in axes.groups]

    assert ["optimizer=sgd/lr", "optimizer=adam/lr"] in shared
    assert 7 == len(shared)  # without `one`, which has one value


def test_what_is_snapped_is_what_is_decoded_and_encoded() -> None:
    points = random_points(TREE, 200)
    axes = Axes(TREE)
    snapped = axes.snap(points)

    for u, active in zip(snapped, axes.active(snapped), strict=True):
        encoded = TREE.encode(TREE.decode(u))
        assert (active == ~np.isnan(encoded)).all()
        assert_allclose(u[active], encoded[active], atol=1e-9)


WIDE = SearchSpace(
    {
        "batch": Int(16, 512, log=True),
        "count": Int(-300, 10**6),
        "long": Int(1, 10**12, log=True),
        "narrow": Int(10**9, 10**9 + 300, log=True),
    }
)


def test_whole_numbers_with_many_values_are_snapped_too() -> None:
    ends = np.repeat([[0.0], [1.0]], len(WIDE), axis=1)
    snapped = Axes(WIDE).snap(np.vstack((random_points(WIDE, 200), ends)))

    encoded = [WIDE.encode(WIDE.decode(u)) for u in snapped]
    assert_allclose(snapped, encoded, atol=1e-7)


def test_no_params_lie_outside_of_the_bounds() -> None:
    low, high = Axes(WIDE).bounds

    lowest = [WIDE.dimensions[k].domain.decode(0.0) for k in range(len(WIDE))]
    names = [dimension.name for dimension in WIDE.dimensions]
    assert_allclose(low, WIDE.encode(dict(zip(names, lowest, strict=True))), atol=1e-7)
    assert_allclose(1.0 - high[0], 0.5 * np.log(513 / 512) / np.log(513 / 16))


def test_a_pinned_choice_is_no_condition() -> None:
    arm = TREE.pin({"optimizer": "adam"})

    assert Axes(arm).active(random_points(arm, 5)).all()


def test_an_axis_below_a_choice_is_conditional_unless_that_is_pinned() -> None:
    names = [TREE.dimensions[columns[0]].name for columns in Axes(TREE).groups]
    conditional = Axes(TREE).layout.conditional
    arm = TREE.pin({"optimizer": "adam"})

    assert {"lr", "momentum", "beta"} == set(np.array(names)[conditional])
    assert not Axes(arm).layout.conditional.any()
    assert [1.0] == [share for share, _ in Axes(arm).layout.addends]


def test_far_apart_in_a_branch_is_not_far_apart_in_all() -> None:
    axes = Axes(TREE)
    params = {"layers": 2, "width": 32, "batch": 64, "one": 3}
    ends = [
        TREE.encode({**params, "optimizer": "sgd", "lr": lr, "momentum": momentum})
        for lr, momentum in ((1e-4, 0.0), (1.0, 1.0))
    ]
    at = axes.embed(np.array(ends))

    ((_, across),) = correlation(1e3 * at[:1], 1e3 * at, axes.layout.compared)

    assert_allclose(across, 1 - SHARE)


def test_a_choice_below_a_pinned_one_depends_on_what_is_above() -> None:
    inner = Choice({"x": {"a": Float(0, 1)}, "y": {}})
    space = SearchSpace({"outer": Choice({"on": {"inner": inner}, "off": {}})})
    arm = space.pin({"outer=on/inner": "x"})
    points = np.array([[0.25, 0.5], [0.75, 0.5]])

    assert [[True, True], [True, False]] == Axes(arm).active(points).tolist()


def test_inactive_values_change_nothing() -> None:
    points = Axes(TREE).snap(random_points(TREE, 50))
    active = Axes(TREE).active(points)
    blank = np.where(active, points, np.nan)

    assert_allclose(Axes(TREE).embed(blank), Axes(TREE).embed(points))


def test_the_kernel_of_a_tree_has_no_negative_eigenvalue() -> None:
    axes = Axes(TREE)
    at = axes.embed(axes.snap(random_points(TREE, 80)))

    covariance = correlation(at, at, axes.layout.compared)

    assert np.linalg.eigvalsh(covariance).min() > -1e-9
    assert_allclose(np.diag(covariance), 1.0)


def test_the_middle_of_a_stretch_is_where_a_value_is_encoded() -> None:
    space = SearchSpace({"n": Int(1, 5), "k": Int(1, 100, log=True)})
    axes = Axes(space)

    for column, dimension in enumerate(space.dimensions):
        domain = dimension.domain
        assert isinstance(domain, Int)
        values = range(domain.low, domain.high + 1)
        middles = axes.stretches[column]
        assert middles is not None
        assert_allclose(middles, [domain.encode(value) for value in values])


def test_a_whole_number_with_many_values_is_continuous() -> None:
    axes = Axes(SearchSpace({"few": Int(1, 10), "many": Int(1, 10**6), "x": LR}))

    assert [False, True, True] == axes.continuous.tolist()
