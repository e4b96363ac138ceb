from __future__ import annotations

import math

import pytest

from danlu.domain import Belief, Choice, Domain, Float, Int
from danlu.report.words import domain_text, duration, number, numbers_text
from danlu.sentence import plural


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.1, "0.1"),
        (0.031249, "0.03125"),
        (0.001, "0.001"),
        (0.0003, "3e-4"),
        (1.23456e-7, "1.235e-7"),
        (-0.5, "-0.5"),
        (12345.6, "12,346"),
        (2.5e7, "2.5e7"),
        (999999.9, "1,000,000"),
        (2**60, "1,152,921,504,606,846,976"),
        (math.inf, "inf"),
    ],
)
def test_a_number_has_few_digits(value: float | None, expected: str) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        (Float(1e-4, 1.0, log=True), "1e-4 to 1, log"),
        (Int(1, 4), "1 to 4, whole"),
        (Float(0.5, 0.5), "0.5 only"),
        (Choice([32, 64], ordered=True), "32 < 64"),
        (Choice(["a", None, True]), "a, none, yes"),
        (Float(0, 1, belief=Belief(0.25)), "0 to 1 (0.25 expected, 50% sure)"),
        (Choice(["a", "b"], belief=Belief("b", 0.9)), "a, b (b expected, 90% sure)"),
    ],
)
def test_a_domain_is_said_in_words(domain: Domain, expected: str) -> None:
    assert domain_text(domain) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "-"), (0.0, "0.0 s"), (59.4, "59 s"), (371, "6 m 11 s"), (7200, "2 h 0 m")],
)
def test_a_time_span_has_two_units_at_most(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_many_trial_numbers_are_counted() -> None:
    assert numbers_text(list(range(14))).endswith("#11 and 2 more")


def test_one_is_singular() -> None:
    assert (plural(1, "trial"), plural(0, "trial")) == ("1 trial", "0 trials")
