"""Effects of just the size at which the documentation promises 90 % (docs/checks.md).

Noise from step to step is white here, since sizes are stated in its deviations. Only
the check whose size it is has a claim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from numpy.random import Generator

from danlu import Float, Metric

from .claims import Claim, Situation, speaks
from .course import Course, Faults
from .curve_situations import curved, refined
from .space_situations import planted, with_terms
from .surface import Bowl, Cliff, Corner, Offset, Term, Valley
from .world import View, World
from .worlds import activations, inside, momentum, rate_alone, rate_and_decay

SD = 0.004  # of a report
NAMES = ("lr", "one_minus_momentum", "weight_decay", "dropout")
LAST_TENTH = 0.917  # of what a straight rise from 0.4 on comes to, on average
HEIGHT = 0.19  # of an error's bowl with a weight of 1, from its middle to its rim


def alike(rng: Generator, count: int, trials: int, *terms: Term) -> World:
    """So many bowls of one height with noise of 5 % of it; `terms` replace some."""
    space = {name: Float(1e-4, 1.0, log=True) for name in NAMES[:count]}
    bowls = tuple(Bowl(name, inside(rng), 1.0) for name in NAMES[:count])
    world = World(space, bowls, trials=trials, seed_sd=0.05 * HEIGHT)
    return with_terms(world, *terms)


def space() -> list[Situation]:
    """Of the checks of the space."""

    def outside(count: int, trials: int) -> Callable[[Generator], World]:
        return lambda rng: alike(rng, count, trials, Bowl("lr", 1.2, 1.0))

    def corner(rng: Generator) -> World:
        world = alike(rng, 4, 40)
        return replace(world, cliff=Corner({"lr": 0.646, "one_minus_momentum": 0.646}))

    def edge(rng: Generator) -> World:
        world = alike(rng, 2, 40, Bowl("lr", 1.0, 2.0))
        return replace(world, cliff=Cliff({"lr": 1.0}, 0.75))

    def one_idle(rng: Generator) -> World:
        return alike(rng, 4, 60, Bowl("dropout", 0.5, 0.0))

    low = [speaks("boundary", "lr", "high"), Claim("boundary", False, "lr", "low")]
    idle = [speaks("importance", "dropout", "fix")]
    idle += [Claim("importance", False, path, "fix") for path in NAMES[:3]]
    product = [speaks("importance", "lr*one_minus_momentum", "interact")]
    ahead = [speaks("isolation", "relu", "better")]
    ahead += [Claim("isolation", False, "gelu", "better")]
    lucky = [speaks("noise")]
    return [
        planted("stated-boundary-2", outside(2, 20), low),
        planted("stated-boundary-4", outside(4, 40), low),
        planted("stated-infeasible", corner, [speaks("infeasible", "lr")]),
        planted("stated-edge-of-stability", edge, [speaks("edge-of-stability", "lr")]),
        planted("stated-coverage", eight_in_four, [speaks("coverage")]),
        planted("stated-isolation", leading, ahead),
        planted("stated-importance", one_idle, idle),
        planted("stated-interaction", product_of_5, product),
        planted("stated-noise", nothing_but_noise, lucky),
    ]


def eight_in_four(rng: Generator) -> World:
    """Two trials for each of four hyperparameters."""
    return momentum(rng, trials=8)


def leading(rng: Generator) -> World:
    """Twenty trials an arm, and a lead of 0.4 of the learning rate's bowl."""
    world = activations(rng, (0.0, 0.0), trials=40)
    bowls = (Bowl("lr", 0.5, 4.0), Bowl("weight_decay", inside(rng), 1.0))
    return with_terms(world, *bowls, Offset("activation", "gelu", 0.36))


def product_of_5(rng: Generator) -> World:
    """Two bowls, and a product that explains about 5 % of the variance of q."""
    valley = Valley("lr", "one_minus_momentum", 1.0, 0.14)
    world = alike(rng, 4, 40, Bowl("lr", 0.5, 0.8), Bowl(NAMES[1], 0.5, 0.8))
    rest = (Bowl("weight_decay", 0.5, 0.1), Bowl("dropout", 0.5, 0.1))
    return with_terms(replace(world, seed_sd=0.002), valley, *rest)


