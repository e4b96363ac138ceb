"""Studies with nothing wrong, as different from each other as real ones are.

Here every check is silent, or says that it cannot tell. No claim is made of `coverage`
where more trials might well find better params, nor of `importance` and `isolation`,
which always have something to report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from numpy.random import Generator, default_rng

from danlu import Choice, Float, Int, Metric
from danlu.domain import Domain

from .arm_situations import apart
from .claims import Claim, Drawn, Situation, silent_but
from .course import Course, Faults
from .curve_situations import ACCURACY, LOSS, curved
from .space_situations import STOPPING, with_terms
from .surface import Bowl, Cliff
from .world import View, World
from .worlds import (
    activations,
    convolutional,
    coupled,
    momentum,
    optimizers,
    rate_alone,
    rate_and_decay,
    settling,
)

PERCENT = Metric("val_accuracy_percent", maximize=True)
ADDITIVE = Claim("importance", False, says="interact")
KEPT = Claim("importance", False, "lr", "fix")
LIKELIHOOD = Metric("val_log_likelihood", maximize=True)
LINEAR = {"schedule": "linear", "swing": 0.02}
LINEAR_90 = {"schedule": "linear", "swing": 0.03, "reports": 90}
UNCLEAR = ("still-improving", "step-budget")  # it falls as its rate does, to the end
WANDERING = {"memory": 0.85, "reports": 100}
SHARED = {"common": 0.004, "reports": 100}
USUAL = ("coverage", "importance", "isolation")
Make = Callable[[Generator], World]


def healthy(
    name: str,
    make: Make,
    *unclaimed: str,
    more: Sequence[Claim] = (),
    slow: bool = False,
) -> Situation:
    """A situation in which the checks not named in `unclaimed` are silent."""

    def draw(rng: Generator) -> Drawn:
        claims = (*silent_but(*USUAL, *unclaimed), *more)
        return Drawn(*make(rng).drawn(rng), claims)

    return Situation(name, draw, healthy=True, slow=slow)


WORLDS: dict[str, Callable[..., World]] = {
    "rate": rate_alone,
    "decay": rate_and_decay,
    "momentum": momentum,
    "cnn": convolutional,
    "coupled": coupled,
    "optimizers": optimizers,
}


def plain() -> list[Situation]:
    """Each world as it is, larger and smaller, under other metrics and samplers."""
    found = []
    for name, world in WORLDS.items():
        for label, changes in (
            ("plain", {}),
            ("accuracy", {"metric": ACCURACY}),
            ("loss", {"metric": LOSS}),
            ("last", {"metric": Metric("val_error", at="last")}),
            ("noisy", {"seed_sd": 0.01}),
            ("small", {"trials": 16}),
        ):
            more = [] if name == "coupled" else [ADDITIVE]
            more += [] if label == "small" else _quiet("coverage")  # ten a dimension
            more += [KEPT] if "lr" in world(default_rng(0)).space else []
            make = _with(world, **changes)
            found.append(healthy(f"{name}-{label}", make, more=more))
    return found


def _with(world: Callable[..., World], **changes: Any) -> Make:
    return lambda rng: world(rng, **changes)


def schedules() -> list[Situation]:
    """Curves as learning-rate schedules make them, and curves with harmless marks.

    Whether a training under a falling learning rate has stood still is not claimed.
    """
    found = []
    for schedule in ("cosine", "stepped", "one_cycle", "warm_up"):
        for reports, swing in ((30, 0.02), (90, 0.05)):
            course = {"schedule": schedule, "reports": reports, "swing": swing}
            make = curved(rate_and_decay, None, course)
            found.append(healthy(f"{schedule}-{reports}", make, "budget-agreement"))
    return [
        *found,
        healthy(
            "warm-restarts",
            curved(rate_and_decay, None, {"schedule": "restarts", "swing": 0.03}),
            "periodic",
            "training-rises",
            "budget-agreement",
        ),
        healthy("rare-spikes", curved(momentum, None, {"spikes": 0.01})),
        healthy("ten-thousand-examples", curved(momentum, None, {"examples": 10000})),
        healthy("exact-metric", curved(momentum, None, {"examples": None})),
        healthy("500-examples", curved(rate_and_decay, None, {"examples": 500})),
        healthy("eight-reports", curved(rate_and_decay, None, {"reports": 8})),
        healthy("200-reports", curved(rate_alone, None, {"reports": 200, "every": 50})),
        healthy("quick-learners", curved(rate_and_decay, _some_quick)),
        healthy("mild-memory", curved(rate_and_decay, _mild, {"creep": 0.5})),
        healthy("double-descent", curved(momentum, None, {"bump": 0.03})),
        healthy("seldom-evaluated", curved(momentum, None, {"sparse": 5})),
        healthy("early-stopping", curved(rate_and_decay, None, {"patience": 10})),
        healthy("evaluated-first", curved(rate_and_decay, None, {"first": 0})),
        healthy("linear-decay", curved(momentum, None, LINEAR), *UNCLEAR),
        healthy("linear-decay-90", curved(rate_and_decay, None, LINEAR_90), *UNCLEAR),
        healthy("wandering", curved(momentum, None, {"memory": 0.6})),
        healthy("wandering-far", curved(rate_and_decay, None, {"memory": 0.85})),
        healthy("wandering-100", curved(rate_alone, None, WANDERING)),
        healthy("same-batches", curved(momentum, None, {"common": 0.004})),
        healthy("same-batches-100", curved(rate_alone, None, SHARED)),
        healthy("late-starters", curved(rate_and_decay, _late, {"settled": 0.4})),
        healthy("200-examples", curved(momentum, None, {"examples": 200})),
        healthy("one-bad-training", curved(momentum, _one_bad), "training-rises"),
    ]


def _late(view: View) -> Faults:
    """Half of the trainings learn nothing at first, as on long sequences."""
    return Faults(delay=0.3 if view.number % 2 else 0.0)


def _some_quick(view: View) -> Faults:
    """Trainings are up to twice as quick as others."""
    return Faults(quick=float(view.rng.uniform(1.0, 2.0)))


def _mild(view: View) -> Faults:
    """The training loss goes on falling; the validation error does not rise."""
    return Faults()


def _one_bad(view: View) -> Faults:
    """One training of eighty is full of spikes."""
    return Faults(spikes=0.2) if view.number == 40 else Faults()


def spaces() -> list[Situation]:
    """Spaces and samples that look odd and are not."""
    return [
        healthy("random-sampler", _with(momentum, sampler="random")),
        healthy("tpe", _with(momentum, sampler="tpe")),
        healthy("tpe-rate", _with(rate_alone, sampler="tpe")),
        healthy("tpe-choices", _with(convolutional, sampler="tpe")),
        healthy("tpe-optimizers", _with(optimizers, sampler="tpe")),
        healthy("gp", _with(rate_and_decay, sampler="gp", trials=30), slow=True),
        healthy("unimportant", unimportant),
        healthy("tpe-unimportant", lambda rng: unimportant(rng, sampler="tpe")),
        healthy(
            "gp-unimportant", lambda rng: unimportant(rng, sampler="gp"), slow=True
        ),
        healthy("arms-apart", apart(0.7), "step-budget"),
        healthy("machines-fail", _with(momentum, broken=0.1)),
        healthy("one-diverged", one_diverged),
        healthy("cliff-far-away", cliff_far_away, "infeasible"),
        healthy("ten-dimensions", ten_dimensions),
        healthy("dead-seeds", _with(momentum, dead=0.1)),
        healthy("one-value-domains", one_value),
        healthy("squared-errors", _with(momentum, metric=Metric("val_mse"))),
        healthy("log-likelihood", _with(rate_and_decay, metric=LIKELIHOOD)),
        healthy("other-metrics", _with(momentum, with_others=True)),
        healthy("percent", _with(momentum, metric=PERCENT)),
        healthy("perplexity", _with(rate_and_decay, metric=Metric("val_perplexity"))),
        healthy("unfinished", _with(momentum, unfinished=4)),
        healthy("without-training-loss", _with(momentum, with_train_loss=False)),
        healthy("promoted", _with(momentum, rungs=(5, 15), course=Course(reports=45))),
        healthy("stopped-early", _with(rate_and_decay, sampler="tpe", **STOPPING)),
        healthy("six-trials", _with(momentum, trials=6)),
        healthy("three-trials", _with(rate_alone, trials=3)),
        healthy("one-trial", _with(rate_alone, trials=1)),
        healthy("well-covered", well_covered, "noise", more=_quiet("coverage")),
        healthy(
            "well-covered-rate", well_covered_rate, "noise", more=_quiet("coverage")
        ),
        healthy("confirmed", _with(momentum, confirm=(1, 5), seed_sd=0.002)),
        healthy("confirmed-3", _with(rate_and_decay, confirm=(3, 4), seed_sd=0.002)),
        healthy("best-checkpoints-spread", spread),
    ]


def _quiet(*checks: str) -> list[Claim]:
    return [Claim(check, False) for check in checks]


def unimportant(rng: Generator, **changes: Any) -> World:
    """Of four hyperparameters two do not matter: their best values are anywhere."""
    return with_terms(
        momentum(rng, **changes),
        Bowl("dropout", 0.5, 0.0),
        Bowl("weight_decay", 0.5, 0.0),
    )


def one_value(rng: Generator) -> World:
    """Domains of one value, and a choice of two, beside what varies."""
    world = rate_and_decay(rng)
    held: dict[str, Domain] = {
        "beta": Float(0.9, 0.9),
        "layers": Int(3, 3),
        "norm": Choice(["batch"]),
    }
    return replace(world, space={**world.space, **held, "bias": Choice([True, False])})


def ten_dimensions(rng: Generator) -> World:
    """Ten hyperparameters, of which three matter."""
    world = momentum(rng, trials=100)
    names = [f"h{place}" for place in range(6)]
    space = {**world.space, **{name: Float(0.0, 1.0) for name in names}}
    return with_terms(world, Bowl("dropout", 0.5, 0.0), space=space)


def one_diverged(rng: Generator) -> World:
    """About one trial in sixty diverges, wherever it is."""
    return momentum(rng, cliff=Cliff({}, 0.041, softness=0.01))


def cliff_far_away(rng: Generator) -> World:
    """Training diverges a fifth of the range and more above the best learning rate."""
    world = rate_and_decay(rng, cliff=Cliff({"lr": 1.0}, 0.85))
    return with_terms(world, Bowl("lr", rng.uniform(0.35, 0.5), 5.0, above=2))


def well_covered(rng: Generator) -> World:
    """Two hundred trials for two hyperparameters, and seeds that vary by 0.01."""
    world = rate_and_decay(rng, trials=200, seed_sd=0.01, confirm=(1, 5))
    return with_terms(
        world,
        Bowl("lr", rng.uniform(0.3, 0.7), 1.0),
        Bowl("weight_decay", rng.uniform(0.3, 0.7), 0.5),
    )


def well_covered_rate(rng: Generator) -> World:
    """A hundred trials for one hyperparameter."""
    world = rate_alone(rng, trials=100, seed_sd=0.01, confirm=(1, 5))
    return with_terms(world, Bowl("lr", rng.uniform(0.3, 0.7), 1.0))


def spread(rng: Generator) -> World:
    """Trainings that settle after two fifths: the best checkpoint is anywhere later."""
    course = settling(rng, settled=0.5, creep=0.5, reports=60)
    return rate_and_decay(rng, course=course)


def compared() -> list[Situation]:
    """Arms that are alike: none may be called the better one."""
    names = ("relu", "gelu", "tanh", "silu", "elu", "mish")

    def alike(name: str, count: int, **changes: Any) -> Situation:
        claims = [Claim("isolation", False, one, "better") for one in names[:count]]
        make = _with(activations, losses=(0.0,) * count, **changes)
        return healthy(name, make, more=claims)

    return [
        alike("two-arms-alike", 2),
        alike("four-arms-alike", 4),
        alike("six-arms-alike", 6),
        alike("noisy-arms-alike", 2, seed_sd=0.02),
    ]


def wide_ranges() -> list[Situation]:
    """Large learning rates and other scales: numbers that differ, not situations."""

    def scaled(rng: Generator) -> World:
        world = rate_and_decay(rng, floor=0.3, chance=0.5)
        space = {**world.space, "lr": Float(0.1, 1000.0, log=True)}
        return with_terms(world, space=space)

    return [
        healthy("hard-task", scaled),
        healthy("easy-task", _with(momentum, floor=0.0, seed_sd=0.001)),
    ]


def situations() -> list[Situation]:
    """All of this page."""
    return [*plain(), *schedules(), *spaces(), *compared(), *wide_ranges()]
