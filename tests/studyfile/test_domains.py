from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danlu.domain import LARGEST, Belief, Choice, Domain, Float, Int
from danlu.errors import SpaceError, StudyError
from danlu.studyfile import Document, domain, domain_text
from danlu.studyfile.domains import domains


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-4..1e-1:log", Float(1e-4, 1e-1, log=True)),
        ("1e-4..1e-1 log", Float(1e-4, 1e-1, log=True)),
        ("1e-4 .. 1e-1 : log", Float(1e-4, 1e-1, log=True)),
        ("8..64", Int(8, 64)),
        ("-8..8", Int(-8, 8)),
        ("8..64:log", Int(8, 64, log=True)),
        ("16..512:int:log", Int(16, 512, log=True)),
        ("16..512:log:float", Float(16, 512, log=True)),
        ("0.0..0.9", Float(0, 0.9)),
        ("0..0.9", Float(0, 0.9)),
        ("0.0..1.0", Float(0, 1)),
        ("0..1:int", Int(0, 1)),
        ("0..1:float", Float(0, 1)),
        ("1..9007199254740993", Int(1, 2**53 + 1)),
        ("sgd|adam", Choice(["sgd", "adam"])),
        ("32<64<128", Choice([32, 64, 128], ordered=True)),
        ("1e-3 | 1e-2", Choice([1e-3, 1e-2])),
        ("true|false", Choice([True, False])),
        ("null|'1'|none", Choice([None, "1", "none"])),
        ("../a|../b", Choice(["../a", "../b"])),
        ("'a|b'<'c<d'", Choice(["a|b", "c<d"], ordered=True)),
        ("1e-4..1e-1:log~3e-3", Float(1e-4, 0.1, log=True, belief=Belief(3e-3))),
        ("8..64 ~ 32 @ 0.8", Int(8, 64, belief=Belief(32, 0.8))),
        ("-2..2.0~-1", Float(-2, 2, belief=Belief(-1))),
        ("~/a|~/b", Choice(["~/a", "~/b"])),
        ("a|~/b", Choice(["a", "~/b"])),
        ("'a'|\"b~a\"", Choice(["a", "b~a"])),
        ("sgd|adam~adam", Choice(["sgd", "adam"], belief=Belief("adam"))),
        ("sgd | adam ~ sgd @ 0.8", Choice(["sgd", "adam"], belief=Belief("sgd", 0.8))),
        ("32<64~32", Choice([32, 64], ordered=True, belief=Belief(32))),
        ("true|'a|b'~'a|b'@0.9", Choice([True, "a|b"], belief=Belief("a|b", 0.9))),
        ("~/a|~/b~'~/a'", Choice(["~/a", "~/b"], belief=Belief("~/a"))),
        ("don't|can't", Choice(["don't", "can't"])),
    ],
)
def test_text_stands_for_a_domain(text: str, expected: Domain) -> None:
    assert domain(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0..1", "write 0.0..1.0 or 0..1:int"),
        ("0.1", "one value goes under fixed"),
        ("sgd", "is not a domain"),
        ("a..b", "the bound 'a'"),
        ("1..8:lgo", "did you mean 'log'"),
        ("1..8:int:float", "keep one"),
        ("8..1", "swap them"),
        ("0..8:log", "low > 0"),
        ("nan..1.0", "finite bounds"),
        ("0.5..1.5:int", "whole numbers"),
        ("1..8~", "has '' after ~: write the value that you expect"),
        ("1..8~a", "has 'a' after ~"),
        ("1..8~4@high", "has 'high' after ~"),
        ("1..8~9", "9 is not in 1..8"),
        ("1..8~4@1", "is between 0 and 1"),
        ("a||b", "empty option"),
        ("a|b~c", "expects 'c', which is not in a | b: write one of them after ~"),
        ("v~1|v~2", "expects 2, which is not in v~1 | v: write one of them after ~"),
        ("a|b~a@high", "has 'high' after @"),
        ("a|b~a@1", "is between 0 and 1"),
        ("a|a", "stands twice"),
        ("", "is not a domain"),
    ],
)
def test_text_that_stands_for_none_says_what_to_write(text: str, says: str) -> None:
    with pytest.raises(SpaceError, match=says.replace("(", r"\(")):
        domain(text)


@pytest.mark.parametrize(
    "stated",
    [
        Float(1e-4, 0.1, log=True),
        Float(0, 1),
        Float(-1e300, 1e300),
        Int(0, 1),
        Int(1, 2**70),
        Int(8, 64, log=True),
        Int(0, 1, belief=Belief(1)),
        Float(1e-4, 0.1, log=True, belief=Belief(3e-3, 0.75)),
        Choice(["a", "b"]),
        Choice([7, 2.5, True, None, "true", "7", " x", ""]),
        Choice([1, 2], ordered=True),
        Choice(["a", "b~a"], belief=Belief("b~a")),
        Choice(["a@1", "true", True], belief=Belief("true", 0.75)),
    ],
)
def test_a_domain_written_as_text_is_read_back(stated: Domain) -> None:
    assert domain(domain_text(stated)) == stated


numbers = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.sampled_from("ab~@|<'\"\\ \n:.1丹"))
words = st.one_of(texts, numbers, st.integers(), st.none(), st.just(True))


@st.composite
def any_domain(draw: st.DrawFn) -> Domain:
    kind = draw(st.sampled_from([Float, Int, Choice]))
    if kind is Choice:
        options = draw(st.lists(words, min_size=2, unique_by=(repr, lambda v: v)))
        beliefs = st.builds(Belief, st.sampled_from(options))
        return Choice(options, draw(st.booleans()), belief=draw(beliefs | st.none()))
    bounds = draw(st.lists(numbers if kind is Float else st.integers(), min_size=2))
    low, high = min(bounds), max(bounds)
    log = 0 < low and high <= LARGEST
    return Float(low, high, log) if kind is Float else Int(int(low), int(high))


@given(any_domain())
def test_any_domain_written_as_text_is_read_back(stated: Domain) -> None:
    assert domain(domain_text(stated)) == stated


def test_a_preset_in_a_space_is_extended_by_the_lines_beside_it() -> None:
    stated = {"preset": "adamw", "lr": "1e-4..1e-2:log", "depth": "2..8"}
    document = Document("-", {"trials": 20, "space": stated})
    found = domains(document, ("space",), stated)
    assert list(found) == ["lr", "weight_decay", "one_minus_beta1", "depth"]
    assert found["lr"] == Float(1e-4, 1e-2, log=True)


def test_options_share_the_trials_that_a_preset_may_count_on() -> None:
    options = {"adam": {"preset": "adam"}, "sgd": {"preset": "nesterov"}}
    stated = {"optimizer": {"choice": options}}
    document = Document("-", {"trials": 18, "space": stated})
    found = domains(document, ("space",), stated)["optimizer"]
    assert isinstance(found, Choice)
    assert [list(own) for own in found.branches.values()] == [["lr"], ["lr"]]


def test_a_hyperparameter_may_be_called_preset() -> None:
    stated = {"preset": "fast|slow"}
    found = domains(Document("-", {"space": stated}), ("space",), stated)
    assert found == {"preset": Choice(["fast", "slow"])}


def test_a_wrong_preset_is_an_error_with_its_place() -> None:
    stated = {"preset": "adanw"}
    document = Document("-", {"space": stated}, {("space", "preset"): "s.yaml, line 3"})
    with pytest.raises(StudyError, match=r"line 3: .*did you mean 'adamw'"):
        domains(document, ("space",), stated)
