from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from danlu.errors import ReportError
from danlu.trial import (
    TRANSITIONS,
    Curve,
    Kind,
    Report,
    State,
    Trial,
    add_reports,
    merge,
)

points = st.dictionaries(st.integers(0, 30), st.floats(), max_size=12)
reports = st.lists(
    st.builds(
        Report,
        st.integers(0, 20),
        st.dictionaries(st.sampled_from("abc"), st.floats(), min_size=1),
    ),
    max_size=15,
)


class Scalar:
    """A tensor of one element, as far as anybody can see."""

    def __init__(self, value: object) -> None:
        self.value = value

    def item(self) -> object:
        return self.value


@given(points, points)
def test_a_merged_curve_has_all_points_and_the_later_value(
    earlier: dict[int, float], later: dict[int, float]
) -> None:
    expected = Curve.of({**earlier, **later})

    assert expected == merge(Curve.of(earlier), Curve.of(later))


@given(points, st.integers(0, 31))
def test_a_curve_until_a_step_has_the_points_up_to_it(
    all_points: dict[int, float], step: int
) -> None:
    expected = {s: value for s, value in all_points.items() if s <= step}

    assert Curve.of(expected) == Curve.of(all_points).until(step)


@given(reports, reports)
def test_reports_in_two_batches_give_the_curves_of_one(
    first: list[Report], second: list[Report]
) -> None:
    at_once = add_reports({}, [*first, *second])

    assert at_once == add_reports(add_reports({}, first), second)


@given(reports)
def test_the_steps_of_a_curve_rise(batch: list[Report]) -> None:
    for curve in add_reports({}, batch).values():
        assert (np.diff(curve.steps) > 0).all()


@given(reports)
def test_a_trial_gives_its_reports_back(batch: list[Report]) -> None:
    trial = Trial(0, {}, curves=add_reports({}, batch))

    assert trial.curves == add_reports({}, trial.reports)


def test_adding_reports_leaves_the_given_curves_alone() -> None:
    curves = {"loss": Curve.of({1: 0.5})}

    add_reports(curves, [Report(1, {"loss": 9.0})])

    assert {"loss": Curve.of({1: 0.5})} == curves


def test_a_trial_is_at_its_last_step_or_where_it_began() -> None:
    curves = {"a": Curve.of({3: 1.0}), "b": Curve.of({7: 1.0})}

    assert 7 == Trial(0, {}, curves=curves, first_step=2).step
    assert 2 == Trial(0, {}, first_step=2).step


def test_seconds_are_known_once_a_trial_has_ended() -> None:
    assert Trial(0, {}, started_s=10.0).seconds is None
    assert 2.5 == Trial(0, {}, started_s=10.0, ended_s=12.5).seconds


def test_the_time_that_a_trial_waited_is_not_the_time_it_was_trained() -> None:
    paused = Trial(0, {}, State.PAUSED, started_s=10.0, ended_s=12.5)

    assert 87.5 == paused.idle_until(100.0)
    assert 7.5 == replace(paused, idle_s=87.5, ended_s=105.0).seconds


def test_what_never_began_waits_for_nothing() -> None:
    assert 0.0 == Trial(0, {}, State.PAUSED, ended_s=12.5).idle_until(100.0)


def test_a_clock_set_back_gives_no_negative_time() -> None:
    assert 0.0 == Trial(0, {}, started_s=10.0, ended_s=8.0).seconds


def test_an_ended_trial_can_only_go_back_to_the_queue() -> None:
    after_the_end = {TRANSITIONS[state] for state in State if state.ended}

    assert {frozenset({State.PAUSED})} == after_the_end


def test_only_search_trials_are_judged() -> None:
    assert [Kind.SEARCH] == [kind for kind in Kind if kind.judged]


@pytest.mark.parametrize("step", [0, 3, 3.0, np.int64(3), 2**63 - 1], ids=repr)
def test_a_whole_number_is_a_step(step: Any) -> None:
    recorded = Report(step, {"loss": 1.0}).step

    assert (int(step), int) == (recorded, type(recorded))


@pytest.mark.parametrize(
    "step",
    [-1, 2.5, 2**63, True, "3", None, math.nan, math.inf, [1], np.float64(0.5)],
    ids=repr,
)
def test_anything_else_is_no_step(step: Any) -> None:
    with pytest.raises(ReportError, match="a step is a whole number"):
        Report(step, {"loss": 1.0})


@pytest.mark.parametrize(
    "value",
    [0.5, np.float32(0.5), np.array(0.5), np.array([0.5]), Scalar(0.5)],
    ids=["float", "float32", "0-d", "1-element", "tensor"],
)
def test_a_number_in_any_dress_is_a_metric(value: Any) -> None:
    assert 0.5 == Report(1, {"loss": value}).metrics["loss"]


def test_nan_and_inf_are_recorded_as_such() -> None:
    metrics = Report(1, {"a": math.nan, "b": math.inf, "c": -math.inf}).metrics

    assert math.isnan(metrics["a"])
    assert (math.inf, -math.inf) == (metrics["b"], metrics["c"])


@pytest.mark.parametrize(
    "value",
    ["0.3", None, True, np.True_, [0.3], (0.3,), {"a": 1}, 1 + 2j, 10**400, object],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_number_is_no_metric(value: Any) -> None:
    with pytest.raises(ReportError, match="metric 'loss' must be a number, got "):
        Report(1, {"loss": value})


def test_several_numbers_are_no_metric() -> None:
    with pytest.raises(ReportError, match="must be a number"):
        Report(1, {"loss": np.zeros(3)})  # type: ignore[dict-item]


def test_a_giant_value_is_shown_in_short() -> None:
    with pytest.raises(ReportError) as caught:
        Report(1, {"loss": "x" * 10_000})  # type: ignore[dict-item]

    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("metrics", [{}, {"": 1.0}, {3: 1.0}, [("a", 1.0)]], ids=repr)
def test_metrics_are_a_mapping_of_names(metrics: Any) -> None:
    with pytest.raises(ReportError):
        Report(1, metrics)