def nothing_but_noise(rng: Generator) -> World:
    """Params that change nothing, and ten more seeds of the best trial."""
    world = rate_and_decay(rng, seed_sd=0.01, confirm=(1, 10), trials=40)
    return with_terms(world, Bowl("lr", 0.5, 0.0), Bowl("weight_decay", 0.5, 0.0))


def curves() -> list[Situation]:
    """Of the checks of the curves, for 100 reports and for 20 where both are stated."""

    def course(reports: int, **changes: Any) -> dict[str, Any]:
        white = {"reports": reports, "memory": 0.0, "step_sd": SD, "examples": None}
        return {**white, **changes}

    def rising(sds: float) -> Callable[[View], Faults]:
        return lambda view: Faults(overfit=sds * SD / LAST_TENTH)

    def climbing(sds: float) -> Callable[[View], Faults]:
        # the noise of the training loss is 1.15 SD, and its value at the end about 0.25
        return lambda view: Faults(climb=sds * 1.15 * SD / 0.25, climb_length=0.3)

    early, quick = {"settled": 0.4}, {"settled": 0.05, "creep": 0.0}
    flat = {"settled": 0.4, "creep": 0.0}
    more = [speaks("still-improving"), speaks("step-budget", says="too_few")]
    overfits, rises = [speaks("overfitting")], [speaks("training-rises")]
    still, fewer = [speaks("saturated")], [speaks("step-budget", says="too_many")]

    def falling(reports: int, sds: float) -> Callable[[Generator], World]:
        # (1 + 30 s)^-0.5, from 0.9 to 0.1, falls by 0.026 over the last quarter
        own = course(reports, power=0.5, step_sd=0.026 / sds)
        return curved(rate_and_decay, None, own, trials=16)

    def still_from_a_third(rng: Generator) -> World:
        return curved(rate_and_decay, None, course(50, **flat), trials=16)(rng)

    few = curved(rate_alone, _wave, course(50), trials=5)
    return [
        planted(
            "stated-overfitting-100",
            curved(rate_and_decay, rising(2.5), course(100, **early)),
            overfits,
        ),
        planted(
            "stated-overfitting-20",
            curved(rate_and_decay, rising(5.0), course(20, **early)),
            overfits,
        ),
        planted(
            "stated-training-rises-100",
            curved(known_end, climbing(2.0), course(100, **early, creep=0.0)),
            rises,
        ),
        planted(
            "stated-training-rises-20",
            curved(known_end, climbing(5.0), course(20, **early, creep=0.0)),
            rises,
        ),
        planted("stated-improving-100", falling(100, 3.0), more),
        planted("stated-improving-20", falling(20, 7.0), more[:1]),
        planted("stated-saturated", still_from_a_third, still),
        planted(
            "stated-far-too-long",
            curved(rate_and_decay, None, course(60, **quick)),
            fewer,
        ),
        planted("stated-periodic", few, [speaks("periodic")]),
        planted("stated-budgets", unrelated, [speaks("budget-agreement")]),
        planted(
            "stated-step-variance",
            lambda rng: replace(refined(rng), course=Course(**course(50)), seed_sd=0.0),
            [speaks("step-variance")],
        ),
    ]


def known_end(rng: Generator) -> World:
    """All trials end at an error of 0.09: the training loss at 0.25."""
    world = rate_and_decay(rng, floor=0.09, seed_sd=0.0)
    return with_terms(world, Bowl("lr", 0.5, 0.0), Bowl("weight_decay", 0.5, 0.0))


def _wave(view: View) -> Faults:
    return Faults(wave=SD, period=6)


def unrelated(rng: Generator) -> World:
    """How quick a training is has nothing to do with what it ends at."""
    course = Course(reports=45, power=1.0, step_sd=SD)
    last = Metric("val_error", at="last")  # of a flat curve the best is a lucky one
    world = rate_and_decay(rng, trials=40, course=course, metric=last)
    world = replace(world, faults=_quick_or_slow)
    return with_terms(world, Bowl("lr", 0.5, 0.1), Bowl("weight_decay", 0.5, 0.1))


def _quick_or_slow(view: View) -> Faults:
    return Faults(quick=10 ** float(view.rng.uniform(-2.5, 0.0)))


def situations() -> list[Situation]:
    """All of this page."""
    return [*space(), *curves()]
