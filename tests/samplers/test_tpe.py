from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from danlu.domain import Belief, Choice, Float, Int
from danlu.errors import SamplerError
from danlu.history import History
from danlu.metric import Metric
from danlu.samplers import TPE, QuasiRandom, Random, Sampler
from danlu.samplers.tpe import MOST_OF_BEST, split
from danlu.space import Params, SearchSpace
from danlu.testing import check_sampler
from danlu.trial import Curve, State, Trial

Loss = Callable[[Params], float | None]
PLANE = SearchSpace({"x": Float(-5, 10), "y": Float(0, 15)})


def branin(params: Params) -> float:
    """The function of Branin (1972); its minimum is 0.3979."""
    x, y = float(params["x"]), float(params["y"])  # type: ignore[arg-type]
    bowl = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def ended(number: int, params: Params, loss: float | None) -> Trial:
    if loss is None:
        return Trial(number, params, State.INFEASIBLE)
    curves = {"loss": Curve.of({1: loss})}
    return Trial(number, params, State.COMPLETED, curves=curves)


def study(
    sampler: Sampler, space: SearchSpace, loss: Loss, count: int, seed: int = 0
) -> list[Trial]:
    trials: list[Trial] = []
    for number in range(count):
        history = History(space, Metric("loss"), tuple(trials), seed, number)
        suggestion = sampler.ask(history, np.random.default_rng([seed, number]))
        assert suggestion is not None
        trials.append(ended(number, suggestion.params, loss(suggestion.params)))
    return trials


def best(sampler: Sampler, seed: int) -> float:
    trials = study(sampler, PLANE, branin, 60, seed)
    return min(branin(trial.params) for trial in trials)


def test_it_holds_the_contract_of_a_sampler() -> None:
    check_sampler(TPE())
    check_sampler(TPE(start=1))


def test_the_best_tenth_is_split_off_and_infeasible_trials_are_never_in_it() -> None:
    losses = np.arange(40.0)[::-1].copy()
    losses[39] = np.nan  # was 0, the lowest

    good, rest = split(losses, np.where(np.isnan(losses), np.inf, 0.0))

    assert good.tolist() == [38, 37, 36, 35]
    assert rest.tolist() == [*range(34, -1, -1), 39]


def test_at_most_a_few_are_the_best() -> None:
    good, rest = split(np.arange(1000.0), np.zeros(1000))

    assert (len(good), len(rest)) == (MOST_OF_BEST, 1000 - MOST_OF_BEST)


def test_where_all_trials_are_infeasible_none_is_good() -> None:
    good, rest = split(np.full(12, np.nan), np.full(12, np.inf))

    assert (len(good), len(rest)) == (0, 12)


def test_it_finds_the_minimum_of_branin_better_than_random_search() -> None:
    found = [best(TPE(), seed) for seed in range(5)]
    by_chance = [best(Random(), seed) for seed in range(5)]

    assert np.mean(found) - 0.3979 < (np.mean(by_chance) - 0.3979) / 2
    assert max(found) < 1.5


def test_it_starts_with_quasi_random_points() -> None:
    assert [t.params for t in study(TPE(), PLANE, branin, 10, seed=3)] == [
        t.params for t in study(QuasiRandom(), PLANE, branin, 10, seed=3)
    ]


def test_what_is_believed_comes_first_and_does_not_stop_the_search() -> None:
    wrong = Belief(0.1, confidence=0.8)
    space = SearchSpace({"x": Float(0, 1, belief=wrong)})

    trials = study(TPE(), space, lambda p: abs(float(str(p["x"])) - 0.9), 40)

    xs = np.array([float(str(trial.params["x"])) for trial in trials])
    assert 7 <= (xs[:10] < 0.4).sum()
    assert np.abs(xs - 0.9).min() < 0.05


