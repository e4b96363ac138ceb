from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from danlu.domain import Belief, Choice, Domain, Float, Int
from danlu.errors import SpaceError
from danlu.value import Value, plain

unit = st.floats(0, 1)


@st.composite
def floats(draw: st.DrawFn) -> Float:
    log = draw(st.booleans())
    least = 1e-300 if log else -1e300
    bounds = draw(st.tuples(st.floats(least, 1e300), st.floats(least, 1e300)))
    return Float(min(bounds), max(bounds), log)


@st.composite
def near_floats(draw: st.DrawFn) -> Float:
    low = draw(st.floats(1e-3, 1e3))
    return Float(low, low * (1 + draw(st.floats(0, 1e-9))), draw(st.booleans()))


@st.composite
def ints(draw: st.DrawFn) -> Int:
    log = draw(st.booleans())
    largest = draw(st.sampled_from([10, 10**4, 2**53, 2**54, 2**70, 10**300]))
    number = st.integers(1 if log else -largest, largest)
    bounds = draw(st.tuples(number, number))
    return Int(min(bounds), max(bounds), log)


@st.composite
def near_ints(draw: st.DrawFn) -> Int:
    low = draw(st.integers(1, 2**70))
    return Int(low, low + draw(st.integers(0, 9)), draw(st.booleans()))


options = st.one_of(st.text(), st.integers(), st.booleans(), st.none())
choices = st.builds(
    Choice,
    st.lists(options, min_size=1, max_size=40, unique=True),
    ordered=st.booleans(),
)
domains: st.SearchStrategy[Domain] = st.one_of(
    floats(), near_floats(), ints(), near_ints(), choices
)


@given(domains, unit)
def test_what_was_decoded_comes_back_from_its_place(domain: Domain, u: float) -> None:
    value = domain.decode(u)

    assert value == domain.decode(domain.encode(value))  # type: ignore[arg-type]


@given(domains, unit)
def test_a_place_is_in_the_unit_interval(domain: Domain, u: float) -> None:
    place = domain.encode(domain.decode(u))  # type: ignore[arg-type]

    assert 0 <= place <= 1


@given(domains, unit)
def test_what_was_decoded_is_admitted_unchanged(domain: Domain, u: float) -> None:
    value = domain.decode(u)

    admitted = domain.admit(value)

    assert (value, type(value)) == (admitted, type(admitted))


@given(st.one_of(floats(), near_floats(), ints(), near_ints()))
def test_the_bounds_are_reached_from_the_ends_of_the_interval(
    domain: Float | Int,
) -> None:
    ends = (domain.decode(0.0), domain.decode(1.0))

    assert ends == (domain.low, domain.high)


@given(st.one_of(floats(), near_floats(), ints(), near_ints()), unit, unit)
def test_decoding_keeps_the_order(domain: Float | Int, u: float, v: float) -> None:
    assert domain.decode(min(u, v)) <= domain.decode(max(u, v))


@given(choices)
def test_every_option_is_reached(choice: Choice) -> None:
    count = len(choice.options)

    reached = [choice.decode((place + 0.5) / count) for place in range(count)]

    assert list(choice.options) == reached


@given(near_ints())
def test_every_whole_number_of_a_short_range_is_reached(domain: Int) -> None:
    every = set(range(domain.low, domain.high + 1))

    assert every == {domain.decode(domain.encode(value)) for value in every}


@pytest.mark.parametrize(
    "domain",
    [
        Float(0.0, 5e-324),
        Float(5e-324, 1e-323, log=True),
        Float(-sys.float_info.max, sys.float_info.max),
        Float(1.0, 1e308, log=True),
        Float(5e-324, 1e308, log=True),
        Float(1.0, math.nextafter(1.0, 2), log=True),
        Float(1e300, math.nextafter(1e300, math.inf), log=True),
        Float(1e15, 1e15 + 1),
        Float(0.0, math.e),
        Float(-0.3, 0.1 + 0.2),
        Int(0, 2**53 - 1),
        Int(0, 2**54),
        Int(2**60, 2**60, log=True),
        Int(10**15, 10**15 + 3, log=True),
        Int(1, 10**12 + 1, log=True),
        Int(1, 1630383298545, log=True),
        Int(1, 1630383298555, log=True),
        Int(1630383298549, 10**300, log=True),
        Int(-(10**400), 10**400),
    ],
    ids=str,
)
def test_an_extreme_range_is_exact_along_a_sweep(domain: Float | Int) -> None:
    for u in np.linspace(0, 1, 301).tolist():
        value = domain.decode(u)
        assert domain.low <= value <= domain.high
        assert value == domain.decode(domain.encode(value))  # type: ignore[arg-type]


def test_a_log_float_is_even_over_orders_of_magnitude() -> None:
    rate = Float(1e-4, 1.0, log=True)

    assert [rate.decode(u) for u in (0, 0.25, 0.5, 0.75, 1)] == [
        1e-4,
        1e-3,
        1e-2,
        1e-1,
        1.0,
    ]


def test_a_log_int_gives_each_number_a_share_that_falls() -> None:
    width = Int(1, 3, log=True)

    edges = [math.log(k) / math.log(4) for k in (1, 2, 3, 4)]

    for k in (1, 2, 3):
        assert k == width.decode(edges[k - 1] + 1e-9)
        assert k == width.decode(edges[k] - 1e-9)


