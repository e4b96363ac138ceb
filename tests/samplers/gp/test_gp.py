from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from danlu import Belief
from danlu.constraint import parsed
from danlu.domain import Choice, Float, Int
from danlu.errors import SamplerError
from danlu.history import History
from danlu.metric import Metric
from danlu.samplers import GP, Random, Sampler
from danlu.samplers.gp.axes import Axes
from danlu.samplers.gp.model import MOST_PENDING, model_of
from danlu.space import Params, SearchSpace
from danlu.testing import check_sampler
from danlu.trial import Curve, State, Trial

LINE = SearchSpace({"x": Float(0, 1)})
SQUARE = SearchSpace({"x": Float(0, 1), "y": Float(0, 1)})
TREE = SearchSpace(
    {
        "kind": Choice({"a": {"x": Float(0, 1)}, "b": {"y": Float(0, 1)}, "c": {}}),
        "n": Int(1, 8),
    }
)
Loss = Callable[[Params], float]


def number(params: Params, name: str) -> float:
    value = params[name]
    assert isinstance(value, int | float)
    return float(value)


def ended(place: int, params: Params, **metrics: float) -> Trial:
    infeasible = math.isnan(metrics["loss"])
    curves = {name: Curve.of({1: value}) for name, value in metrics.items()}
    state = State.INFEASIBLE if infeasible else State.COMPLETED
    return Trial(place, params, state, index=place, curves=curves)


def asked(sampler: Sampler, history: History) -> Params:
    position = len(history.trials)
    rng = np.random.default_rng([history.seed, position])
    suggestion = sampler.ask(replace(history, position=position), rng)
    assert suggestion is not None
    return suggestion.params


def study(
    sampler: Sampler, space: SearchSpace, loss: Loss, count: int, seed: int = 0
) -> History:
    """The trials of a study that asks one after the other."""
    known = History(space, Metric("loss"), [], seed)
    for place in range(count):
        params = asked(sampler, known)
        trials = [*known.trials, ended(place, params, loss=loss(params))]
        known = replace(known, trials=trials)
    return known


def lowest(known: History) -> float:
    assert known.best is not None
    loss = known.loss(known.best)
    assert loss is not None
    return loss


def branin(params: Params) -> float:
    x, y = 15 * number(params, "x") - 5, 15 * number(params, "y")
    bent = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return bent**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


HARTMANN_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann6(params: Params) -> float:
    x = np.array([number(params, f"x{k}") for k in range(6)])
    away = (HARTMANN_A * (x - HARTMANN_P) ** 2).sum(1)
    return -float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-away))


def test_it_holds_the_contract() -> None:
    check_sampler(GP())


@pytest.mark.parametrize(
    "space",
    [
        SearchSpace({"x": Float(-1e300, 1e300), "n": Int(-(2**70), 2**70)}),
        SearchSpace({"x": Float(2, 2), "n": Int(7, 7), "c": Choice([None])}),
        TREE.pin({"kind": "b"}),
    ],
    ids=["huge", "single", "pinned"],
)
def test_no_space_is_too_strange(space: SearchSpace) -> None:
    params = [space.decode([u] * len(space)) for u in (0.2, 0.4, 0.6, 0.9)]
    known = History(space, Metric("loss"), [])
    for loss, own in enumerate(params):
        trial = ended(loss, own, loss=float(loss))
        known = replace(known, trials=[*known.trials, trial])

    given = asked(GP(), known)

    assert given == space.admit(given)


def test_it_needs_at_least_one_trial_to_learn_from() -> None:
    with pytest.raises(
        SamplerError, match="GP needs min_trials >= 1, a whole number, got 0"
    ):
        GP(min_trials=0)


@pytest.mark.parametrize("seed", range(2))
def test_the_minimum_of_branin_is_found(seed: int) -> None:
    assert lowest(study(GP(), SQUARE, branin, 30, seed)) < 0.45  # minimum 0.398


