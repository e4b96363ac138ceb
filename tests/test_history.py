from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from danlu.constraint import parsed
from danlu.domain import Choice, Float
from danlu.errors import StudyError
from danlu.history import History
from danlu.metric import Metric
from danlu.space import SearchSpace
from danlu.trial import Curve, Kind, State, Trial

SPACE = SearchSpace({"x": Float(0, 1)})
LOSS = Metric("loss")
ENDED = [state for state in State if state.ended]


def trial(
    number: int,
    points: dict[int, float] | None = None,
    state: State = State.COMPLETED,
    x: float = 0.5,
) -> Trial:
    curves = {} if points is None else {"loss": Curve.of(points)}
    return Trial(number, {"x": x}, state, curves=curves)


def history(*trials: Trial, metric: Metric = LOSS) -> History:
    return History(SPACE, metric, trials)


def numbers(trials: Any) -> list[int]:
    return [trial.number for trial in trials]


@st.composite
def histories(draw: st.DrawFn) -> History:
    curves = st.dictionaries(st.integers(0, 9), st.floats(), max_size=4)
    drawn = draw(st.lists(st.tuples(curves, st.sampled_from(State)), max_size=8))
    metric = draw(st.builds(Metric, st.just("loss"), st.booleans()))
    trials = [trial(number, *each) for number, each in enumerate(drawn)]
    return History(SPACE, metric, trials)


def test_the_best_loss_over_the_steps_counts() -> None:
    curve = Curve.of({1: 0.5, 2: 0.3, 3: 0.4})

    assert 0.3 == Metric("loss").loss(curve)
    assert 0.4 == Metric("loss", at="last").loss(curve)
    assert -0.5 == Metric("loss", maximize=True).loss(curve)


def test_a_value_that_is_not_finite_is_no_loss() -> None:
    assert 0.5 == LOSS.loss(Curve.of({1: 0.5, 2: math.nan, 3: -math.inf}))
    assert LOSS.loss(Curve.of({1: math.nan})) is None
    assert LOSS.loss(None) is None


@pytest.mark.parametrize("maximize", [True, False])
def test_a_loss_turned_back_is_the_metric(maximize: bool) -> None:
    metric = Metric("score", maximize)

    loss = metric.loss(Curve.of({1: 0.7}))

    assert loss is not None
    assert 0.7 == metric.value(loss)


def test_trials_are_ranked_by_loss_and_then_by_number() -> None:
    known = history(*(trial(n, {1: y}) for n, y in enumerate([3.0, 1.0, 2.0, 1.0])))

    assert [1, 3, 2, 0] == numbers(known.ranked())
    assert known.trials[1] is known.best


def test_a_maximized_metric_ranks_the_largest_first() -> None:
    trials = [trial(0, {1: 0.2}), trial(1, {1: 0.9})]

    assert [1, 0] == numbers(history(*trials, metric=Metric("loss", True)).ranked())


def test_a_trial_without_a_loss_has_no_rank() -> None:
    known = history(trial(0), trial(1, {1: math.nan}), trial(2, {1: 5.0}))

    assert [2] == numbers(known.ranked())


def test_failed_and_infeasible_trials_have_no_rank() -> None:
    known = history(*(trial(n, {1: 1.0}, state) for n, state in enumerate(ENDED)))

    ranked = {trial.state for trial in known.ranked()}

    assert {State.COMPLETED, State.STOPPED} == ranked


def test_ended_trials_are_in_the_order_of_their_ends() -> None:
    late, early = (replace(trial(n), ended_s=at) for n, at in ((0, 9.0), (1, 3.0)))
    unnoted, failed = trial(2), replace(trial(3, state=State.FAILED), ended_s=3.0)
    running = trial(4, state=State.RUNNING)

    ended = history(late, early, unnoted, failed, running).ended()

    assert [2, 1, 3, 0] == numbers(ended)


