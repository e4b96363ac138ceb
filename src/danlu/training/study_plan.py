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
from typing import Any

from torch.optim import Optimizer

from .optimizers import BETA1, BETA2, EPSILON, MOMENTUM, MUON_MOMENTUM
from .rate_range import RateRange
from .steps import Steps
from .trial_runs import Stability

LOWER = 10.0  # below the usable rate; above it the range ends where it diverges
# Trials from which on each is searched: below 10 the rate alone.
FIRST, SECOND, THIRD = 10, 26, 100
# The usual domain of each setting, from where to where, and why it is searched.
_USUAL = {
    "one_minus_momentum": (1e-2, 0.5),
    "one_minus_beta1": (1e-2, 0.5),
    "epsilon": (1e-10, 1e-3),
    "one_minus_beta2": (1e-4, 1e-1),
}
_WHY = {
    "one_minus_momentum": f"from {FIRST} trials on also momentum, as 1 - momentum",
    "one_minus_beta1": f"from {FIRST} trials on also beta1, as 1 - beta1",
    "epsilon": f"above {SECOND - 1} trials also epsilon",
    "one_minus_beta2": f"far above {SECOND - 1} trials also beta2, as 1 - beta2",
}
# What `build_optimizer` begins with, by class; muon is joined with an AdamW.
_MOMENTA = {"SGD": MOMENTUM, "SGDW": MOMENTUM, "RMSprop": 0.0}
_MOMENTA |= {"Muon": MUON_MOMENTUM, "Joined": MUON_MOMENTUM}


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
    optimizer: Optimizer | str,
    trials: int,
    steps: Steps | int,
) -> StudyPlan:
    """The first study of a program, from its range test and its stability.

    `optimizer` is that of the range test, or the name of its class, if its settings are
    those that `build_optimizer` begins with. `steps` is how long the trials run, in
    updates, or what was found about that.

    Raises:
        ValueError: there are no trials or steps, the range test gave no rate to search
            around, or no rate trains.
    """
    _check_sizes(trials, steps)
    searched = searched_rates(found)
    if found.suggestion is None or searched is None:
        raise ValueError(
            f"a study needs a rate to search around, and the range test is "
            f"{found.verdict!r}: {found.message}"
        )
    settings = _settings(optimizer, trials)
    reasons = {"space.lr": _of_rates(found)}
    reasons |= {f"space.{name}": _WHY[name] for name in settings}
    training = {}
    if stable.clip_norm is not None:
        training["clip_norm"] = stable.clip_norm
        reasons["clip_norm"] = "the 90th percentile of the norms without clipping"
    length, warmup, reasons["max_steps"] = _length(steps, stable.warmup or 0.0)
    training["warmup_steps"] = float(warmup)
    reasons["warmup_steps"] = _of_warmup(stable)
    reasons["trials"] = f"about {trials // (1 + len(settings))} for each hyperparameter"
    study = {
        "study": "first",
        "goal": "Which rate and which settings of the optimizer train best?",
        "command": "python train.py {args}",
        "metric": "val_loss",
        "space": dict(_space(searched, settings)),
        "baseline": {"lr": float(f"{found.suggestion:.3g}"), **settings},
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


def _check_sizes(trials: int, steps: Steps | int) -> None:
    if type(trials) is not int or trials < 1:
        raise ValueError(f"a study needs a number of trials >= 1, got trials={trials}")
    if not isinstance(steps, Steps) and (type(steps) is not int or steps < 1):
        raise ValueError(
            f"a study needs a number of steps >= 1, or what `probe.steps` found, got "
            f"steps={steps}"
        )


def _settings(optimizer: Optimizer | str, trials: int) -> dict[str, float]:
    """What so many trials search beside the rate, with the values of the range test.

    An optimizer without momentum and without betas has nothing else to search.
    """
    if isinstance(optimizer, str):
        group = _by_name(optimizer)
    else:
        group = optimizer.param_groups[0]
    known: dict[str, float] = {}
    if trials >= FIRST and "momentum" in group:
        known["one_minus_momentum"] = 1 - group["momentum"]
    elif trials >= FIRST and "betas" in group:
        known["one_minus_beta1"] = 1 - group["betas"][0]
        if trials >= SECOND:
            known["epsilon"] = group["eps"]
        if trials >= THIRD:
            known["one_minus_beta2"] = 1 - group["betas"][1]
    # No log scale has a 0.
    return {name: float(f"{own:.3g}") for name, own in known.items() if own > 0}


def _by_name(name: str) -> Mapping[str, Any]:
    if "adam" in name.lower():
        return {"betas": (BETA1, BETA2), "eps": EPSILON}
    return {"momentum": _MOMENTA[name]} if name in _MOMENTA else {}


def _space(
    rates: tuple[float, float], settings: Mapping[str, float]
) -> Iterator[tuple[str, str]]:
    """The usual domains, wider where the range test was made outside of them."""
    yield "lr", f"{rates[0]:.1e}..{rates[1]:.1e}:log"
    for name, own in settings.items():
        low, high = _USUAL[name]
        yield name, f"{min(low, own):g}..{max(high, own):g}:log"


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
        f"{found.suggestion:.2g} is usable, by {len(found.sweeps)} sweeps and short "
        "trainings at rates around the middle of the fall; from a tenth of it, as long "
        f"trainings may want less, to {found.high:.2g}, where the loss diverges"
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