def test_the_minimum_of_hartmann6_is_found() -> None:
    space = SearchSpace({f"x{k}": Float(0, 1) for k in range(6)})

    def found(sampler: Sampler) -> list[float]:
        runs = [study(sampler, space, hartmann6, 45, seed) for seed in range(3)]
        return [lowest(run) for run in runs]

    assert np.median(found(GP())) < -3.2  # minimum -3.322, next to it one of -3.20
    assert min(found(Random())) > -2.6


def test_the_best_branch_is_found() -> None:
    def loss(params: Params) -> float:
        offset = abs(number(params, "n") - 6) / 8
        if params["kind"] == "a":
            return 0.5 + offset + (number(params, "x") - 0.2) ** 2
        if params["kind"] == "b":
            return offset + 4 * (number(params, "y") - 0.83) ** 2
        return 0.3 + offset

    best = study(GP(), TREE, loss, 30).best

    assert best is not None
    assert ("b", 6) == (best.params["kind"], best.params["n"])
    assert abs(number(best.params, "y") - 0.83) < 0.03


def test_an_infeasible_third_is_avoided() -> None:
    def loss(params: Params) -> float:
        return math.nan if number(params, "x") > 2 / 3 else branin(params)

    known = study(GP(), SQUARE, loss, 28)
    late = [number(trial.params, "x") > 2 / 3 for trial in known.trials[8:]]

    assert sum(late) <= 4  # of 20
    assert lowest(known) < 0.45


def constrained(loss: Loss, size_of: Callable[[float], float]) -> History:
    """24 trials whose size, which depends on x, is to be at most 0.5."""
    known = History(SQUARE, Metric("loss"), [], constraints=(parsed("size <= 0.5"),))
    for place in range(24):
        params = asked(GP(), known)
        size = size_of(number(params, "x"))
        found = loss(params) if size <= 0.5 else math.nan
        trial = ended(place, params, loss=found, size=size)
        known = replace(known, trials=[*known.trials, trial])
    return known


def test_a_constraint_is_kept() -> None:
    def loss(params: Params) -> float:
        return -number(params, "x") + (number(params, "y") - 0.4) ** 2

    known = constrained(loss, lambda x: x)

    assert lowest(known) < -0.46  # -0.5 is the least that keeps it
    assert sum(t.state is State.INFEASIBLE for t in known.trials[12:]) <= 6


def test_a_constraint_that_is_infinitely_broken_is_learned_as_well() -> None:
    known = constrained(branin, lambda x: math.inf if x > 0.8 else 0.1 + x / 4)

    assert lowest(known) < 0.41  # 0.398 is the least
    assert sum(t.state is State.INFEASIBLE for t in known.trials[12:]) <= 4


def test_a_running_trial_is_never_repeated() -> None:
    space = SearchSpace({"n": Int(1, 3), "c": Choice(["a", "b"])})
    first = [ended(k, {"n": n, "c": "a"}, loss=n) for k, n in enumerate((1, 2, 3))]
    known = History(space, Metric("loss"), first)
    given = []
    for place in range(3, 6):
        params = asked(GP(min_trials=2), known)
        given.append((params["n"], params["c"]))
        known = replace(known, trials=[*known.trials, Trial(place, params)])

    assert [(1, "b"), (2, "b"), (3, "b")] == sorted(given)


def test_the_end_of_a_range_of_whole_numbers_is_tried_once() -> None:
    bounds = {"batch_size": (16, 512), "units": (64, 1024)}
    space = SearchSpace({k: Int(*own, log=True) for k, own in bounds.items()})

    def loss(params: Params) -> float:
        return number(params, "batch_size") / 512 - number(params, "units") / 1024

    given = [trial.params for trial in study(GP(), space, loss, 25).trials]

    assert {"batch_size": 16, "units": 1024} in given
    assert 25 == len({tuple(params.values()) for params in given})


