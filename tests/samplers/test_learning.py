"""Model-based samplers respect constraints and learn from earlier studies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from danlu.constraint import Constraint
from danlu.domain import Float
from danlu.history import History
from danlu.metric import Metric
from danlu.samplers import GP, TPE, CmaEs, Sampler
from danlu.space import Array, SearchSpace
from danlu.trial import Curve, State, Trial

DIMENSIONS, SEEDS, COUNT = 4, range(3), 40
CUBE = SearchSpace({f"x{n}": Float(0, 1) for n in range(DIMENSIONS)})
LIMIT = Constraint("size", 0.2)  # 1.7 % of the cube keep it: (4 * 0.2)^4 / 4!
learns = pytest.mark.parametrize("sampler", [GP(), TPE(), CmaEs()], ids=repr)


def loss(x: Array, best: float = 0.8) -> float:
    """Least at `best` in each dimension; within the limit at 0.2 in each."""
    return float(((x - best) ** 2).sum())


def told(number: int, x: Array, **others: float) -> Trial:
    metrics = {"loss": loss(x), "size": float(x.mean()), **others}
    params = {f"x{n}": float(value) for n, value in enumerate(x)}
    curves = {name: Curve.of({1: value}) for name, value in metrics.items()}
    ended_s = float(number)
    return Trial(
        number,
        params,
        State.COMPLETED,
        index=number,
        curves=curves,
        ended_s=ended_s,
    )


def points(
    sampler: Sampler,
    history: History,
    limit: Constraint | None = None,
    count: int = COUNT,
) -> Array:
    """Where a study looks; whoever breaks the limit is infeasible."""
    found: list[Array] = []
    for position in range(count):
        known = replace(history, position=position)
        suggestion = sampler.ask(known, np.random.default_rng([known.seed, position]))
        assert suggestion is not None
        x = CUBE.encode(suggestion.params)
        trial = replace(told(position, x), sampler_note=suggestion.note)
        if limit is not None and x.mean() > limit.limit:
            trial = replace(trial, state=State.INFEASIBLE)
        history = replace(history, trials=[*history.trials, trial])
        found.append(x)
    return np.array(found)


def lowest(sampler: Sampler, *earlier: History, trials: int = COUNT) -> float:
    """The mean over the seeds of the least loss after some trials."""
    studies = (
        History(CUBE, Metric("loss"), [], seed, earlier=earlier) for seed in SEEDS
    )
    found = [points(sampler, study, count=trials) for study in studies]
    return float(np.mean([min(map(loss, own)) for own in found]))


def lowest_within(sampler: Sampler, limits: tuple[Constraint, ...]) -> float:
    """The same among trials that keep the limit; 4, the most there is, without any."""
    found = []
    for seed in SEEDS:
        study = History(CUBE, Metric("loss"), [], seed, constraints=limits)
        inside = [x for x in points(sampler, study, LIMIT) if x.mean() <= LIMIT.limit]
        found.append(min(map(loss, inside), default=4.0))
    return float(np.mean(found))


def earlier(best: float, dimensions: int = DIMENSIONS) -> History:
    """A study of 40 random trials with its optimum elsewhere."""
    space = SearchSpace({f"x{n}": Float(0, 1) for n in range(dimensions)})
    trials = []
    for number, x in enumerate(np.random.default_rng(5).random((40, dimensions))):
        trials.append(told(number, x, loss=loss(x, best)))
    return History(space, Metric("loss"), trials)


@learns
def test_a_limit_is_kept_better_than_by_failures_of_no_stated_reason(
    sampler: Sampler,
) -> None:
    with_it, without = (lowest_within(sampler, own) for own in ((LIMIT,), ()))

    assert with_it < without


@learns
@pytest.mark.parametrize("dimensions", [DIMENSIONS, DIMENSIONS - 1])
def test_an_earlier_study_with_its_optimum_nearby_is_a_head_start(
    sampler: Sampler, dimensions: int
) -> None:
    with_it = lowest(sampler, earlier(0.7, dimensions), trials=10)

    assert with_it < lowest(sampler, trials=10)


@learns
def test_an_earlier_study_of_the_opposite_is_overcome(sampler: Sampler) -> None:
    by_chance = np.random.default_rng(1).random((20, COUNT, DIMENSIONS))
    of_chance = np.mean([min(map(loss, own)) for own in by_chance])

    assert lowest(sampler, earlier(0.1)) < 0.6 * of_chance


@learns
def test_where_nothing_keeps_the_limit_the_search_goes_where_it_is_broken_least(
    sampler: Sampler,
) -> None:
    tight = Constraint("size", 0.05)
    study = History(CUBE, Metric("loss"), [], constraints=(tight,))

    sizes = points(sampler, study, tight).mean(axis=1)

    assert sizes[-10:].mean() < 0.7 * sizes[:10].mean()
