from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from danlu.domain import Float
from danlu.history import History
from danlu.metric import Metric
from danlu.samplers import GP
from danlu.samplers.gp.axes import Axes
from danlu.samplers.gp.evidence import Evidence
from danlu.samplers.gp.trend import processes_of, trend_of
from danlu.space import Array, Params, SearchSpace
from danlu.trial import Curve, State, Trial

SQUARE = SearchSpace({"x": Float(0, 1), "y": Float(0, 1)})
AXES = Axes(SQUARE)


def bowl(points: Array) -> Array:
    values: Array = (points[:, 0] - 0.82) ** 2 + (points[:, 1] - 0.13) ** 2
    return values


def known(points: Array, losses: Array) -> History:
    trials = [
        Trial(
            k,
            params,
            State.COMPLETED,
            index=k,
            curves={"loss": Curve.of({1: float(y)})},
        )
        for k, (params, y) in enumerate(
            zip(map(SQUARE.decode, points), losses, strict=True)
        )
    ]
    return History(SQUARE, Metric("loss"), trials, position=len(trials))


def asked(history: History) -> Params:
    return GP().ask(history, np.random.default_rng(0)).params


def trend(losses: Array, count: int) -> tuple[float, float]:
    """The factor of an earlier study with these losses, after trials of the bowl.

    And by how much the expectations vary that come from it.
    """
    points = np.random.default_rng(0).random((25, 2))
    own = np.random.default_rng(1).random((count, 2))
    values = bowl(own)
    evidence = Evidence(
        own, (values - values.mean()) / values.std(), np.ones(count), AXES.layout
    )
    ((factor, process),) = trend_of(processes_of(AXES, [(points, losses)]), evidence)
    return factor, float(np.std(factor * process.mean(own)))


POINTS = np.random.default_rng(0).random((25, 2))
UNRELATED = np.random.default_rng(5).random(25)


def test_the_first_trial_is_where_the_earlier_study_expects_the_best() -> None:
    history = replace(
        known(POINTS[:0], UNRELATED[:0]), earlier=(known(POINTS, bowl(POINTS)),)
    )

    params = asked(history)

    assert abs(float(params["x"] or 0) - 0.82) < 0.1
    assert abs(float(params["y"] or 0) - 0.13) < 0.1


def test_a_study_that_says_the_same_is_believed() -> None:
    factor, spread = trend(bowl(POINTS), 12)

    assert 0.8 < factor < 1.2
    assert 0.8 < spread < 1.2


def test_a_study_about_something_else_comes_to_count_for_nothing() -> None:
    assert trend(-bowl(POINTS), 12)[0] < 0.05
    assert trend(UNRELATED, 60)[1] < 0.2  # of losses that vary by 1


def test_an_earlier_study_of_two_trials_tells_nothing() -> None:
    few = [(POINTS[:2], UNRELATED[:2]), (POINTS, np.full(25, np.nan))]

    assert [] == processes_of(AXES, few)


@pytest.mark.parametrize("unknown", [0, 1])
def test_a_dimension_that_the_earlier_study_did_not_have_is_left_open(
    unknown: int,
) -> None:
    points = POINTS.copy()
    points[:, unknown] = np.nan

    (process,) = processes_of(AXES, [(points, bowl(POINTS))])

    line = np.full((5, 2), 0.5)
    line[:, unknown] = np.linspace(0, 1, 5)
    means = process.mean(AXES.embed(line))
    assert np.isfinite(means).all()