def test_workers_that_ask_at_once_spread_out() -> None:
    known = study(GP(), SQUARE, branin, 12)
    given = []
    for place in range(12, 18):
        params = asked(GP(), known)
        given.append([number(params, "x"), number(params, "y")])
        known = replace(known, trials=[*known.trials, Trial(place, params)])

    apart = np.abs(np.array(given)[:, None] - np.array(given)).max(2)
    assert apart[np.triu_indices(6, 1)].min() > 0.01


def test_noise_is_seen_through() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 100)
    known = History(LINE, Metric("loss"), [])
    for place in range(30):
        params = asked(GP(), known)
        loss = (number(params, "x") - 0.3) ** 2 * 4 + noise[place]
        known = replace(known, trials=[*known.trials, ended(place, params, loss=loss)])

    late = [number(trial.params, "x") for trial in known.trials[15:]]
    assert abs(float(np.median(late)) - 0.3) < 0.15


def test_the_first_point_is_the_middle_and_moves_to_what_is_believed() -> None:
    belief = Belief(0.01, confidence=0.99)
    space = SearchSpace({"lr": Float(1e-4, 1.0, log=True, belief=belief)})
    other = SearchSpace({"lr": Float(1e-4, 1.0, log=True, belief=Belief(0.1, 0.99))})

    assert {"x": 0.5} == asked(GP(), History(LINE, Metric("loss")))
    assert {"lr": 0.01} == asked(GP(), History(space, Metric("loss")))
    assert 0.05 < number(asked(GP(), History(other, Metric("loss"))), "lr") < 0.15


@pytest.mark.parametrize(("center", "count"), [(0.7, 10), (0.05, 40)])
def test_a_belief_helps_early_and_a_wrong_one_is_overcome(
    center: float, count: int
) -> None:
    believed = Float(0, 1, belief=Belief(center, confidence=0.9))
    space = SearchSpace({"x": believed, "y": Float(0, 1)})

    def loss(params: Params) -> float:
        return (number(params, "x") - 0.7) ** 2 + 0.1 * number(params, "y")

    assert lowest(study(GP(), space, loss, count)) < 0.01


def test_hundreds_of_waiting_trials_are_told_of_in_part() -> None:
    done = [ended(n, {"x": n / 9, "y": 0.5}, loss=float(n)) for n in range(10)]
    rng = np.random.default_rng(0)
    waiting = [
        Trial(n, {"x": rng.random(), "y": rng.random()}, State.PAUSED, index=n)
        for n in range(10, 10 + 3 * MOST_PENDING)
    ]
    history = History(SQUARE, Metric("loss"), [*done, *waiting])

    model = model_of(Axes(SQUARE), history, [])

    assert len(model.objective.points) == len(done) + MOST_PENDING
    assert asked(GP(), history) not in [own.params for own in waiting]


@pytest.mark.parametrize("seed", range(3))
def test_infeasible_trials_teach_before_any_has_succeeded(seed: int) -> None:
    """Seven of eight branches fail: random params need eight tries for each success."""
    space = SearchSpace({"kind": Choice({k: {"x": Float(0, 1)} for k in "abcdefgh"})})

    def loss(params: Params) -> float:
        return (number(params, "x") - 0.3) ** 2 if params["kind"] == "c" else math.nan

    known = study(GP(), space, loss, 25, seed)

    _, losses = known.observed()
    assert np.isnan(losses).sum() <= 12
    assert lowest(known) < 0.01


def test_what_failed_is_not_asked_for_again() -> None:
    space = SearchSpace({"a": Choice(["x", "y"]), "n": Int(1, 4)})
    known = History(space, Metric("loss"), [])
    failed = []
    for place in range(8):
        params = asked(GP(), known)
        trial = ended(place, params, loss=number(params, "n"))
        if params["a"] == "x" and params["n"] == 1:
            trial = replace(trial, state=State.FAILED)
            failed.append(params)
        known = replace(known, trials=[*known.trials, trial])

    assert len(failed) <= 1
