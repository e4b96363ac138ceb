from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from danlu.analysis.summary import Spread, Summary, summarize
from danlu.domain import Choice, Domain, Float, Int
from danlu.history import History
from danlu.metric import Metric
from danlu.storage.base import Note
from danlu.study import Study
from danlu.trial import Curve, Kind, State, Trial

SPACE: dict[str, Domain] = {"x": Float(0.0, 1.0), "width": Int(8, 64, log=True)}


def study(space: Mapping[str, Domain] = SPACE, **fields: Any) -> Study:
    given: dict[str, Any] = {"goal": "Which?", "metric": "err", "trials": 40}
    return Study(name="s", space=space, **{**given, **fields})


def trial(
    number: int, value: float | None, state: State = State.COMPLETED, **fields: Any
) -> Trial:
    curves = {} if value is None else {"err": Curve.of({1: 9.0, 2: value})}
    given = {"params": {"x": 0.5, "width": 16}, "curves": curves, **fields}
    return Trial(number, state=state, **given)


def summary(trials: Sequence[Trial], of: Study | None = None) -> Summary:
    asked = study() if of is None else of
    return summarize(asked, History(asked.search_space, asked.objective, trials))


def test_a_study_without_trials_has_no_best() -> None:
    found = summary([])
    assert (found.best, found.rows, found.range, found.training_s) == (
        None,
        (),
        None,
        0.0,
    )


def test_the_best_is_the_trial_with_the_smallest_value() -> None:
    found = summary([trial(0, 0.3), trial(1, 0.1), trial(2, 0.2)])
    assert [row.number for row in found.top] == [1, 2, 0]


def test_the_best_is_the_largest_value_when_the_metric_is_made_large() -> None:
    of = study(metric=Metric("err", maximize=True, at="last"))
    found = summary([trial(0, 0.3), trial(1, 0.1), trial(2, 0.2)], of)
    assert found.best is not None
    assert (found.best.number, found.best.value) == (0, 0.3)


def test_the_value_is_that_of_the_best_checkpoint_with_its_step() -> None:
    curve = Curve.of({3: 0.5, 6: 0.2, 9: 0.2, 12: 0.4})
    best = summary(
        [Trial(0, {"x": 0.5, "width": 8}, State.COMPLETED, curves={"err": curve})]
    ).best
    assert best is not None
    assert (best.value, best.best_step, best.step) == (0.2, 6, 12)


def test_the_value_at_the_last_step_where_the_metric_says_so() -> None:
    of = study(metric=Metric("err", at="last"))
    curve = Curve.of({3: 0.5, 6: 0.2, 9: 0.4})
    done = trial(0, None, curves={"err": curve})
    best = summary([done], of).best
    assert best is not None
    assert (best.value, best.best_step) == (0.4, 9)


def test_values_that_are_not_finite_are_no_values() -> None:
    curve = Curve.of({1: math.nan, 2: 0.7, 3: math.inf})
    best = summary([trial(0, None, curves={"err": curve})]).best
    assert best is not None
    assert (best.value, best.best_step) == (0.7, 2)


def test_a_baseline_trial_is_never_the_best_of_the_search() -> None:
    found = summary([trial(0, 0.1, kind=Kind.BASELINE), trial(1, 0.3)])
    assert found.best is not None
    assert found.best.number == 1
    assert [row.number for row in found.others] == [0]


def test_the_baseline_has_mean_and_sd_and_the_gain_is_signed() -> None:
    values = [0.4, 0.5, 0.6]
    trials = [trial(k, v, kind=Kind.BASELINE) for k, v in enumerate(values)]
    found = summary([*trials, trial(3, 0.2)])
    assert found.baseline == Spread((0.4, 0.5, 0.6), 0.5, float(np.std(values, ddof=1)))
    assert found.gain == pytest.approx(0.3)


def test_the_gain_is_negative_where_the_best_is_worse_than_the_baseline() -> None:
    of = study(metric=Metric("err", maximize=True, at="last"))
    found = summary([trial(0, 0.9, kind=Kind.BASELINE), trial(1, 0.7)], of)
    assert found.gain == pytest.approx(-0.2)


