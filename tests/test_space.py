from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from danlu.domain import Choice, Domain, Float, Int
from danlu.errors import SpaceError
from danlu.space import SearchSpace
from danlu.value import Value

DEPTH = 3
LETTERS = "abcxyz. é"

OPTIMIZER = Choice(
    {
        "adam": {"lr": Float(1e-4, 1e-1, log=True)},
        "nesterov": {
            "lr": Float(1e-3, 1.0, log=True),
            "momentum": Float(0.5, 0.99),
            "schedule": Choice({"cosine": {"warmup": Int(0, 10)}, "constant": {}}),
        },
    }
)
SPACE = SearchSpace({"optimizer": OPTIMIZER, "layers": Int(1, 4)}, {"data": "digits"})

values = st.one_of(
    st.text(LETTERS, max_size=6), st.integers(-(2**70), 2**70), st.booleans(), st.none()
)


@st.composite
def leaves(draw: st.DrawFn) -> Domain:
    kind = draw(st.sampled_from(["float", "log float", "int", "log int", "choice"]))
    if kind == "choice":
        options = draw(st.lists(values, min_size=1, max_size=5, unique=True))
        return Choice(options, ordered=draw(st.booleans()))
    log = kind.startswith("log")
    if kind.endswith("float"):
        real = st.floats(1e-300 if log else -1e300, 1e300)
        low, high = sorted([draw(real), draw(real)])
        return Float(low, high, log)
    largest = draw(st.sampled_from([5, 2**53, 2**60, 10**300]))
    whole = st.integers(1 if log else -largest, largest)
    first, last = sorted([draw(whole), draw(whole)])
    return Int(first, last, log)


@st.composite
def branchings(draw: st.DrawFn, prefix: str, depth: int) -> Domain:
    """A choice whose options bring domains of their own, or a domain without."""
    if depth == 0 or not draw(st.booleans()):
        return draw(leaves())
    options = [f"option {place}" for place in range(draw(st.integers(1, 3)))]
    branches: dict[Value, dict[str, Domain]] = {
        option: draw(named_domains(f"{prefix}{draw(st.integers(0, 1))}", depth - 1))
        for option in options
    }
    return Choice(options, branches=branches)


@st.composite
def named_domains(draw: st.DrawFn, prefix: str, depth: int) -> dict[str, Domain]:
    names = [f"{prefix}{letter}" for letter in "abc"[: draw(st.integers(1, 3))]]
    return {name: draw(branchings(name, depth)) for name in names}


spaces = named_domains("", DEPTH).map(SearchSpace)


@st.composite
def space_and_point(draw: st.DrawFn) -> tuple[SearchSpace, list[float]]:
    space = draw(spaces)
    unit = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0]))
    return space, draw(st.lists(unit, min_size=len(space), max_size=len(space)))


def active_paths(space: SearchSpace, params: Mapping[str, Value]) -> set[str]:
    """Which dimensions `params` use, by following the branches that they take."""
    active: set[str] = set()

    def follow(domains: Mapping[str, Domain], before: str) -> None:
        for name, domain in domains.items():
            active.add(f"{before}{name}")
            if isinstance(domain, Choice):
                chosen = params[name]
                own = domain.branches.get(chosen, {})
                follow(own, f"{before}{name}={chosen}/")

    follow(space.domains, "")
    return active


@given(space_and_point())
def test_what_was_decoded_comes_back_from_its_point(
    case: tuple[SearchSpace, list[float]],
) -> None:
    space, u = case
    params = space.decode(u)

    again = space.decode(space.encode(params))

    assert params == again
    assert [type(value) for value in params.values()] == [
        type(value) for value in again.values()
    ]


@given(space_and_point())
def test_a_point_is_in_the_cube_and_nan_exactly_where_inactive(
    case: tuple[SearchSpace, list[float]],
) -> None:
    space, u = case
    params = space.decode(u)

    point = space.encode(params)

    active = active_paths(space, params)
    for dimension, place in zip(space.dimensions, point, strict=True):
        assert math.isnan(place) == (dimension.path not in active)
        assert math.isnan(place) or 0 <= place <= 1


@given(space_and_point())
def test_decoded_params_are_admitted_unchanged(
    case: tuple[SearchSpace, list[float]],
) -> None:
    space, u = case
    params = space.decode(u)

    assert params in space
    assert params == space.admit(params)


@given(space_and_point())
def test_params_with_an_unknown_or_a_missing_name_are_refused(
    case: tuple[SearchSpace, list[float]],
) -> None:
    space, u = case
    params = space.decode(u)
    first = next(iter(params))

    assert {**params, "unheard of": 1} not in space
    assert {name: params[name] for name in params if name != first} not in space


@given(space_and_point())
def test_pinned_params_take_their_dimension_out_of_the_cube(
    case: tuple[SearchSpace, list[float]],
) -> None:
    space, u = case
    params = space.decode(u)
    first = space.dimensions[0].path

    pinned = space.pin({first: params[first]})

    assert params in pinned
    assert first not in [dimension.path for dimension in pinned.dimensions]
    assert params == pinned.decode(pinned.encode(params))


@given(st.integers(1, 40))
def test_every_option_and_what_it_brings_is_reached(count: int) -> None:
    branches = {f"o{place}": {"x": Int(place, place)} for place in range(count)}
    space = SearchSpace({"c": Choice(branches)})
    middles = [(place + 0.5) / count for place in range(count)]

    reached = [space.decode([u] * len(space)) for u in middles]

    assert [{"c": f"o{place}", "x": place} for place in range(count)] == reached


