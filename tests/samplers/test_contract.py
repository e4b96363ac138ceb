from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from danlu.domain import Choice, Float, Int
from danlu.history import History
from danlu.metric import Metric
from danlu.samplers import (
    GP,
    TPE,
    CmaEs,
    Fixed,
    Grid,
    PriorBand,
    QuasiRandom,
    Random,
    Sampler,
)
from danlu.space import Params, SearchSpace
from danlu.trial import Curve, State, Trial

FLAT = SearchSpace({"lr": Float(1e-5, 1.0, log=True), "layers": Int(1, 5)})
NESTED = SearchSpace(
    {
        "optimizer": Choice(
            {
                "adam": {"lr": Float(1e-4, 1e-1, log=True)},
                "sgd": {
                    "lr": Float(1e-3, 1.0, log=True),
                    "momentum": Choice({"on": {"beta": Float(0, 0.99)}, "off": {}}),
                },
            }
        ),
        "width": Choice([32, 64, 128], ordered=True),
    },
    {"data": "digits"},
)
SINGLE = SearchSpace({"x": Float(2, 2), "n": Int(7, 7), "c": Choice([None])})
HUGE = SearchSpace({"x": Float(-1e300, 1e300), "n": Int(-(2**70), 2**70)})
ARM = NESTED.pin({"optimizer": "sgd"})
SPACES = {"flat": FLAT, "nested": NESTED, "single": SINGLE, "huge": HUGE, "arm": ARM}


def first_point(space: SearchSpace) -> Params:
    return space.decode([0.5] * len(space))


def samplers(space: SearchSpace) -> list[Sampler]:
    """Every sampler, able to work on `space`: a new one is one row."""
    return [
        Random(),
        TPE(start=1),
        GP(),
        QuasiRandom(),
        QuasiRandom("halton"),
        CmaEs(),
        PriorBand(),
        Grid(levels=3),
        Fixed([first_point(space)] * 3),
    ]


def history(space: SearchSpace, position: int, seed: int = 0) -> History:
    """A study with trials in every state, one infeasible and one from elsewhere."""
    curves = {"loss": Curve.of({1: 0.5})}
    states = enumerate(State)
    inside = [Trial(n, first_point(space), s, curves=curves) for n, s in states]
    outside = Trial(len(inside), {"who": "knows"}, State.COMPLETED, curves=curves)
    return History(space, Metric("loss"), [*inside, outside], seed, position)


def asked(sampler: Sampler, space: SearchSpace, count: int) -> list[Params]:
    given = []
    for position in range(count):
        rng = np.random.default_rng([0, position])
        suggestion = sampler.ask(history(space, position), rng)
        if suggestion is not None:
            given.append(suggestion.params)
    return given


def cases() -> Iterator[object]:
    for name, space in SPACES.items():
        for sampler in samplers(space):
            yield pytest.param(sampler, space, id=f"{sampler}-{name}"[:60])


every_case = pytest.mark.parametrize(("sampler", "space"), list(cases()))


@every_case
def test_params_are_in_the_space_with_what_is_fixed(
    sampler: Sampler, space: SearchSpace
) -> None:
    given = asked(sampler, space, 70)

    assert given
    for params in given:
        assert params == space.admit(params)


@every_case
def test_the_same_question_has_the_same_answer(
    sampler: Sampler, space: SearchSpace
) -> None:
    assert asked(sampler, space, 3) == asked(sampler, space, 3)


@every_case
def test_the_history_is_left_as_it_was(sampler: Sampler, space: SearchSpace) -> None:
    known = history(space, 1)
    before = (list(known.trials), [dict(trial.params) for trial in known.trials])

    sampler.ask(known, np.random.default_rng(0))

    assert before == (
        list(known.trials),
        [dict(trial.params) for trial in known.trials],
    )


@every_case
def test_equal_settings_make_equal_samplers(
    sampler: Sampler, space: SearchSpace
) -> None:
    assert sampler in samplers(space)