def test_one_baseline_value_has_no_sd() -> None:
    found = summary([trial(0, 0.5, kind=Kind.BASELINE)])
    assert found.baseline == Spread((0.5,), 0.5, None)
    assert found.gain is None


def test_counts_are_by_state_and_by_kind() -> None:
    found = summary(
        [
            trial(0, 0.5, kind=Kind.BASELINE),
            trial(1, 0.4),
            trial(2, None, State.INFEASIBLE),
            trial(3, 0.6, State.RUNNING),
        ]
    )
    assert found.states == {State.COMPLETED: 1, State.INFEASIBLE: 1, State.RUNNING: 1}
    assert found.kinds == {Kind.BASELINE: 1, Kind.SEARCH: 3}
    assert (found.ended, found.valued) == (2, 1)


def test_an_infeasible_trial_has_no_value_whatever_it_reported_before() -> None:
    found = summary([trial(0, 0.01, State.INFEASIBLE), trial(1, 0.3)])
    assert found.rows[0].value is None
    assert found.best is not None
    assert found.best.number == 1


def test_trials_that_ended_alike_are_one_group_whatever_their_numbers() -> None:
    found = summary(
        [
            trial(0, None, State.FAILED, reason="exit code 1"),
            trial(1, None, State.INFEASIBLE, reason="err is nan at step 3"),
            trial(2, None, State.INFEASIBLE, reason="err is nan at step 12"),
            trial(3, 0.5, State.STOPPED, reason="below the median"),
        ]
    )
    assert [(g.state, g.reason, g.numbers) for g in found.groups] == [
        (State.INFEASIBLE, "err is nan at step …", (1, 2)),
        (State.FAILED, "exit code 1", (0,)),
        (State.STOPPED, "below the median", (3,)),
    ]


def test_a_number_that_reasons_have_in_common_is_kept() -> None:
    reasons = ["top5_ms 31 > 20", "top5_ms 2.5e3 > 20"]
    found = summary(
        [trial(k, None, State.INFEASIBLE, reason=r) for k, r in enumerate(reasons)]
    )
    assert [group.reason for group in found.groups] == ["top5_ms … > 20"]


@pytest.mark.parametrize("state", [State.FAILED, State.INFEASIBLE])
def test_a_study_in_which_nothing_worked_has_no_best(state: State) -> None:
    found = summary([trial(k, None, state) for k in range(3)])
    assert (found.best, found.ended, found.valued) == (None, 3, 0)


def test_an_axis_has_places_tried_range_and_the_best_value() -> None:
    params = [{"x": 0.25, "width": 8}, {"x": 0.75, "width": 64}]
    found = summary([trial(k, 0.5 - k / 10, params=p) for k, p in enumerate(params)])
    axis = found.axes[0]
    assert (axis.path, axis.places, axis.tried, axis.best) == (
        "x",
        (0.25, 0.75),
        (0.25, 0.75),
        0.75,
    )


def test_an_inactive_hyperparameter_has_no_place_and_no_best() -> None:
    space = {"opt": Choice({"a": {"lr": Float(0, 1)}, "b": {}})}
    trials = [
        trial(0, 0.5, params={"opt": "a", "lr": 0.5}),
        trial(1, 0.1, params={"opt": "b"}),
    ]
    choice, lr = summary(trials, study(space)).axes
    assert choice.options == (("a", 1), ("b", 1))
    assert (lr.places, lr.active_in_best, lr.best) == ((0.5, None), False, None)


def test_params_outside_the_space_have_no_place() -> None:
    found = summary([trial(0, 0.5, params={"x": 7.0, "width": 8})])
    assert found.axes[0].places == (None,)


def test_a_domain_of_one_value_has_its_place_in_the_middle() -> None:
    found = summary([trial(0, 0.5, params={"x": 2.0})], study({"x": Float(2.0, 2.0)}))
    assert found.axes[0].places == (0.5,)