def test_the_infeasible_third_is_avoided() -> None:
    def loss(params: Params) -> float | None:
        x = float(params["x"])  # type: ignore[arg-type]
        return None if x > 5 else branin(params)

    trials = study(TPE(), PLANE, loss, 60)

    infeasible = [trial.state is State.INFEASIBLE for trial in trials[20:]]
    assert np.mean(infeasible) < 0.25


def test_with_all_trials_infeasible_it_goes_elsewhere() -> None:
    space = SearchSpace({"x": Float(0, 1)})
    trials = [ended(n, {"x": n / 40}, None) for n in range(20)]  # the lower half
    history = History(space, Metric("loss"), trials, position=20)

    asked = [
        TPE().ask(history, np.random.default_rng(n)).params["x"] for n in range(20)
    ]

    assert 0.5 < min(float(x) for x in asked)  # type: ignore[arg-type]


def test_running_trials_push_the_next_one_away() -> None:
    space = SearchSpace({"x": Float(0, 1)})
    done = [ended(n, {"x": n / 19}, abs(n / 19 - 0.5)) for n in range(20)]
    busy = [Trial(20 + n, {"x": 0.45 + n / 100}) for n in range(10)]

    def distance(trials: list[Trial]) -> float:
        history = History(space, Metric("loss"), trials, position=len(trials))
        rngs = [np.random.default_rng(n) for n in range(30)]
        asked = [float(TPE().ask(history, rng).params["x"]) for rng in rngs]  # type: ignore[arg-type]
        return float(np.mean(np.abs(np.array(asked) - 0.5)))

    assert distance(done) < distance([*done, *busy])


def test_the_branch_of_the_best_trials_is_followed_with_its_own_params() -> None:
    own = Choice({"a": {"x": Float(0, 1)}, "b": {"x": Float(0, 1)}, "c": {}})
    space = SearchSpace({"kind": own})

    def loss(params: Params) -> float:
        away = abs(float(params.get("x", 0.0)) - 0.8)  # type: ignore[arg-type]
        return {"a": 1.0, "b": 0.0, "c": 2.0}[str(params["kind"])] + away

    trials = study(TPE(), space, loss, 50)

    late = [trial.params for trial in trials[30:]]
    assert 0.6 < np.mean([params["kind"] == "b" for params in late])
    assert min(loss(trial.params) for trial in trials) < 0.05


def test_every_value_of_a_small_space_is_tried_before_one_is_repeated() -> None:
    space = SearchSpace({"c": Choice(["a", "b", "c"]), "n": Int(1, 4)})

    trials = study(TPE(start=3), space, lambda params: float(str(params["n"])), 14)

    points = [tuple(trial.params.values()) for trial in trials]
    assert 12 == len(set(points))
    assert 12 == len(set(points[:12]))


def test_the_number_of_kernels_is_bounded() -> None:
    rng = np.random.default_rng(0)
    space = SearchSpace({"x": Float(0, 1)})
    trials = [ended(n, {"x": x}, abs(x - 0.3)) for n, x in enumerate(rng.random(3000))]
    history = History(space, Metric("loss"), trials, position=3000)

    asked = [TPE().ask(history, np.random.default_rng(n)).params["x"] for n in range(8)]

    assert all(0.2 < float(x) < 0.4 for x in asked)  # type: ignore[arg-type]


def test_a_start_of_no_trials_is_refused() -> None:
    with pytest.raises(SamplerError, match=r"start.* whole number from 1, got 0"):
        TPE(start=0)


def test_what_failed_is_not_asked_for_again() -> None:
    space = SearchSpace({"n": Int(1, 12)})
    trials: list[Trial] = []
    for number in range(12):
        history = History(space, Metric("loss"), trials, position=number)
        params = TPE(start=4).ask(history, np.random.default_rng(number)).params
        state = State.FAILED if params["n"] in (1, 2) else State.COMPLETED
        curves = {"loss": Curve.of({1: float(str(params["n"]))})}
        trials.append(Trial(number, params, state, curves=curves))

    failed = [trial.params["n"] for trial in trials if trial.state is State.FAILED]
    assert len(failed) == len(set(failed))
