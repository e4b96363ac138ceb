"""Which losses a sampler learns from while trials are promoted from rung to rung."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import danlu
from danlu import Curve, History, State, Trial
from danlu.level import dependence, leveled
from danlu.samplers import GP, TPE, Sampler
from danlu.schedulers import (
    Asha,
    AshaStop,
    AsyncHyperband,
    Full,
    Hyperband,
    Scheduler,
    SuccessiveHalving,
)

RUNGS = (1, 3, 9)


def _trial(number: int, steps: int, state: State = State.PAUSED) -> Trial:
    x = (number * 0.381966) % 1.0
    curve = Curve.of({s: abs(x - 0.3) + 1 / s for s in range(1, steps + 1)})
    curves = {"loss": curve} if steps else {}
    return Trial(number, {"x": x}, state, budget=steps or 1, curves=curves)


def _history(trials: list[Trial], dimensions: int = 1) -> History:
    own = {f"x{place}": danlu.Float(0, 1) for place in range(1, dimensions)}
    space = danlu.SearchSpace({"x": danlu.Float(0, 1), **own})
    params = dict.fromkeys(own, 0.5)
    trials = [replace(trial, params={**trial.params, **params}) for trial in trials]
    metric = danlu.Metric("loss")
    return History(space, metric, trials, position=len(trials), max_steps=9)


def _ladder(at_1: int, at_3: int, at_9: int) -> list[Trial]:
    """Trials that rest at each rung; those of a higher one are through the lower."""
    steps = [9] * at_9 + [3] * at_3 + [1] * at_1
    return [_trial(number, own) for number, own in enumerate(steps)]


@pytest.mark.parametrize(
    ("rests", "dimensions", "expected"),
    [
        ((0, 0, 0), 1, 1),
        ((9, 0, 0), 1, 1),
        ((20, 9, 0), 1, 1),
        ((20, 10, 0), 1, 3),
        ((20, 9, 1), 1, 3),
        ((20, 20, 10), 1, 9),
        # |D_b| >= N_min + 2 with N_min = d + 1: Falkner et al. (2018), Algorithm 2
        ((20, 22, 0), 20, 1),
        ((20, 23, 0), 20, 3),
    ],
)
def test_the_level_is_the_largest_budget_with_enough_losses(
    rests: tuple[int, int, int], dimensions: int, expected: int
) -> None:
    seen = leveled(_history(_ladder(*rests), dimensions), RUNGS)

    assert seen.level == expected


def _chance(number: int, steps: int) -> Trial:
    """A trial whose loss has nothing to do with its params before step 9."""
    own = _trial(number, steps)
    noise = np.random.default_rng(number).random(8)
    curve = Curve.of(
        {s: 10.0 + noise[s - 1] for s in range(1, min(steps, 8) + 1)}
        | {s: loss for s, loss in _points(own) if s == 9}
    )
    return replace(own, curves={"loss": curve})


def _points(trial: Trial) -> list[tuple[int, float]]:
    curve = trial.curves["loss"]
    return list(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))


def _levels(rests: tuple[int, int, int], make: Callable[[int, int], Trial]) -> set[int]:
    """The levels of 20 histories that differ by which numbers their trials have."""
    steps = [9] * rests[2] + [3] * rests[1] + [1] * rests[0]
    histories = (
        _history([make(100 * turn + n, own) for n, own in enumerate(steps)])
        for turn in range(20)
    )
    return {leveled(own, RUNGS).level or 0 for own in histories}


def test_a_rung_whose_losses_are_chance_is_passed_over_half_of_the_time() -> None:
    assert _levels((40, 0, 0), _chance) == {1, 9}
    assert _levels((40, 0, 0), _trial) == {1}


def test_above_rungs_of_chance_the_losses_of_the_end_are_learned_from() -> None:
    assert _levels((30, 20, 10), _chance) == {9}


def test_no_rung_is_asked_for_a_signal_before_it_has_losses_enough() -> None:
    assert _levels((9, 0, 0), _chance) == {1}


@pytest.mark.parametrize("count", [10, 20, 40])
def test_chance_has_a_dependence_of_nothing_on_average(count: int) -> None:
    rng = np.random.default_rng(0)
    draws = [dependence(rng.random((count, 7)), rng.random(count)) for _ in range(1000)]

    assert abs(np.mean(draws)) < 3 * np.std(draws) / 1000**0.5
    assert 0.4 < np.mean(np.array(draws) > 0) < 0.48


@pytest.mark.parametrize("dimension", range(3))
def test_any_kind_of_dependence_is_seen_from_40_points(dimension: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.random((40, 3))
    x = X[:, dimension]
    noise = rng.normal(0.0, 0.3, 40)
    for y in (x, (x - 0.5) ** 2, (x > 0.8) * 1.0, x + noise):
        assert dependence(X, np.asarray(y, np.float64)) > 0


def test_only_the_order_of_the_losses_counts() -> None:
    X = np.random.default_rng(0).random((30, 2))
    y = X.sum(1)

    assert dependence(X, y) == pytest.approx(dependence(X, np.exp(20 * y)))


def test_ten_thousand_trials_and_inactive_dimensions_are_looked_at() -> None:
    X = np.random.default_rng(0).random((10_000, 2))
    y = X[:, 0].copy()
    X[::2, 1] = np.nan

    assert dependence(X, y) > 0


def test_without_rungs_a_history_stays_as_it_is() -> None:
    history = _history(_ladder(12, 0, 0))

    assert leveled(history, Full().rungs(history)) is history


@pytest.mark.parametrize(
    "scheduler",
    [Asha(), AshaStop(), SuccessiveHalving(), Hyperband(), AsyncHyperband()],
)
def test_every_scheduler_of_rungs_says_which(scheduler: Scheduler) -> None:
    assert tuple(scheduler.rungs(_history([]))) == RUNGS


def test_losses_are_those_at_the_level() -> None:
    trials = [_trial(0, 9), _trial(1, 3), _trial(2, 5, State.RUNNING)]

    _, losses = replace(_history(trials), level=3).observed()

    expected = [trial.curves["loss"].best_until(3, False) for trial in trials]
    assert losses.tolist() == expected


def test_an_infeasible_trial_is_infeasible_at_every_rung() -> None:
    trials = [_trial(0, 3), _trial(1, 1, State.INFEASIBLE)]

    _, losses = replace(_history(trials), level=3).observed()

    assert np.isnan(losses).tolist() == [False, True]


def test_a_trial_that_ended_by_itself_below_the_level_counts_with_its_loss() -> None:
    done = _trial(0, 2, State.COMPLETED)

    _, losses = replace(_history([done]), level=3).observed()

    assert losses.tolist() == [done.curves["loss"].best_until(2, False)]


def test_those_that_run_or_wait_below_the_level_are_pending_and_failed_ones_not() -> (
    None
):
    states = [State.RUNNING, State.PAUSED, State.STOPPED, State.FAILED]
    trials = [_trial(number, 1, state) for number, state in enumerate(states)]
    history = replace(_history([*trials, _trial(4, 3)]), level=3)

    expected = [[trial.params["x"]] for trial in trials[:3]]
    assert history.pending().tolist() == expected


def test_slacks_stay_in_line_with_what_is_observed() -> None:
    limit = danlu.Constraint("loss", 0.5)
    history = replace(_history(_ladder(3, 2, 1)), level=3, constraints=(limit,))

    assert len(history.slacks()) == len(history.observed()[1]) == 3


@pytest.mark.parametrize("sampler", [TPE(), GP()])
def test_a_paused_trial_is_learned_from(sampler: Sampler) -> None:
    history = _history(_ladder(20, 0, 0))

    def asked(known: History) -> list[float]:
        found = [sampler.ask(known, np.random.default_rng(n)) for n in range(5)]
        return [float(own.params["x"]) for own in found if own]  # type: ignore[arg-type]

    def away(known: History) -> float:
        return float(np.median([abs(x - 0.3) for x in asked(known)]))

    assert away(leveled(history, RUNGS)) < 0.1 < away(history)