def test_each_arm_has_its_own_best_and_counts() -> None:
    space: dict[str, Domain] = {"opt": Choice(["a", "b"]), "x": Float(0, 1)}
    of = study(space, scientific=["opt"])
    trials = [
        trial(0, 0.5, params={"opt": "a", "x": 0.1}),
        trial(1, 0.3, params={"opt": "a", "x": 0.2}),
        trial(2, 0.4, params={"opt": "b", "x": 0.3}),
        trial(3, None, State.INFEASIBLE, params={"opt": "b", "x": 0.4}),
    ]
    first, second = summary(trials, of).arms
    assert (first.held, first.valued, first.median) == ({"opt": "a"}, 2, 0.4)
    assert first.best is not None
    assert first.best.number == 1
    assert (second.trials, second.valued, second.infeasible) == (2, 1, 1)


def test_a_study_that_compares_nothing_has_no_arms() -> None:
    assert summary([trial(0, 0.5)]).arms == ()


def test_the_best_so_far_follows_the_order_of_ending() -> None:
    found = summary(
        [
            trial(0, 0.5, ended_s=30.0),
            trial(1, 0.7, ended_s=10.0),
            trial(2, 0.6, ended_s=40.0),
        ]
    )
    assert [(step.number, step.best) for step in found.progress] == [
        (1, 0.7),
        (0, 0.5),
        (2, 0.5),
    ]


def test_one_value_far_worse_than_the_others_is_beyond_the_range() -> None:
    values = [*np.linspace(0.1, 0.2, 20).tolist(), 1e6]
    found = summary([trial(k, v) for k, v in enumerate(values)])
    assert found.range is not None
    assert (found.range.low, found.range.high, found.range.beyond) == (0.1, 0.2, 1)


def test_the_worse_end_is_the_lower_one_when_the_metric_is_made_large() -> None:
    of = study(metric=Metric("err", maximize=True, at="last"))
    values = [*np.linspace(0.8, 0.9, 20).tolist(), -1e6]
    found = summary([trial(k, v) for k, v in enumerate(values)], of)
    assert found.range is not None
    assert (found.range.low, found.range.high, found.range.beyond) == (0.8, 0.9, 1)


def test_a_constant_metric_has_a_range_of_one_value() -> None:
    found = summary([trial(k, 0.5) for k in range(6)])
    assert found.range is not None
    assert (found.range.low, found.range.high, found.range.beyond) == (0.5, 0.5, 0)


def test_a_tenth_of_the_trials_is_marked_as_the_top() -> None:
    found = summary([trial(k, k / 100) for k in range(25)])
    assert [row.number for row in found.rows if row.top] == [0, 1, 2]


def test_time_in_training_is_the_sum_over_all_trials() -> None:
    times: dict[str, Any] = {"started_s": 100.0, "ended_s": 110.0}
    later: dict[str, Any] = {"started_s": 105.0, "ended_s": 125.0}
    found = summary([trial(0, 0.5, **times), trial(1, 0.4, **later)])
    assert (found.training_s, found.started_s, found.ended_s) == (30.0, 100.0, 125.0)


def test_a_study_has_no_end_while_a_trial_runs() -> None:
    times: dict[str, Any] = {"started_s": 100.0, "ended_s": 110.0}
    found = summary([trial(0, 0.5, **times), trial(1, 0.4, State.RUNNING)])
    assert found.ended_s is None


def test_the_few_best_trials_lead_and_the_rest_follow() -> None:
    found = summary([trial(k, k / 10) for k in range(8)])
    assert [t.number for t in found.leading] == [0, 1, 2, 3, 4]
    assert [t.number for t in found.rest] == [5, 6, 7]


def test_notes_are_kept() -> None:
    of, note = study(), Note("looks odd", 1.0)
    history = History(of.search_space, of.objective)
    assert summarize(of, history, [note]).notes == (note,)


def test_ten_thousand_trials_are_summarized() -> None:
    rng = np.random.default_rng(0)
    of = study(trials=10_000)
    points = rng.random((10_000, 2))
    values = rng.random(10_000).tolist()
    trials = [
        replace(trial(k, v), params=of.search_space.decode(u))
        for k, (u, v) in enumerate(zip(points, values, strict=True))
    ]
    found = summary(trials, of)
    assert found.valued == 10_000