def test_at_a_step_all_trials_that_reached_it_are_ranked() -> None:
    far = trial(0, {1: 0.9, 3: 0.1})
    running = trial(1, {1: 0.8, 2: 0.5}, State.RUNNING)
    short = trial(2, {1: 0.2})

    assert [1, 0] == numbers(history(far, running, short).ranked(at=2))


def test_what_comes_after_a_step_does_not_count_at_it() -> None:
    known = history(trial(0, {1: 0.9, 3: 0.1}))

    assert 0.9 == known.loss(known.trials[0], at=2)
    assert known.loss(known.trials[0], at=0) is None


def test_an_infeasible_trial_is_observed_as_nan() -> None:
    bad = trial(0, {1: 0.1}, State.INFEASIBLE, x=0.25)

    X, y = history(bad, trial(1, {1: 0.5}, x=0.75)).observed()

    assert [[0.25], [0.75]] == X.tolist()
    assert math.isnan(y[0])
    assert 0.5 == y[1]


def test_a_failed_trial_says_nothing_about_its_params() -> None:
    _, y = history(trial(0, {1: 0.1}, State.FAILED)).observed()

    assert [] == y.tolist()


def test_a_trial_outside_the_space_is_not_observed() -> None:
    X, y = history(trial(0, {1: 0.1}, x=7.0)).observed()

    assert ((0, 1), (0,)) == (X.shape, y.shape)


def test_pending_are_the_running_and_the_paused() -> None:
    known = history(*(trial(n, None, s, n / 10) for n, s in enumerate(State)))

    assert [[0.0], [0.1]] == known.pending().tolist()


def test_inactive_dimensions_are_nan_in_what_is_observed() -> None:
    space = SearchSpace({"c": Choice({"a": {"x": Float(0, 1)}, "b": {}})})
    curves = {"loss": Curve.of({1: 1.0})}
    taken = Trial(0, {"c": "b"}, State.COMPLETED, curves=curves)

    X, _ = History(space, LOSS, [taken]).observed()

    assert np.array_equal([[0.75, math.nan]], X, equal_nan=True)


def test_an_empty_history_has_empty_arrays_and_no_best() -> None:
    X, y = history().observed()

    assert ((0, 1), (0,), (0, 1)) == (X.shape, y.shape, history().pending().shape)
    assert history().best is None


@given(histories(), st.one_of(st.none(), st.integers(0, 9)))
def test_losses_rise_along_the_ranks(known: History, at: int | None) -> None:
    losses = [known.loss(ranked, at) for ranked in known.ranked(at)]

    assert losses == sorted(losses)  # type: ignore[type-var]


