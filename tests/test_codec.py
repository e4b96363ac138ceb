"""Records become JSON and come back the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import danlu
from danlu import Choice, Float, Int, Metric, Study
from danlu.ask import sampler_of, scheduler_of
from danlu.codec import (
    domain_from_json,
    domain_to_json,
    scheduler_from_json,
    study_from_json,
    study_to_json,
    trial_from_json,
    trial_to_json,
)
from danlu.domain import Belief, Domain
from danlu.errors import DanluError, SpaceError, StudyError
from danlu.samplers import Fixed, Grid, QuasiRandom, Random
from danlu.schedulers import Median
from danlu.trial import Curve, Kind, State, Trial
from danlu.value import Value

LETTERS = "ab'\"/=é日 "
TEXT = st.text(LETTERS, min_size=1, max_size=6)
REALS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.one_of(TEXT, st.integers(-(2**70), 2**70), REALS, st.booleans(), st.none())


@st.composite
def choices(draw: st.DrawFn, depth: int, prefix: str) -> Choice:
    drawn: list[Value] = draw(st.lists(VALUES, min_size=1, max_size=4))
    options = [own for n, own in enumerate(drawn) if own not in drawn[:n]]
    branches: dict[Value, Mapping[str, Domain]] = {}
    if depth:
        for place, option in enumerate(options):
            if draw(st.booleans()):
                names = [f"{prefix}.{place}{letter}" for letter in draw(BRANCHES)]
                branches[option] = {n: draw(domains(depth - 1, n)) for n in names}
    return Choice(options, draw(st.booleans()), branches)


@st.composite
def numbers(draw: st.DrawFn) -> Float | Int:
    log = draw(st.booleans())
    if draw(st.booleans()):
        bound = st.floats(1e-300, 1e300) if log else st.floats(-1e300, 1e300)
        low, high = sorted((draw(bound), draw(bound)))
        return Float(low, high, log)
    whole = st.integers(1 if log else -(2**70), 2**70)
    first, last = sorted((draw(whole), draw(whole)))
    return Int(first, last, log)


def domains(depth: int = 2, prefix: str = "") -> st.SearchStrategy[Domain]:
    return st.one_of(numbers(), choices(depth, prefix))


BRANCHES = st.sampled_from(["a", "ab"])
SAMPLERS: list[danlu.Sampler | str] = [
    "auto",
    "random",
    Random(),
    QuasiRandom(sequence="halton"),
    Grid(3),
    Grid({"x": 2, "opt": ["a", 1]}),
    Fixed([{"x": 0.5}]),
]
SCHEDULERS: list[danlu.Scheduler | str] = ["full", "median", Median(min_steps=7)]


@st.composite
def studies(draw: st.DrawFn) -> Study:
    names = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    return Study(
        name=draw(TEXT.filter(str.strip)),
        goal=draw(TEXT.filter(str.strip)),
        metric=Metric(draw(TEXT), draw(st.booleans())),
        space={f"p{name}": draw(domains(2, f"q{name}")) for name in names},
        trials=draw(st.integers(1, 2**63 - 1)),
        fixed=draw(st.dictionaries(TEXT.map("f{}".format), VALUES, max_size=3)),
        baseline=draw(st.none() | st.dictionaries(TEXT, VALUES, max_size=3)),
        sampler=draw(st.sampled_from(SAMPLERS)),
        scheduler=draw(st.sampled_from(SCHEDULERS)),
        max_steps=draw(st.none() | st.integers(1, 2**63 - 1)),
        seed=draw(st.integers(0, 2**63 - 1)),
        note=draw(st.text(LETTERS)),
    )


@settings(max_examples=150, deadline=None)
@given(studies())
def test_a_study_comes_back_from_its_text(study: Study) -> None:
    text = json.dumps(study_to_json(study), allow_nan=False)

    back = study_from_json(json.loads(text))

    # A sampler without settings of its own comes back as its name: it is the same.
    assert (sampler_of(back), scheduler_of(back)) == (
        sampler_of(study),
        scheduler_of(study),
    )
    assert study == replace(back, sampler=study.sampler, scheduler=study.scheduler)
    assert study_to_json(back) == study_to_json(study)
    assert back.search_space.dimensions == study.search_space.dimensions


@settings(max_examples=150, deadline=None)
@given(domains())
def test_a_domain_comes_back_from_its_text(domain: Domain) -> None:
    back = domain_from_json(json.loads(json.dumps(domain_to_json(domain))))

    assert back == domain
    if isinstance(domain, Choice):
        assert [type(own) for own in back.options] == [  # type: ignore[union-attr]
            type(own) for own in domain.options
        ]


def test_a_trial_comes_back_with_its_curves() -> None:
    curves = {"loss": Curve.of({0: 1e308, 3: float("nan"), 2**63 - 1: -float("inf")})}
    params: dict[str, Value] = {"n": 2**200 + 1, "x": 5e-324, "o": "'日", "b": True}
    trial = Trial(3, params, State.FAILED, Kind.CONFIRM, reason='"', curves=curves)

    back = trial_from_json(json.loads(json.dumps(trial_to_json(trial))))

    assert back.curves == trial.curves
    assert trial_to_json(back) == trial_to_json(trial)
    assert back.with_curves({}) == trial.with_curves({})


def test_settings_of_numpy_are_kept_as_plain_ones() -> None:
    points = [{"x": np.float64(0.5), "n": np.int64(2**53 + 1)}]
    sampler = Fixed(points)  # type: ignore[arg-type]
    study = Study("s", "?", "loss", {"x": Float(0, 1)}, 3, sampler=sampler)

    text = json.dumps(study_to_json(study)["sampler"])

    assert text == '{"name": "fixed", "points": [{"x": 0.5, "n": 9007199254740993}]}'


def _statement(**changes: object) -> dict[str, object]:
    study = danlu.Study("s", "?", "loss", {"x": Float(0, 1)}, 3)
    return {**study_to_json(study), **changes}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"extra": 1}, "a study has no field 'extra'"),
        ({"space": {"x": {"float": [1, 0]}}}, "needs low <= high"),
        ({"space": {"x": {"flot": [0, 1]}}}, "no domain"),
        ({"metric": {"nam": "loss"}}, "lacks something"),
        ({"sampler": "grdi"}, "no sampler 'grdi': did you mean 'grid'"),
        ({"sampler": {"name": "grid", "level": 3}}, "Grid: .*'level'"),
        ({"scheduler": {"name": "median", "min_trial": 3}}, "Median: .*'min_trial'"),
        ({"trials": 0}, "trials is a whole number from 1"),
    ],
)
def test_json_that_is_no_study_says_why(changes: dict[str, object], says: str) -> None:
    with pytest.raises((StudyError, SpaceError), match=says):
        study_from_json(_statement(**changes))


def test_json_of_an_unknown_scheduler_gets_a_suggestion() -> None:
    with pytest.raises(DanluError, match="no scheduler 'medan': did you mean 'median'"):
        scheduler_from_json({"name": "medan"})


@pytest.mark.parametrize(
    "domain",
    [
        Float(1e-4, 1, True, Belief(1e-2, 0.7)),
        Int(1, 8, belief=Belief(4)),
        Choice(["a", None], belief=Belief(None)),
    ],
)
def test_a_belief_comes_back(domain: Domain) -> None:
    assert domain == domain_from_json(json.loads(json.dumps(domain_to_json(domain))))


def test_what_a_study_must_keep_to_and_its_teachers_come_back_as_written() -> None:
    stated = Study(
        "s", "?", "loss", {"x": Float(0, 1)}, 8,
        constraints=["ms<=2e1"], learn_from=["first"], guards=["size<=baseline"],
    )  # fmt: skip

    back = study_from_json(json.loads(json.dumps(study_to_json(stated))))

    assert stated == back
    assert ["ms <= 2e1"] == [str(limit) for limit in back.limits]


def test_a_study_without_them_is_written_as_it_always_was() -> None:
    document = study_to_json(Study("s", "?", "loss", {"x": Float(0, 1)}, 8))

    assert not {"constraints", "learn_from", "guards"} & document.keys()
    assert {"x": {"float": [0.0, 1.0]}} == document["space"]


def test_a_belief_with_an_unknown_field_is_refused() -> None:
    document = study_to_json(Study("s", "?", "loss", {"x": Float(0, 1)}, 8))
    document["space"]["x"]["belief"] = {"middle": 0.5}

    with pytest.raises(StudyError, match="middle"):
        study_from_json(document)
