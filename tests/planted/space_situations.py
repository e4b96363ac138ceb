"""Planted faults of the search space and of what was sampled of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from numpy.random import Generator

from danlu import Choice, Float, Int, Metric

from .claims import Claim, Drawn, Situation, hints, silent_but, speaks
from .surface import Bowl, Cliff, Offset, Rise, Term
from .world import World
from .worlds import (
    convolutional,
    coupled,
    momentum,
    optimizers,
    rate_alone,
    rate_and_decay,
)

Make = Callable[..., World]

# At each of the first reports the worse half of the trials ends, as by the median rule.
STOPPING: dict[str, Any] = {"rungs": tuple(range(1, 30)), "kept": 0.5}


def planted(
    name: str,
    make: Callable[[Generator], World],
    claims: Sequence[Claim],
    *,
    slow: bool = False,
) -> Situation:
    """A situation of a world and of what is true in it, whatever the draw."""

    def draw(rng: Generator) -> Drawn:
        return Drawn(*make(rng).drawn(rng), tuple(claims))

    return Situation(name, draw, healthy=False, slow=slow)


def with_terms(world: World, *terms: Term, **changes: Any) -> World:
    """The world with these terms in the place of those about the same paths."""
    paths = {getattr(term, "path", None) for term in terms}
    kept = [own for own in world.terms if getattr(own, "path", None) not in paths]
    return replace(world, terms=(*kept, *terms), **changes)


def shifted(
    make: Make, path: str, best: float, weight: float = 6.0, **changes: Any
) -> Callable[[Generator], World]:
    """A world whose best value of `path` is at a place outside of its range."""

    def draw(rng: Generator) -> World:
        moved = best + float(rng.uniform(-0.05, 0.05))
        return with_terms(make(rng, **changes), Bowl(path, moved, weight))

    return draw


# Where the optimum is beyond an edge, more trials would help too, early stops disagree
# no less than elsewhere, and whether other hyperparameters matter is not the question.
BESIDE = ("coverage", "importance", "step-budget")


def edge(path: str, side: str, *others: str) -> list[Claim]:
    """That one bound is to be moved, and nothing else is wrong."""
    other = "low" if side == "high" else "high"
    return [
        speaks("boundary", path, side),
        Claim("boundary", False, path, other),
        Claim("boundary", False, path, "elsewhere"),
        *silent_but("boundary", *BESIDE, *others),
    ]


def beyond_an_edge() -> list[Situation]:
    """The best value lies outside of the range by 5 to 20 % of its width (A1)."""
    accuracy = Metric("val_accuracy", maximize=True)
    both = [
        speaks("boundary", "lr", "high"),
        speaks("boundary", "weight_decay", "low"),
        *silent_but("boundary", *BESIDE),
    ]
    return [
        planted("lr-high", shifted(momentum, "lr", 1.15), edge("lr", "high")),
        planted("lr-low", shifted(momentum, "lr", -0.15), edge("lr", "low")),
        planted("lr-alone", shifted(rate_alone, "lr", 1.1), edge("lr", "high")),
        planted("lr-far", shifted(rate_and_decay, "lr", 1.8, 2), edge("lr", "high")),
        planted(
            "lr-low-accuracy",
            shifted(rate_and_decay, "lr", -0.1, metric=accuracy),
            edge("lr", "low"),
        ),
        planted(
            "lr-high-20-trials",
            shifted(rate_and_decay, "lr", 1.15, trials=20),
            edge("lr", "high"),
        ),
        planted(
            "lr-high-random",
            shifted(momentum, "lr", 1.15, sampler="random"),
            edge("lr", "high"),
        ),
        planted("dropout", shifted(momentum, "dropout", 1.15), edge("dropout", "high")),
        planted(
            "layers", shifted(convolutional, "layers", 1.1), edge("layers", "high")
        ),
        planted("width", wide, edge("width", "high")),
        planted(
            "batch-size",
            shifted(convolutional, "batch_size", -0.1),
            edge("batch_size", "low"),
        ),
        planted("two-edges", two_edges, both),
        planted(
            "conditional-lr",
            shifted(optimizers, "optimizer=adam/lr", -0.15),
            edge("optimizer=adam/lr", "low", "isolation"),
        ),
        planted(
            "lr-high-tpe",
            shifted(momentum, "lr", 1.15, sampler="tpe"),
            edge("lr", "high", "edge-of-stability"),
        ),
        planted(
            "lr-high-stopped-early",
            shifted(rate_and_decay, "lr", 1.15, sampler="tpe", **STOPPING),
            edge("lr", "high", "edge-of-stability"),
        ),
        planted(
            "lr-low-gp",
            shifted(rate_and_decay, "lr", -0.15, sampler="gp", trials=30),
            edge("lr", "low"),
            slow=True,
        ),
    ]


def wide(rng: Generator) -> World:
    """The widest network that may be tried is too narrow."""
    return with_terms(convolutional(rng), Rise("width", 2.5, 2.0))


def two_edges(rng: Generator) -> World:
    """A learning rate too low and a weight decay too high."""
    world = rate_and_decay(rng, trials=60)
    return with_terms(world, Bowl("lr", 1.1, 4.0), Bowl("weight_decay", -0.1, 4.0))


def too_few_or_too_wide() -> list[Situation]:
    """So few trials near the best that twice as many would find better ones (A2).

    Or a range so wide that most of the trials learn nothing.
    """
    quiet = silent_but(
        "coverage", "boundary", "importance", "step-budget", "infeasible"
    )
    few, wide = [speaks("coverage"), *quiet], [hints("coverage"), *quiet]
    return [
        planted("twelve-trials-in-six", lambda rng: several(rng, 6, 12), few),
        planted("sixteen-trials-in-eight", lambda rng: several(rng, 8, 16), few),
        planted("eight-trials-in-four", lambda rng: momentum(rng, trials=8), few),
        planted("thirty-trials-in-eight", lambda rng: several(rng, 8, 30), wide),
        planted("twelve-decades", twelve_decades, wide),
        planted("needle", needle, wide),
        planted("two-wide-dimensions", two_wide, wide),
        planted("four-wide-dimensions", four_wide, wide),
    ]


def several(rng: Generator, count: int, trials: int) -> World:
    """So many hyperparameters, each of which matters."""
    names = [f"h{place}" for place in range(count)]
    return rate_alone(
        rng,
        space={name: Float(1e-4, 1.0, log=True) for name in names},
        terms=tuple(Bowl(name, rng.uniform(0.3, 0.7), 1.5) for name in names),
        trials=trials,
    )


def twelve_decades(rng: Generator) -> World:
    """A learning rate from 1e-9 to 1000, of which one decade is of any use."""
    world = rate_alone(rng, space={"lr": Float(1e-9, 1e3, log=True)}, trials=12)
    return with_terms(
        world,
        Bowl("lr", rng.uniform(0.5, 0.6), 100.0),
        cliff=Cliff({"lr": 1.0}, 0.8),
    )


def needle(rng: Generator) -> World:
    """Two hyperparameters that must both be met within a twentieth of the range."""
    world = rate_and_decay(rng, trials=25)
    return with_terms(
        world,
        Bowl("lr", rng.uniform(0.3, 0.7), 50.0),
        Bowl("weight_decay", rng.uniform(0.3, 0.7), 50.0),
    )


def two_wide(rng: Generator) -> World:
    """Learning rate and momentum over ranges far too wide, beside dropout."""
    world = momentum(rng, trials=30)
    return with_terms(
        world,
        Bowl("lr", rng.uniform(0.3, 0.6), 30.0),
        Bowl("one_minus_momentum", rng.uniform(0.3, 0.7), 10.0),
    )


def four_wide(rng: Generator) -> World:
    """Four ranges that are each some three times as wide as they should be."""
    world = momentum(rng, trials=40)
    weights = zip(world.space, (40.0, 10.0, 10.0, 10.0), strict=True)
    terms = (Bowl(path, rng.uniform(0.3, 0.7), weight) for path, weight in weights)
    return replace(world, terms=tuple(terms))


def infeasible() -> list[Situation]:
    """A region of the space diverges or does not fit in memory (A3)."""
    memory = Cliff({"width": 0.6, "batch_size": 0.4}, 0.75, reason="memory: 16 GB used")
    beside = ("infeasible", "coverage", "importance", "step-budget")
    quiet = silent_but(*beside)
    either = silent_but(*beside, "edge-of-stability")
    return [
        planted(
            "diverging-corner",
            lambda rng: momentum(
                rng, cliff=Cliff({"lr": 1.0, "one_minus_momentum": -0.8}, 0.35)
            ),
            [speaks("infeasible", "lr"), *either],
        ),
        planted(
            "diverging-lr",
            lambda rng: rate_and_decay(rng, cliff=Cliff({"lr": 1.0}, 0.8)),
            [speaks("infeasible", "lr"), *either],
        ),
        planted(
            "diverging-half",
            lambda rng: with_terms(
                rate_and_decay(rng, cliff=Cliff({"lr": 1.0}, 0.55), trials=60),
                Bowl("lr", 0.25, 5.0),
            ),
            [speaks("infeasible", "lr"), *either],
        ),
        planted(
            "out-of-memory",
            lambda rng: convolutional(rng, cliff=memory),
            [speaks("infeasible", "width"), *quiet],
        ),
        planted(
            "dropout-diverges",
            lambda rng: momentum(rng, cliff=Cliff({"dropout": 1.0}, 0.8)),
            [speaks("infeasible", "dropout"), *quiet],
        ),
        planted(
            "one-arm-diverges",
            lambda rng: optimizers(
                rng, cliff=Cliff({"optimizer=sgd/lr": 1.0}, 0.6), trials=100
            ),
            [
                speaks("infeasible", "optimizer=sgd/lr"),
                *silent_but(*beside, "edge-of-stability", "isolation"),
            ],
        ),
    ]


def unstable_edge() -> list[Situation]:
    """The error falls with the learning rate right up to where training diverges (A10).

    Without the cliff the best would be 0.15 of the range or more beyond it.
    """
    beside = ("edge-of-stability", "infeasible", *BESIDE, "boundary", "step-variance")
    claims = [speaks("edge-of-stability", "lr"), *silent_but(*beside)]
    return [
        planted("edge-of-stability", unstable, claims),
        planted(
            "edge-of-stability-spikes", lambda rng: unstable(rng, band=0.08), claims
        ),
        planted(
            "edge-of-stability-tpe", lambda rng: unstable(rng, sampler="tpe"), claims
        ),
        planted(
            "edge-of-stability-momentum",
            lambda rng: unstable(
                rng, cliff=Cliff({"lr": 1.0, "one_minus_momentum": -0.3}, 0.5)
            ),
            claims,
        ),
        planted("edge-of-stability-alone", unstable_alone, claims),
    ]


def unstable(rng: Generator, **changes: Any) -> World:
    """The best learning rate would be 0.95 of the range, and it diverges from 0.7."""
    world = momentum(rng, **{"cliff": Cliff({"lr": 1.0}, 0.7), **changes})
    return with_terms(world, Bowl("lr", 0.95, 5.0))


def unstable_alone(rng: Generator) -> World:
    """As `unstable`, with nothing else that varies."""
    world = rate_alone(rng, cliff=Cliff({"lr": 1.0}, 0.65))
    return with_terms(world, Bowl("lr", 0.9, 5.0))


def sensitive() -> list[Situation]:
    """What matters, what does not, and what must be tuned together (A12)."""
    quiet = silent_but("importance", "coverage", "boundary", "step-budget")
    fixed = [
        speaks("importance", "lr", "matters"),
        Claim("importance", False, "lr", "fix"),
    ]
    return [
        planted(
            "unimportant-dropout",
            lambda rng: with_terms(momentum(rng), Bowl("dropout", 0.5, 0.0)),
            [*fixed, speaks("importance", "dropout", "fix"), *quiet],
        ),
        planted(
            "one-of-six-matters",
            one_of_six,
            [
                *fixed,
                *(speaks("importance", f"h{k}", "fix") for k in range(1, 6)),
                *quiet,
            ],
        ),
        planted(
            "unimportant-choice",
            lambda rng: with_terms(
                convolutional(rng), Offset("activation", "tanh", 0.0)
            ),
            [*fixed, speaks("importance", "activation", "fix"), *quiet],
        ),
        planted(
            "unimportant-conditional",
            lambda rng: with_terms(
                optimizers(rng), Bowl("optimizer=sgd/one_minus_momentum", 0.5, 0.0)
            ),
            [
                speaks("importance", "optimizer=sgd/one_minus_momentum", "fix"),
                Claim("importance", False, "optimizer=sgd/lr", "fix"),
                *silent_but("importance", "coverage", "boundary", "step-budget"),
            ],
        ),
        planted(
            "lr-and-momentum-interact",
            coupled,
            [
                speaks("importance", "lr*one_minus_momentum", "interact"),
                Claim("importance", False, "lr*dropout", "interact"),
                *quiet,
            ],
        ),
        planted(
            "lr-and-batch-size-interact",
            lambda rng: replace(
                coupled(rng),
                space={
                    "lr": Float(1e-4, 1.0, log=True),
                    "one_minus_momentum": Choice(
                        [2**k for k in range(8)], ordered=True
                    ),
                    "dropout": Int(0, 9),
                },
            ),
            [speaks("importance", "lr*one_minus_momentum", "interact"), *quiet],
        ),
    ]


def one_of_six(rng: Generator) -> World:
    """Six hyperparameters, of which the learning rate alone matters."""
    names = [f"h{place}" for place in range(1, 6)]
    return rate_alone(
        rng,
        space={
            "lr": Float(1e-5, 1e-1, log=True),
            **{name: Float(0.0, 1.0) for name in names},
        },
        trials=80,
    )


def situations() -> list[Situation]:
    """All of this page."""
    return [
        *beyond_an_edge(),
        *too_few_or_too_wide(),
        *infeasible(),
        *unstable_edge(),
        *sensitive(),
    ]