@given(histories(), st.one_of(st.none(), st.integers(0, 9)))
def test_there_are_as_many_points_as_losses(known: History, at: int | None) -> None:
    X, y = known.observed(at)

    assert len(X) == len(y)
    assert not np.isinf(y).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Metric(""), "a metric needs a name, got ''"),
        (lambda: Metric(None), "a metric needs a name, got None"),  # type: ignore[arg-type]
        (lambda: Metric("loss", at="mean"), "is 'best' or 'last', got 'mean'"),  # type: ignore[arg-type]
    ],
)
def test_a_faulty_metric_says_what_is_wrong(make: Any, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        make()


@given(histories(), st.integers(0, 9))
def test_the_loss_at_a_step_is_that_of_the_curve_up_to_it(
    known: History, at: int
) -> None:
    for each in known.trials:
        cut = each.curves["loss"].until(at)
        assert known.metric.loss(cut) == known.loss(each, at)


def limited(*curves: dict[str, dict[int, float]]) -> History:
    trials = [
        Trial(
            k,
            {"x": 0.5},
            State.COMPLETED,
            curves={n: Curve.of(c) for n, c in own.items()},
        )
        for k, own in enumerate(curves)
    ]
    limits = (parsed("ms <= 20"), parsed("accuracy >= 0.5"))
    return History(SPACE, LOSS, trials, constraints=limits)


def test_slacks_are_read_at_the_step_of_the_loss() -> None:
    known = limited({"loss": {1: 3, 2: 1, 3: 2}, "ms": {1: 1, 2: 30, 3: 2}})

    assert 10 == known.slacks()[0, 0]


def test_of_equal_losses_the_first_step_counts_and_of_the_last_one_the_last() -> None:
    curve = Curve.of({1: 2, 2: 1, 3: 1})

    assert (2, 3) == (LOSS.step(curve), Metric("loss", at="last").step(curve))
    assert LOSS.step(Curve.of({1: math.nan})) is None
    assert 1 == Metric("loss", maximize=True).step(curve)


def test_slacks_stand_in_the_rows_of_what_is_observed() -> None:
    known = limited(
        {"loss": {1: 3}, "ms": {1: 30}, "accuracy": {1: 0.25}},
        {"ms": {1: 30}},  # no loss: not observed
        {"loss": {1: 2}, "ms": {1: 5}},
    )

    assert [[10, 0.25], [-15, None]] == [
        [None if math.isnan(slack) else slack for slack in row]
        for row in known.slacks().tolist()
    ]
    assert len(known.slacks()) == len(known.observed()[1])


def test_without_constraints_there_are_rows_and_no_slacks() -> None:
    assert (1, 0) == history(trial(0, {1: 1})).slacks().shape


def test_earlier_studies_are_seen_in_the_cube_of_this_one() -> None:
    trials = [
        trial(0, {1: 3}, x=0.25),
        trial(1, {1: 2}, state=State.INFEASIBLE, x=0.5),
        trial(2, {1: 1}, state=State.FAILED, x=0.5),
        trial(3, {1: 1}, state=State.RUNNING, x=0.5),
        trial(4, {1: 4}, x=1.0),
    ]
    wider = SearchSpace({"x": Float(0, 0.5), "y": Float(0, 1)})
    own = History(wider, LOSS, earlier=(history(*trials), history()))

    (points, losses), (none, no_losses) = own.transferred()

    assert [0.5, 1.0] == points[:, 0].tolist()
    assert np.isnan(points[:, 1]).all()
    assert 3 == losses[0]
    assert math.isnan(losses[1])
    assert ((0, 2), (0,)) == (none.shape, no_losses.shape)


def test_trials_that_were_added_outside_of_an_earlier_space_are_left_out() -> None:
    outside = Trial(0, {"z": 1}, State.COMPLETED, curves={"loss": Curve.of({1: 1})})
    own = History(SPACE, LOSS, earlier=(history(outside),))

    assert [0] == [len(losses) for _, losses in own.transferred()]


def test_trials_that_confirm_are_neither_ranked_nor_learned_from() -> None:
    search, confirm = trial(0, {1: 0.5}), replace(trial(1, {1: 0.1}), kind=Kind.CONFIRM)
    running = replace(confirm, number=2, state=State.RUNNING)
    known = history(search, confirm, running)

    assert known.best == search
    assert [own.number for own in known.ranked(at=1)] == [0]
    assert known.observed()[1].tolist() == [0.5]
    assert len(known.pending()) == 0
    assert len(replace(known, level=1).pending()) == 0


def test_what_was_searched_leaves_out_the_trials_that_confirm() -> None:
    search, confirm = trial(0, {1: 0.5}), replace(trial(1, {1: 0.1}), kind=Kind.CONFIRM)
    running = trial(2, {1: 0.2}, State.RUNNING)

    own, points, losses = history(search, confirm, running).searched()

    assert [0] == numbers(own)
    assert ([[0.5]], [0.5]) == (points.tolist(), losses.tolist())


def test_whether_a_metric_is_maximized_is_true_or_false() -> None:
    with pytest.raises(StudyError, match="is True or False, got 'false'"):
        Metric("acc", maximize="false")  # type: ignore[arg-type]


def test_points_that_failed_are_known() -> None:
    known = history(trial(0, {1: 0.5}), trial(1, state=State.FAILED, x=0.25))

    assert [[0.25]] == known.failed().tolist()
