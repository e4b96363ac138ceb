from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danlu.jsontext import dumps, json_to_number, loads, number_to_json

documents = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)


@given(documents)
def test_a_document_comes_back_from_its_text(document: object) -> None:
    assert document == loads(dumps(document))


@given(st.floats())
def test_a_number_comes_back_from_json_also_nan_and_inf(value: float) -> None:
    back = json_to_number(json.loads(json.dumps(number_to_json(value))))

    assert back is not None
    assert value == back or (math.isnan(value) and math.isnan(back))


def test_whole_numbers_keep_all_their_digits() -> None:
    assert 2**70 + 1 == loads(dumps(2**70 + 1))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_text_never_holds_what_json_has_no_form_for(value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        dumps({"x": value})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3.0),
        (0.5, 0.5),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        ("+inf", math.inf),
        (" INF ", math.inf),
        ("0.5", None),
        ("fast", None),
        (True, None),
        (None, None),
        ([1], None),
        ({}, None),
        (10**400, None),
    ],
    ids=repr,
)
def test_what_stands_for_a_number_is_read_as_one(
    value: object, expected: float | None
) -> None:
    assert expected == json_to_number(value)
