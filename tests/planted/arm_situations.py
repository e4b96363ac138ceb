"""Planted questions of comparison: arms that differ or not, and noise of seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from numpy.random import Generator

from danlu import Int
from danlu.space import Params

from .claims import Claim, Situation, hints, silent_but, speaks
from .space_situations import BESIDE, planted, with_terms
from .stated_situations import HEIGHT
from .surface import Bowl, Offset, Only
from .world import World
from .worlds import activations, inside, momentum, optimizers, rate_and_decay

Make = Callable[[Generator], World]

APART = ("isolation", "coverage", "importance", "step-budget", "noise")
QUIET = silent_but(*APART)
AT_ZERO = silent_but(*APART, "boundary")  # the best dropout is near none at all


def better(option: str, *others: str) -> list[Claim]:
    """That one arm is better than the others, and none of those is."""
    return [
        speaks("isolation", option, "better"),
        *(Claim("isolation", False, other, "better") for other in others),
        *QUIET,
    ]


def perhaps(option: str, *others: str) -> list[Claim]:
    """As `better`, by less than is stated."""
    return [hints("isolation", option, "better"), *better(option, *others)[1:]]


def none_better(*options: str) -> list[Claim]:
    """That no arm may be called the better one."""
    return [*(Claim("isolation", False, one, "better") for one in options), *QUIET]


def arms() -> list[Situation]:
    """Scientific values compared, each after its nuisance hyperparameters (A11).

    Where one is better, it is so by a third of the way from the best to chance, or, for
    a little, by a tenth of it: twenty standard deviations of a seed.
    """
    two = ("relu", "gelu")
    four = ("gelu", "relu", "tanh", "silu")

    def adam(by: float) -> Make:
        return lambda rng: optimizers(rng, by)

    def better_activation(*losses: float, **changes: Any) -> Make:
        return lambda rng: activations(rng, losses, **changes)

    uneven = better_activation(0.0, 0.4, counts=(20, 40))
    return [
        planted("adam-better", adam(0.4), better("adam", "sgd")),
        planted("adam-a-little-better", adam(0.12), perhaps("adam", "sgd")),
        planted("relu-better", better_activation(0.0, 0.4), better(*two)),
        planted("relu-a-little-better", better_activation(0.0, 0.12), perhaps(*two)),
        planted(
            "one-of-four-better",
            better_activation(0.4, 0.0, 0.4, 0.4),
            better(*four),
        ),
        planted(
            "one-of-four-a-little-better",
            better_activation(0.12, 0.0, 0.12, 0.12),
            perhaps(*four),
        ),
        planted("unequal-arms-better", uneven, better(*two)),
        planted(
            "unequal-arms-alike",
            lambda rng: activations(rng, (0.0, 0.0), counts=(52, 8)),
            none_better(*two),
        ),
        planted(
            "unequal-optimizers-alike",
            lambda rng: optimizers(rng, 0.0, counts=(65, 15)),
            none_better("adam", "sgd"),
        ),
        planted(
            "eight-trials-an-arm",
            lambda rng: activations(rng, (0.0, 0.0, 0.0, 0.0), trials=32, seed_sd=0.02),
            none_better("relu", "gelu", "tanh", "silu"),
        ),
        planted(
            "difference-in-the-noise",
            lambda rng: activations(rng, (0.0, 0.002), seed_sd=0.01),
            none_better(*two),
        ),
        planted("layers-compared", layers, better("2", "1", "4")),
        planted(
            "dropout-compared",
            dropout,
            [
                speaks("isolation", "dropout 0 to 0.15", "better"),
                Claim("isolation", False, "dropout 0.3 to 0.45", "better"),
                *AT_ZERO,
            ],
        ),
    ]


def layers(rng: Generator) -> World:
    """Two layers are better than one, three or four."""
    costs = {1: 0.5, 2: 0.0, 3: 0.4, 4: 0.5}
    world = rate_and_decay(rng, trials=100, scientific=["layers"])
    space = {"layers": Int(1, 4), **world.space}
    terms = (
        *world.terms,
        *(Offset("layers", count, loss) for count, loss in costs.items()),
    )
    return replace(world, space=space, terms=terms)


def dropout(rng: Generator) -> World:
    """Is dropout of use? A continuous scientific hyperparameter that matters much."""
    world = momentum(rng, scientific=["dropout"], trials=100)
    return with_terms(world, Bowl("dropout", 0.1, 16.0))


def beyond_in_one_arm() -> Situation:
    """The best learning rate of one arm is a fifth of the range outside (A1)."""
    moved = [
        speaks("boundary", "lr", "high"),
        speaks("boundary", "relu"),
        Claim("boundary", False, "gelu"),
        Claim("boundary", False, "lr", "low"),
        Claim("boundary", False, "weight_decay"),
    ]
    quiet = silent_but("boundary", *BESIDE, "isolation")
    return planted("one-arm-at-an-edge", apart(1.2), [*moved, *quiet])


def apart(best: float) -> Make:
    """Two arms of 40 trials; `best` is where the learning rate of relu is best."""

    def draw(rng: Generator) -> World:
        world = activations(rng, (0.0, 0.0), trials=80, seed_sd=0.05 * HEIGHT)
        terms = (
            Only("activation", "relu", Bowl("lr", best, 1.0)),
            Only("activation", "gelu", Bowl("lr", inside(rng), 1.0)),
            Bowl("weight_decay", inside(rng), 1.0),
        )
        return replace(world, terms=terms)

    return draw


def seeds() -> list[Situation]:
    """The same params on other seeds differ more than the best trials do (A14)."""
    quiet = silent_but("noise", "coverage", "importance", "step-budget", "boundary")
    claims, less = [speaks("noise"), *quiet], [hints("noise"), *quiet]

    def noisy_top_3(rng: Generator) -> World:
        return noisy(rng, confirm=(3, 4))

    return [
        planted("noisy-seeds", noisy, less),
        planted("noisy-seeds-top-3", noisy_top_3, less),
        planted("lucky-winner", lambda rng: lucky(rng, 10), claims),
        planted("lucky-winner-5-seeds", lambda rng: lucky(rng, 5), less),
        planted("lucky-winner-in-an-arm", lucky_arm, claims),
    ]


def noisy(rng: Generator, **changes: Any) -> World:
    """Seeds that vary by 0.02, and five more of them for the best trial."""
    return rate_and_decay(rng, **{"seed_sd": 0.02, "confirm": (1, 5), **changes})


def lucky(rng: Generator, count: int) -> World:
    """All params are alike: whichever trial is the best was lucky."""
    world = rate_and_decay(rng, seed_sd=0.01, confirm=(1, count))
    return with_terms(world, Bowl("lr", 0.5, 0.02), Bowl("weight_decay", 0.5, 0.02))


def lucky_arm(rng: Generator) -> World:
    """As `lucky`, in a study of two arms, with the baseline on new seeds too."""
    world = activations(rng, (0.0, 0.0), seed_sd=0.01, confirm=(2, 5))
    baseline: Params = {"activation": "relu", "lr": 0.01, "weight_decay": 1e-4}
    flat = with_terms(world, Bowl("lr", 0.5, 0.02), Bowl("weight_decay", 0.5, 0.02))
    return replace(flat, baseline=baseline)


def situations() -> list[Situation]:
    """All of this page."""
    return [*arms(), beyond_in_one_arm(), *seeds()]