def test_a_decoded_float_has_few_digits() -> None:
    assert len(repr(Float(0, 1).decode(1 / 3))) <= 15


def test_a_domain_of_one_value_is_in_the_middle() -> None:
    places = [Float(2, 2).encode(2), Int(7, 7).encode(7), Choice(["a"]).encode("a")]

    assert places == [0.5, 0.5, 0.5]


def test_whole_numbers_above_2_to_the_53_are_admitted_with_every_digit() -> None:
    large = 2**62 + 1

    assert large == Int(0, 2**63).admit(large)


def test_a_choice_does_not_take_true_for_one() -> None:
    assert Choice([1, 2]).admit(1) == 1
    with pytest.raises(SpaceError, match=r"True is not in 1 \| 2"):
        Choice([1, 2]).admit(True)


@pytest.mark.parametrize(
    ("domain", "value"),
    [
        (Float(0, 1), 1.0000001),
        (Float(0, 1), math.nan),
        (Float(0, 1), math.inf),
        (Float(0, 1), "0.5"),
        (Float(0, 1), True),
        (Float(0, 1), None),
        (Int(0, 9), 10),
        (Int(0, 9), 2.5),
        (Int(0, 9), 10**400),
        (Choice(["a", "b"]), "c"),
        (Choice(["a", "b"]), ["a"]),
        (Choice(["1", "2"]), 1),
    ],
    ids=repr,
)
def test_a_value_outside_is_refused(domain: Domain, value: object) -> None:
    with pytest.raises(SpaceError):
        domain.admit(value)


def test_numpy_values_become_plain_ones() -> None:
    admitted: list[Value] = [
        Float(0, 1).admit(np.float32(0.5)),
        Int(0, 9).admit(np.int64(3)),
        Choice([1, 2]).admit(np.int32(2)),
        plain(np.bool_(True)),
    ]

    assert [(0.5, float), (3, int), (2, int), (True, bool)] == [
        (value, type(value)) for value in admitted
    ]


@pytest.mark.parametrize(
    ("options", "key"),
    [([True, False], np.True_), ([8, 16], np.int64(8)), ([2.5, 8], 8.0)],
)
def test_a_branch_is_kept_under_its_option_however_that_was_written(
    options: list[Value], key: Any
) -> None:
    own = {"x": Float(0, 1)}
    (option,) = (option for option in options if option == key)

    made = Choice(options, branches={key: own})

    assert repr({option: own}) == repr(made.branches)  # 8.0 == 8, which is no text 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(1, 0), "needs low <= high, got low=1.0, high=0.0: swap them"),
        (lambda: Float(math.nan, 1), "needs finite bounds, got low=nan"),
        (lambda: Float(0, math.inf), "needs finite bounds, got high=inf"),
        (lambda: Float(0, 10**400), "needs finite bounds, got high=inf"),
        (lambda: Float(0, 1, log=True), "needs low > 0, got low=0"),
        (lambda: Float("0", 1), "Float needs numbers, got low='0'"),  # type: ignore[arg-type]
        (lambda: Float(False, 1), "Float needs numbers, got low=False"),
        (lambda: Float(1, 2, log="yes"), "True or False, got 'yes'"),  # type: ignore[arg-type]
        (lambda: Int(3, 1), "needs low <= high, got low=3, high=1"),
        (lambda: Int(0, 1.5), "high=1.5: use Float for fractions"),  # type: ignore[arg-type]
        (lambda: Int(-1, 5, log=True), "needs low > 0, got low=-1"),
        (lambda: Int(1, 10**400, log=True), "needs high <= 1e\\+308"),
        (lambda: Choice([]), "at least one option, got none"),
        (lambda: Choice("adam"), "needs a list of options"),
        (lambda: Choice({"adam", "sgd"}), "has no order, so that the same seed"),  # type: ignore[arg-type]
        (lambda: Choice(5), "needs a list of options, got 5"),  # type: ignore[arg-type]
        (lambda: Choice({"a": 5}), "brings is domains by name, got 5"),  # type: ignore[dict-item]
        (
            lambda: Choice({"a": {}}, branches={"a": {"x": Float(0, 1)}}),
            "got branches twice",
        ),
        (lambda: Float(0, 1, belief=Belief(0.5, 2.0)), "got 2.0"),
        (lambda: Choice(["a", "a"]), "'a' stands twice"),
        (lambda: Choice([1, True]), "True stands twice \\(1 equals it\\): remove one"),
        (lambda: Choice([math.nan]), "must be finite, got nan"),
        (lambda: Choice([print]), "look the object up in the training program"),  # type: ignore[list-item]
        (
            lambda: Choice(["a"], branches={"b": {"x": Float(0, 1)}}),
            "a branch for 'b', which is not an option",
        ),
        (
            lambda: Choice([1, 2], branches={True: {"x": Float(0, 1)}}),
            "a branch for True, which is not an option: there are 1, 2",
        ),
    ],
)
def test_a_faulty_domain_says_what_is_wrong(make: object, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()  # type: ignore[operator]