def test_dimensions_are_known_by_their_path_with_parents_first() -> None:
    assert [
        "optimizer",
        "optimizer=adam/lr",
        "optimizer=nesterov/lr",
        "optimizer=nesterov/momentum",
        "optimizer=nesterov/schedule",
        "optimizer=nesterov/schedule=cosine/warmup",
        "layers",
    ] == [dimension.path for dimension in SPACE.dimensions]


def test_only_what_the_chosen_option_brings_is_handed_out() -> None:
    u = [0.0, 0.0, math.nan, math.nan, math.nan, math.nan, 1.0]

    expected = {"optimizer": "adam", "lr": 1e-4, "layers": 4, "data": "digits"}
    assert expected == SPACE.decode(u)


def test_a_branch_of_an_option_from_numpy_is_reached() -> None:
    branches = {np.True_: {"x": Float(0, 1)}, np.False_: {}}
    space = SearchSpace({"c": Choice(branches)})  # type: ignore[arg-type]

    assert {"c": True, "x": 0.5} == space.decode([0.1, 0.5])


def test_a_pinned_choice_removes_the_branches_not_taken() -> None:
    pinned = SPACE.pin({"optimizer": "adam"})

    assert ["optimizer=adam/lr", "layers"] == [d.path for d in pinned.dimensions]


def test_a_pinned_value_is_kept_as_the_domain_keeps_it() -> None:
    space = SearchSpace({"layers": Int(1, 4), "x": Float(0, 1)})

    pinned = space.pin({"layers": np.float64(2.0)})

    assert type(pinned.decode([0.5])["layers"]) is int


def test_whole_numbers_above_2_to_the_53_pass_through_admit() -> None:
    space = SearchSpace({"seed": Int(0, 2**63)}, {"salt": 2**62 + 1})

    admitted = space.admit({"seed": 2**62 + 3})

    assert {"seed": 2**62 + 3, "salt": 2**62 + 1} == admitted


def test_params_are_admitted_in_the_order_of_the_space() -> None:
    params: dict[str, Value] = {"layers": 2, "lr": 0.01, "optimizer": "adam"}

    assert ["optimizer", "lr", "layers", "data"] == list(SPACE.admit(params))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"optimizer": "adam", "lr": 0.01}, r"params lack 'layers' \(1..4 whole\)"),
        ({"optimizer": "adam", "lr": 0.01, "layers": 9}, "layers: 9 is not in 1..4"),
        ({"optimizer": "sgd", "layers": 1}, "'sgd' is not in adam | nesterov"),
        (
            {"optimizer": "adam", "lr": 0.01, "layers": 1, "momentum": 0.9},
            "'momentum' is not active",
        ),
        (
            {"optimizer": "adam", "lr": 0.01, "layers": 1, "layer": 1},
            "no hyperparameter 'layer' in the space: did you mean 'layers'?",
        ),
        (
            {"optimizer": "adam", "lr": 0.01, "layers": 1, "data": "mnist"},
            "data is fixed at 'digits', got 'mnist'",
        ),
    ],
)
def test_params_outside_are_refused_with_a_reason(
    params: dict[str, Value], message: str
) -> None:
    with pytest.raises(SpaceError, match=message.replace("|", r"\|")):
        SPACE.admit(params)


@pytest.mark.parametrize(
    ("u", "message"),
    [
        ([0.5], "decode needs 7 numbers in"),
        ([1.5] + [0.5] * 6, "optimizer is at 1.5, not in"),
        ([math.nan] + [0.5] * 6, "optimizer is at nan, not in"),
    ],
)
def test_a_point_outside_the_cube_is_refused(u: list[float], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        SPACE.decode(u)


X = Float(0, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SearchSpace({}), "at least one hyperparameter, got none"),
        (lambda: SearchSpace({"": X}), "a name must be text, got ''"),
        (lambda: SearchSpace({1: X}), "a name must be text, got 1"),  # type: ignore[dict-item]
        (lambda: SearchSpace({"x": 3}), "x needs a Float, Int or Choice"),  # type: ignore[dict-item]
        (lambda: SearchSpace({"x": X}, {"x": 1}), "both fixed and in the search space"),
        (lambda: SearchSpace({"x": X}, {1: 1}), "a name must be text, got 1"),  # type: ignore[dict-item]
        (lambda: SearchSpace({"x": X}, {"y": math.nan}), "must be finite, got nan"),
        (lambda: SearchSpace({"x": X}, {"y": "\ud800"}), "valid Unicode"),
        (lambda: SearchSpace({"x": X}, {}, {"y": 1}), "no hyperparameter 'y'"),
        (lambda: SearchSpace({"x": X}, {}, {"x": 2}), "2 is not in"),
        (
            lambda: SearchSpace({"x": X, "c": Choice({"a": {"x": X}})}),
            "'x' stands twice, once inside a branch",
        ),
        (
            lambda: SearchSpace(
                {"c": Choice({"a": {"x": X}}), "d": Choice({"a": {"x": X}})}
            ),
            "'x' stands twice, once inside a branch",
        ),
    ],
)
def test_a_faulty_space_says_what_is_wrong(make: object, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()  # type: ignore[operator]


def test_names_with_quotes_and_sql_are_just_names() -> None:
    odd = "l'r\"; DROP TABLE trial; --\N{DRAGON FACE}"
    space = SearchSpace({odd: Float(0, 1)})

    assert {odd: 0.25} == space.decode(space.encode({odd: 0.25}))
