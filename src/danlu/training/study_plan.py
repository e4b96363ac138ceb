"""From what was measured to a first study: a space, and the reason of every number.

Which hyperparameters of the optimizer are searched follows from the number of trials,
as in the Deep Learning Tuning Playbook (Godbole et al., 2023), "How should Adam's
hyperparameters be tuned?".
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .rate_range import RateRange
from .steps import Steps
from .trial_runs import Stability

LOWER = 10.0  # below the usable rate; above it the range ends where it diverges
# Trials from which on each is searched: below 10 the rate alone.
BETA1, EPS, BETA2 = 10, 26, 100


@dataclass(frozen=True)
class StudyPlan:
    """A first study as the entries of a study file, with the reason of each.

    `training` are settings that belong in the program: clip norm and warm-up.

    >>> plan = StudyPlan({"trials": 8}, {"trials": "as asked"}, {})
    >>> print(plan.text())
    # as asked
    trials: 8
    <BLANKLINE>
    """

    study: Mapping[str, object]
    reasons: Mapping[str, str]
    training: Mapping[str, float]

    def text(self) -> str:
        """The study file, as YAML, with each reason above what it is for."""
        return "\n".join([*self._lines(), ""])

    def _lines(self) -> Iterator[str]:
        for key, number in self.training.items():
            yield f"# {key} = {number:.3g}: {self.reasons[key]}"
        for key, value in self.study.items():
            if key in self.reasons:
                yield f"# {self.reasons[key]}"
            if not isinstance(value, Mapping):
                yield f"{key}: {json.dumps(value)}"
                continue
            yield f"{key}:"
            for name, own in value.items():
                if f"{key}.{name}" in self.reasons:
                    yield f"  # {self.reasons[f'{key}.{name}']}"
                yield f"  {name}: {own if isinstance(own, str) else json.dumps(own)}"


def study_plan(
    found: RateRange,
    stable: Stability,
    *,
    optimizer: str,
    trials: int,
    steps: Steps | int,
) -> StudyPlan:
    """The first study of a program, from its range test and its stability.

    `optimizer` is the name of its class, `steps` how long the trials run, in updates,
    or what was found about that.

    Raises:
        ValueError: the range test gave no rate to search around, or no rate trains.
    """
    searched = searched_rates(found)
    if found.suggestion is None or searched is None:
        raise ValueError(
            f"a study needs a rate to search around, and the range test is "
            f"{found.verdict!r}: {found.message}"
        )
    space = dict(_space(found, searched, optimizer, trials))
    training, reasons = {}, {f"space.{name}": why for name, (_, why) in space.items()}
    if stable.clip_norm is not None:
        training["clip_norm"] = stable.clip_norm
        reasons["clip_norm"] = "the 90th percentile of the norms without clipping"
    length, warmup, reasons["max_steps"] = _length(steps, stable.warmup or 0.0)
    training["warmup_steps"] = float(warmup)
    reasons["warmup_steps"] = _of_warmup(stable)
    reasons["trials"] = f"about {trials // len(space)} for each hyperparameter"
    study = {
        "study": "first",
        "goal": "Which rate and which settings of the optimizer train best?",
        "command": "python train.py {args}",
        "metric": "val_loss",
        "space": {name: domain for name, (domain, _) in space.items()},
        "baseline": _baseline(found.suggestion, space),
        "trials": trials,
        "max_steps": length,
    }
    return StudyPlan(study, reasons, training)


def searched_rates(found: RateRange) -> tuple[float, float] | None:
    """The lowest and the highest rate to search, None where there is none to begin at.

    Where the sweeps disagree, both ends are further away by their deviation.

    >>> searched_rates(RateRange("ok", "", 0.01, 0.1, 0.001, 0.04, ()))
    (0.001, 0.04)
    """
    if found.suggestion is None or found.high is None:
        return None
    wider = 10 ** (found.spread or 0.0) if found.verdict == "noisy" else 1.0
    return found.suggestion / LOWER / wider, found.high * wider


def _space(
    found: RateRange, searched: tuple[float, float], optimizer: str, trials: int
) -> Iterator[tuple[str, tuple[str, str]]]:
    low, high = searched
    yield "lr", (f"{low:.1e}..{high:.1e}:log", _of_rates(found))
    if trials < BETA1:
        return
    if "adam" not in optimizer.lower():
        why = f"from {BETA1} trials on also momentum, as 1 - momentum"
        yield "one_minus_momentum", ("1e-2..0.5:log", why)
        return
    why = f"from {BETA1} trials on also beta1, as 1 - beta1"
    yield "one_minus_beta1", ("1e-2..0.5:log", why)
    if trials >= EPS:
        yield "eps", ("1e-10..1e-3:log", "above 25 trials also epsilon")
    if trials >= BETA2:
        why = "far above 25 trials also beta2, as 1 - beta2"
        yield "one_minus_beta2", ("1e-4..1e-1:log", why)


def _length(steps: Steps | int, share: float) -> tuple[int, int, str]:
    """How many updates a trial makes, how many of them warm up, and why.

    A warm-up is added to what was measured without one, as the playbook has it.
    """
    unit = "in updates: write epochs if the program reports after each epoch"
    if isinstance(steps, int):
        return steps, math.ceil(share * steps), f"as asked, {unit}"
    if steps.steps is None:
        raise ValueError(f"a study needs a number of steps: {steps.message}")
    warmup = math.ceil(share * steps.steps)
    added = f" With {warmup} more for the warm-up." if warmup else ""
    return (
        steps.steps + warmup,
        warmup,
        f"{steps.message}{added} A first guess, {unit}",
    )


def _of_rates(found: RateRange) -> str:
    says = (
        f"{found.suggestion:.2g} is usable, the middle of the fall in "
        f"{len(found.sweeps)} sweeps; from a tenth of it, as long trainings may want "
        f"less, to {found.high:.2g}, where the loss diverges"
    )
    if found.verdict != "noisy" or found.spread is None:
        return says
    return f"{says}; both ends {10**found.spread:.2g}x further, as the sweeps disagree"


def _of_warmup(stable: Stability) -> str:
    if stable.unstable_rate is None:
        return f"10 times the rate ({10 * stable.rate:.2g}) trains without one"
    unstable = f"a rate of {stable.unstable_rate:.2g} does not train without"
    warmed = f"10 times that ({stable.warmed_rate:.2g})"
    if stable.warmup is None:
        return f"{unstable}, and {warmed} with none of at most 10 %"
    return f"{unstable}; with {stable.warmup:.0%} of the steps {warmed} does"


def _baseline(rate: float, space: Mapping[str, object]) -> dict[str, float]:
    """The params of the range test: the usable rate, and what optimizers begin with."""
    usual = {"one_minus_momentum": 0.1, "one_minus_beta1": 0.1}
    usual |= {"eps": 1e-8, "one_minus_beta2": 1e-3}
    known = {name: value for name, value in usual.items() if name in space}
    return {"lr": float(f"{rate:.3g}"), **known}
