"""Which sources PriorBand draws from, as a trial runs longer and more is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import danlu
from danlu import Belief, Choice, Float, State
from danlu.history import History
from danlu.level import leveled
from danlu.metric import Metric
from danlu.samplers import PriorBand
from danlu.schedulers import Hyperband
from danlu.space import SearchSpace
from danlu.testing import check_sampler
from danlu.trial import Curve, Trial

ASKS = 2000
BELIEVED = SearchSpace({"x": Float(0, 1, belief=Belief(0.2, confidence=0.8))})
STEPS = (1, 3, 9)


def known(
    *xs: float, space: SearchSpace = BELIEVED, at: int = 9, budget: int | None = 1
) -> History:
    """Trials with these params, the best first, that have come to the step `at`."""
    trials = [
        Trial(
            number,
            {"x": x},
            State.PAUSED,
            budget=at,
            curves={"loss": Curve.of({at: float(number)})},
        )
        for number, x in enumerate(xs)
    ]
    return leveled(History(space, Metric("loss"), trials, max_steps=9), STEPS, budget)


def shares(history: History) -> dict[str, float]:
    asked = (PriorBand().ask(history, np.random.default_rng(n)) for n in range(ASKS))
    counts = Counter(own.note["source"] for own in asked)
    return {source: count / ASKS for source, count in counts.items()}


@pytest.mark.parametrize(("budget", "random"), [(1, 1 / 2), (3, 1 / 4), (9, 1 / 10)])
def test_the_longer_a_trial_runs_the_less_is_random(budget: int, random: float) -> None:
    """Mallik et al. (2023), section 5.1: p_U = 1 / (1 + eta^r)."""
    found = shares(known(budget=budget))

    assert found["random"] == pytest.approx(random, abs=0.04)
    assert found["belief"] == pytest.approx(1 - random, abs=0.04)


def test_a_belief_that_the_best_trials_confirm_keeps_its_share() -> None:
    found = shares(known(0.2, 0.15, 0.25, budget=9))

    # both are the same bell, of which a belief in the best has the share 0.5, not 0.8
    assert found["belief"] > found["best"] > 0.2


def test_a_belief_that_the_best_trials_refute_gives_way() -> None:
    found = shares(known(0.9, 0.85, 0.95, budget=9))

    assert found["best"] > 5 * found["belief"]


def test_the_best_is_no_evidence_for_what_is_near_it() -> None:
    found = shares(known(0.9, 0.2, 0.2, budget=9))

    assert found["belief"] > 2 * found["best"]


def test_two_trials_are_too_few_to_be_followed() -> None:
    assert "best" not in shares(known(0.9, 0.8))


def test_the_highest_rung_with_enough_trials_counts() -> None:
    low = known(0.1, 0.5, 0.6, at=1)
    high = [replace(own, number=9 + own.number) for own in known(0.9, 0.85, 0.8).trials]
    both = replace(low, trials=[*low.trials, *high], budget=9)

    points = [
        PriorBand().ask(both, np.random.default_rng(n)).params["x"] for n in range(ASKS)
    ]

    near = np.abs(np.array(points, float) - 0.9) < 0.1
    assert near.mean() > 0.3  # evenly spread it would be 0.2


def test_without_beliefs_it_searches_at_random_and_near_the_best() -> None:
    plain = SearchSpace({"x": Float(0, 1)})

    found = shares(known(0.9, 0.8, 0.7, space=plain, budget=9))

    assert found["best"] > found["belief"] > 0


def test_what_is_under_another_option_than_the_best_is_drawn_evenly() -> None:
    space = SearchSpace(
        {"kind": Choice({"a": {"x": Float(0, 1)}, "b": {"y": Float(0, 1)}})}
    )
    trials = [
        Trial(n, {"kind": "a", "x": 0.5}, State.COMPLETED, curves={"loss": _LOSS})
        for n in range(3)
    ]
    history = History(space, Metric("loss"), trials, rungs=STEPS, budget=9)

    drawn = [PriorBand().ask(history, np.random.default_rng(n)) for n in range(ASKS)]

    kinds = Counter(own.params["kind"] for own in drawn)
    ys = [float(own.params["y"]) for own in drawn if own.params["kind"] == "b"]  # type: ignore[arg-type]
    assert kinds["a"] > 1.3 * kinds["b"]
    assert np.std(ys) == pytest.approx(12**-0.5, abs=0.03)


def test_prior_band_keeps_the_contract_of_a_sampler() -> None:
    check_sampler(PriorBand())


def test_its_recipe_joins_it_with_hyperband() -> None:
    own = danlu.recipes.recipe("prior_band")

    assert isinstance(danlu.recipes.sampler(own["sampler"]), PriorBand)
    assert isinstance(danlu.recipes.scheduler(own["scheduler"]), Hyperband)


_LOSS = Curve.of({9: 0.5})


@pytest.mark.parametrize("steps", [(7, 8), (20, 23, 25)])
def test_rungs_may_be_close_together(steps: tuple[int, ...]) -> None:
    history = replace(known(0.4, 0.5, at=steps[-1]), rungs=steps)

    asked = PriorBand().ask(history, np.random.default_rng(0))

    assert asked.params in BELIEVED
