"""Rules that only stop: percentile, patience, threshold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from danlu.errors import StudyError
from danlu.history import History
from danlu.metric import Metric
from danlu.schedulers import (
    Asha,
    AshaStop,
    CurveStop,
    Median,
    Patience,
    Pbt,
    Percentile,
    SuccessiveHalving,
    Threshold,
    Verdict,
)
from danlu.schedulers.base import Scheduler
from danlu.trial import Curve, Kind, State, Trial
from tests.schedulers.one_slot import SPACE, known


def trial(number: int, points: dict[int, float]) -> Trial:
    return Trial(number, {"x": 0.5}, curves={"loss": Curve.of(points)})


def to_maximize(own: Trial) -> History:
    return History(SPACE, Metric("loss", maximize=True), [own])


@pytest.mark.parametrize(("percentile", "count"), [(25, 3), (50, 5), (75, 7)])
def test_so_many_of_ten_go_on(percentile: float, count: int) -> None:
    trials = [trial(n, {1: 0.1 * n}) for n in range(10)]
    rule = Percentile(percentile)

    verdicts = [rule.judge(own, known(*trials)).value for own in trials]

    assert ["continue"] * count + ["stop"] * (10 - count) == verdicts


losses = st.lists(st.floats(-1, 1), min_size=1, max_size=8)


@given(st.lists(losses, min_size=6, max_size=20))
def test_the_median_is_that_of_the_curves(curves: list[list[float]]) -> None:
    trials = [trial(n, dict(enumerate(own, 1))) for n, own in enumerate(curves)]
    history = known(*trials)
    for own in trials:
        others = [
            min(curve[: own.step])
            for n, curve in enumerate(curves)
            if n != own.number and len(curve) >= own.step
        ]
        stops = len(others) >= 5 and min(curves[own.number]) > median(others)

        assert stops == (Median().judge(own, history).value == "stop")


@pytest.mark.parametrize("metric", [Metric("loss"), Metric("loss", True, "last")])
def test_losses_are_those_of_the_trials_at_the_step(metric: Metric) -> None:
    curves = [{1: 0.5, 20: 0.7, 40: 0.2}, {2: 0.3, 3: math.nan}, {}]
    history = History(SPACE, metric, [trial(n, own) for n, own in enumerate(curves)])
    for at in range(45):
        expected = [
            history.loss(own, at) if own.step >= at else None for own in history.trials
        ]
        expected_or_nan = [math.nan if own is None else own for own in expected]

        np.testing.assert_array_equal(history.losses(at), expected_or_nan)


def test_patience_ends_after_so_many_steps_without_anything_better() -> None:
    curve = {1: 0.5, 2: 0.3, 3: 0.4, 4: 0.35, 5: 0.3}

    stopped_at = []
    for step in curve:
        own = trial(0, {at: curve[at] for at in range(1, step + 1)})
        if Patience(steps=2).judge(own, known(own)).value == "stop":
            stopped_at.append(step)

    assert [4, 5] == stopped_at


def test_patience_counts_steps_and_not_reports() -> None:
    sparse = trial(0, {10: 0.3, 20: 0.4})

    assert "stop" == Patience(steps=10).judge(sparse, known(sparse)).value
    assert "continue" == Patience(steps=11).judge(sparse, known(sparse)).value


def test_a_gain_that_is_too_small_is_none() -> None:
    own = trial(0, {1: 0.500, 2: 0.499})

    assert "continue" == Patience(1).judge(own, known(own)).value
    assert "stop" == Patience(1, least=0.01).judge(own, known(own)).value


def test_patience_with_a_metric_to_maximize() -> None:
    rising, falling = trial(0, {1: 0.1, 2: 0.2}), trial(0, {1: 0.2, 2: 0.1})

    assert "continue" == Patience(1).judge(rising, to_maximize(rising)).value
    assert "stop" == Patience(1).judge(falling, to_maximize(falling)).value


def test_a_threshold_is_looked_at_from_its_step_on() -> None:
    rule = Threshold(step=3, value=0.5)
    early, bad = trial(0, {2: 0.9}), trial(0, {2: 0.9, 3: 0.8})
    good, late = trial(0, {1: 0.5, 3: 0.9}), trial(0, {4: 0.9})

    verdicts = [rule.judge(own, known(own)).value for own in (early, bad, good, late)]
    assert ["continue", "stop", "continue", "stop"] == verdicts


def test_a_threshold_is_in_the_metrics_own_terms() -> None:
    rule = Threshold(step=1, value=0.5)
    high, low = trial(0, {1: 0.6}), trial(0, {1: 0.4})

    assert "continue" == rule.judge(high, to_maximize(high)).value
    assert "stop" == rule.judge(low, to_maximize(low)).value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Percentile(0), "Percentile needs 0 < percentile < 100, got 0"),
        (lambda: Percentile(25, min_trials=0), "Percentile needs min_steps >= 0"),
        (lambda: Patience(0), "Patience needs steps >= 1 and least >= 0, got 0"),
        (lambda: Patience(1, math.nan), "got 1 and nan"),
        (lambda: Threshold(-1, 0.5), "Threshold needs step >= 0 and a finite value"),
        (lambda: Threshold(1, math.inf), "got 1 and inf"),
    ],
)
def test_a_faulty_setting_says_what_is_wrong(make: Any, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        make()


@pytest.mark.parametrize("rule", [Median(), AshaStop()])
@pytest.mark.parametrize(
    "changes",
    [{"kind": Kind.CONFIRM}, {"state": State.FAILED}],
    ids=["confirm", "failed"],
)
def test_nobody_is_compared_with_trials_that_confirm_or_failed(
    rule: Scheduler, changes: dict[str, Any]
) -> None:
    worse = [trial(number, {1: 1.0}) for number in range(5)]
    lucky = [replace(trial(number, {1: 0.1}), **changes) for number in range(5, 11)]
    judged = trial(11, {1: 0.9})
    history = replace(known(*worse, *lucky, judged), max_steps=9)

    assert Verdict.CONTINUE is rule.judge(judged, history)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Asha(factor=2.5),  # type: ignore[arg-type]
        lambda: Asha(min_steps="1"),  # type: ignore[arg-type]
        lambda: Median(min_trials="5"),  # type: ignore[arg-type]
        lambda: CurveStop(top=1.5),  # type: ignore[arg-type]
        lambda: SuccessiveHalving(trials=4.5),  # type: ignore[arg-type]
        lambda: Pbt(interval=2.5),  # type: ignore[arg-type]
        lambda: Patience(steps="3"),  # type: ignore[arg-type]
    ],
)
def test_a_count_that_is_no_whole_number_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(StudyError, match=r">= \d"):
        make()
