"""Planted faults of the trainings themselves, seen in their curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from numpy.random import Generator

from danlu import Metric

from .claims import Situation, hints, silent_but, speaks
from .course import Faults
from .space_situations import planted, with_terms
from .surface import Bowl
from .world import View, World
from .worlds import (
    activations,
    convolutional,
    momentum,
    optimizers,
    rate_alone,
    rate_and_decay,
    settling,
)

Make = Callable[[Generator], World]

LOSS = Metric("val_loss")
ACCURACY = Metric("val_accuracy", maximize=True)
# Of these nothing is claimed where the fault is in the curves.
APART = ("coverage", "importance", "isolation", "boundary")


def curved(
    make: Callable[..., World],
    faults: Callable[[View], Faults] | None = None,
    course: dict[str, Any] | None = None,
    **changes: Any,
) -> Callable[[Generator], World]:
    """A world with these faults in its trainings."""

    def draw(rng: Generator) -> World:
        own = settling(rng, **(course or {}))
        return replace(make(rng), course=own, faults=faults, **changes)

    return draw


def overfitting() -> list[Situation]:
    """The error rises from its minimum by ten times the step noise (A4)."""
    claims = [
        speaks("overfitting"),
        *silent_but("overfitting", "step-budget", "budget-agreement", *APART),
    ]
    slow = {"settled": 0.4}
    return [
        planted("overfit-all", curved(rate_and_decay, _overfit, slow), claims),
        planted("overfit-loss", curved(momentum, _overfit, slow, metric=LOSS), claims),
        planted(
            "overfit-accuracy",
            curved(rate_and_decay, _overfit, slow, metric=ACCURACY),
            claims,
        ),
        planted(
            "overfit-late",
            curved(momentum, _overfit_late, {"settled": 0.6, "reports": 60}),
            claims,
        ),
        planted(
            "overfit-100-reports",
            curved(rate_alone, _overfit, {**slow, "reports": 100}),
            claims,
        ),
        planted(
            "overfit-best-arm",
            curved(lambda rng: optimizers(rng, 0.3), _overfit_adam, slow),
            claims,
        ),
        planted("overfit-best-trials", curved(momentum, _overfit_best, slow), claims),
        planted(
            "overfit-little-dropout", curved(momentum, _overfit_dropout, slow), claims
        ),
    ]


def _overfit(view: View) -> Faults:
    return Faults(overfit=0.04, overfit_from=0.4)


def _overfit_late(view: View) -> Faults:
    return Faults(overfit=0.04, overfit_from=0.65)


def _overfit_adam(view: View) -> Faults:
    adam = view.values["optimizer"] == "adam"
    return Faults(overfit=0.04 if adam else 0.0)


def _overfit_best(view: View) -> Faults:
    return Faults(overfit=0.05 if view.q < 0.25 else 0.0)


def _overfit_dropout(view: View) -> Faults:
    """The less dropout, the more; at the middle of the range there is still some."""
    return Faults(overfit=max(0.0, 0.08 * (1 - view.places["dropout"] / 0.9)))


def noisy_steps() -> list[Situation]:
    """From step to step the error varies as much as between the best trials (A5).

    Most of these studies refine what is known: all their trials are about as good.
    """
    quiet = silent_but("step-variance", "step-budget", "budget-agreement", *APART)
    claims, wide = [speaks("step-variance"), *quiet], [hints("step-variance"), *quiet]

    def noisy(make: Callable[..., World], sd: float, **changes: Any) -> Make:
        course = {"step_sd": sd, "examples": changes.pop("examples", None)}
        return curved(make, None, course, floor=0.25, **changes)

    last = Metric("val_error", at="last")
    return [
        planted("noisy-steps", noisy(refined, 0.03), claims),
        planted("noisy-accuracy", noisy(refined, 0.03, metric=ACCURACY), claims),
        planted("hundred-examples", noisy(refined, 0.02, examples=100), claims),
        planted("noisy-last-step", noisy(refined, 0.03, metric=last), claims),
        planted("noisy-steps-wide", noisy(rate_and_decay, 0.04), wide),
        planted("noisy-rates-wide", noisy(rate_alone, 0.04, trials=40), wide),
    ]


def refined(rng: Generator) -> World:
    """The ranges are narrow around what is best: all trials are within 0.005."""
    world = rate_and_decay(rng, seed_sd=0.002)
    return with_terms(world, Bowl("lr", 0.5, 0.02), Bowl("weight_decay", 0.5, 0.01))


def too_short() -> list[Situation]:
    """Trainings that were still improving by much more than noise (A6)."""
    claims = [
        speaks("still-improving"),
        speaks("step-budget", says="too_few"),
        *silent_but("still-improving", "step-budget", "budget-agreement", *APART),
    ]
    few_reports = [
        hints("still-improving"),
        hints("step-budget", says="too_few"),
        *silent_but("still-improving", "step-budget", "budget-agreement", *APART),
    ]
    return [
        planted("power-law", curved(rate_and_decay, None, {"power": 0.5}), claims),
        planted("slow-power", curved(momentum, None, {"power": 0.3}), claims),
        planted(
            "power-law-accuracy",
            curved(rate_and_decay, None, {"power": 0.5}, metric=ACCURACY),
            claims,
        ),
        planted(
            "power-law-loss",
            curved(convolutional, None, {"power": 0.5}, metric=LOSS),
            claims,
        ),
        planted(
            "cut-short-100",
            curved(rate_alone, None, {"power": 0.5, "reports": 100}),
            claims,
        ),
        planted(
            "ten-epochs",
            curved(momentum, None, {"power": 0.5, "reports": 10}),
            few_reports,
        ),
    ]


def too_long() -> list[Situation]:
    """Trainings that stood still after a fifth of the way or less (A7)."""
    claims = [
        speaks("saturated"),
        *silent_but("saturated", "step-budget", "budget-agreement", *APART),
    ]

    def course(settled: float, **changes: Any) -> dict[str, Any]:
        return {"settled": settled, "creep": 0.0, **changes}

    return [
        planted("saturated", curved(rate_and_decay, None, course(0.2)), claims),
        planted("saturated-early", curved(momentum, None, course(0.1)), claims),
        planted(
            "saturated-100",
            curved(rate_alone, None, course(0.2, reports=100)),
            claims,
        ),
        planted(
            "saturated-accuracy",
            curved(convolutional, None, course(0.15), metric=ACCURACY),
            claims,
        ),
        planted(
            "saturated-loss",
            curved(rate_and_decay, None, course(0.2), metric=LOSS),
            claims,
        ),
    ]


def best_at_the_start() -> list[Situation]:
    """The best checkpoints fall in the first tenth of the training (A13)."""
    claims = [
        speaks("step-budget", says="too_many"),
        *silent_but(
            "step-budget", "overfitting", "saturated", "budget-agreement", *APART
        ),
    ]
    quick = {"settled": 0.04, "reports": 60}
    return [
        planted("best-at-the-start", curved(rate_and_decay, _at_once, quick), claims),
        planted(
            "best-at-the-start-loss",
            curved(momentum, _at_once, {**quick, "reports": 100}, metric=LOSS),
            claims,
        ),
    ]


def _at_once(view: View) -> Faults:
    return Faults(overfit=0.2, overfit_from=0.04)


def rising() -> list[Situation]:
    """The training loss rises by half of its value or more, and stays there (A8)."""
    quiet = silent_but("training-rises", "step-budget", "budget-agreement", *APART)
    claims, some = [speaks("training-rises"), *quiet], [hints("training-rises")]
    return [
        planted("rising-all", curved(rate_and_decay, _climb), claims),
        planted("rising-third", curved(momentum, _climb_third), claims),
        planted("rising-hot", curved(rate_and_decay, _climb_hot), [*some, *quiet]),
        planted(
            "rising-late", curved(convolutional, _climb_late, {"reports": 60}), claims
        ),
    ]


def _climb(view: View) -> Faults:
    return Faults(climb=1.0, climb_from=float(view.rng.uniform(0.3, 0.6)))


def _climb_third(view: View) -> Faults:
    return _climb(view) if view.rng.random() < 1 / 3 else Faults()


def _climb_hot(view: View) -> Faults:
    return _climb(view) if view.places["lr"] > 0.6 else Faults()


def _climb_late(view: View) -> Faults:
    return Faults(climb=0.6, climb_from=0.7, climb_length=0.2)


def periodic() -> list[Situation]:
    """The validation error swings with the data, by three times the step noise (A9)."""
    claims = [
        speaks("periodic"),
        *silent_but(
            "periodic", "step-variance", "step-budget", "budget-agreement", *APART
        ),
    ]
    return [
        planted("period-5", curved(rate_and_decay, _wave(5)), claims),
        planted("period-3", curved(momentum, _wave(3)), claims),
        planted("period-8", curved(rate_and_decay, _wave(8), {"reports": 80}), claims),
        planted("period-10", curved(rate_alone, _wave(10), {"reports": 100}), claims),
        planted(
            "period-4-accuracy", curved(momentum, _wave(4), metric=ACCURACY), claims
        ),
        planted("period-6-half", curved(rate_and_decay, _wave_in_half), claims),
    ]


def _wave(period: float) -> Callable[[View], Faults]:
    return lambda view: Faults(wave=0.012, period=period)


def _wave_in_half(view: View) -> Faults:
    return Faults(wave=0.012 if view.number % 2 else 0.0, period=6)


def budgets() -> list[Situation]:
    """What is best early is not what is best late (A15)."""
    quiet = silent_but(
        "budget-agreement",
        "step-budget",
        "still-improving",
        "saturated",
        "step-variance",
        *APART,
    )
    claims, less = [speaks("budget-agreement"), *quiet], [hints("budget-agreement")]

    def crossing_90(rng: Generator) -> World:
        return crossing(rng, reports=90)

    def crossing_among_others(rng: Generator) -> World:
        return with_terms(crossing(rng), Bowl("weight_decay", 0.5, 1.0), trials=80)

    return [
        planted("crossing-curves", crossing, claims),
        planted("crossing-90", crossing_90, claims),
        planted("crossing-some", crossing_among_others, [*less, *quiet]),
        planted("crossing-activations", crossing_arms, [*less, *quiet]),
    ]


def crossing(rng: Generator, **course: Any) -> World:
    """A high learning rate is quick and ends badly, a low one is slow and ends well."""
    world = rate_and_decay(
        rng, course=settling(rng, power=1.0, **course), faults=_quick_when_hot
    )
    return with_terms(world, Bowl("lr", 0.2, 1.0), Bowl("weight_decay", 0.5, 0.2))


def _quick_when_hot(view: View) -> Faults:
    return Faults(quick=10 ** (3.0 * (view.places["lr"] - 0.8)))


def crossing_arms(rng: Generator) -> World:
    """Activations of which those that end well begin slowly, beside the same rates."""
    world = activations(rng, (0.0, 0.1, 0.2), course=settling(rng, settled=1.0))

    def faults(view: View) -> Faults:
        slow = {"relu": 0.2, "gelu": 0.7, "tanh": 3.0}[str(view.values["activation"])]
        return Faults(quick=slow * 10 ** (1.5 * (view.places["lr"] - 0.5)))

    return replace(world, faults=faults)


def situations() -> list[Situation]:
    """All of this page."""
    return [
        *overfitting(),
        *noisy_steps(),
        *too_short(),
        *too_long(),
        *best_at_the_start(),
        *rising(),
        *periodic(),
        *budgets(),
    ]
