from __future__ import annotations

import math

import numpy as np
import pytest

from danlu.constraint import Constraint, parsed, violations
from danlu.errors import StudyError
from danlu.trial import Curve


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latency_ms <= 20", Constraint("latency_ms", 20, upper=True)),
        ("latency_ms<=2e1", Constraint("latency_ms", 20, upper=True)),
        ("val accuracy >= .9", Constraint("val accuracy", 0.9, upper=False)),
        ("drift >= -1", Constraint("drift", -1, upper=False)),
    ],
)
def test_a_text_states_a_constraint(text: str, expected: Constraint) -> None:
    assert expected == parsed(text)


@pytest.mark.parametrize(
    "text", ["latency_ms < 20", "latency_ms", "<= 20", "a <= b", "", "a <= 1 <= 2", 20]
)
def test_what_is_no_constraint_says_how_to_write_one(text: object) -> None:
    with pytest.raises(StudyError, match="write it like 'latency_ms <= 20'"):
        parsed(text)


def test_a_limit_is_finite() -> None:
    with pytest.raises(StudyError, match="the limit of 'a' is a finite number"):
        parsed("a <= inf")


def test_a_limit_too_large_for_a_float_is_refused() -> None:
    with pytest.raises(StudyError, match="is a finite number"):
        Constraint("a", 10**400)


def test_a_limit_of_numpy_is_a_number() -> None:
    assert Constraint("a", 20) == Constraint("a", np.int64(20))  # type: ignore[arg-type]


def test_a_constraint_without_a_text_makes_its_own() -> None:
    assert "size_mb >= 0.5" == str(Constraint("size_mb", 0.5, upper=False))


def test_slack_is_how_far_a_value_is_beyond_the_limit() -> None:
    assert (11, -1) == (parsed("a <= 20").slack(31), parsed("a <= 20").slack(19))
    assert (-11, 1) == (parsed("a >= 20").slack(31), parsed("a >= 20").slack(19))


def test_what_breaks_a_limit_is_said_with_both_numbers() -> None:
    assert "a 31 > 20" == parsed("a <= 20").broken_by(11)
    assert "a 0.85 < 0.9" == parsed("a >= 0.9").broken_by(0.05)


def test_the_value_at_the_step_counts_else_the_last() -> None:
    curves = {"a": Curve.of({1: 10, 3: 30})}
    own = parsed("a <= 20")

    assert (10, 30, 30) == tuple(own.value(curves, step) for step in (1, 2, None))


def test_a_metric_that_was_not_reported_has_no_value() -> None:
    assert parsed("a <= 20").value({}, 1) is None
    assert math.inf == parsed("a <= 20").value({"a": Curve.of({1: math.inf})}, 1)


@pytest.mark.parametrize("limit", ["a <= 20", "a >= 20"])
def test_nan_keeps_to_no_limit(limit: str) -> None:
    own = parsed(limit)
    value = own.value({"a": Curve.of({1: math.nan})}, 1)

    assert value is not None
    assert math.inf == own.slack(value)
    assert "a is not a finite number" == own.broken_by(own.slack(value))


def test_a_constraint_is_shown_as_written_but_for_spaces() -> None:
    assert "latency ms <= 2e1" == str(parsed(" latency ms<=  2e1"))


def test_what_is_broken_in_all_counts_each_limit_by_its_largest_violation() -> None:
    nan = math.nan
    slacks = np.array([[-1.0, nan], [100.0, 0.0], [50.0, 0.002], [nan, 0.001]])

    assert [0.0, 1.0, 1.5, 0.5] == violations(slacks).tolist()
    assert [0.0, 0.0] == violations(np.empty((2, 0))).tolist()


def test_an_infinite_violation_counts_as_the_largest_one() -> None:
    slacks = np.array([[math.inf, -math.inf], [4.0, -1.0], [2.0, 3.0]])

    assert [1.0, 1.0, 1.5] == violations(slacks).tolist()
