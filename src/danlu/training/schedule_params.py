"""The schedule that a trial's params name, for a run of so many steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .schedules import (
    Constant,
    Cosine,
    Linear,
    Schedule,
    Warmup,
    one_cycle,
    warmup_stable_decay,
)
from .spelling import check_spelling
from .tracks import Tracks

# Of a warm-up-stable-decay: decays of 10 to 20 % of the steps come level with a cosine
# (Hägele et al., 2024).
DECAY_FRACTION = 0.2
_SCHEDULES: Mapping[str, Callable[[float, int], Schedule]] = {
    "constant": Constant,
    "linear": Linear,
    "cosine": Cosine,
}
_KNOWN = ("lr", "schedule", "warmup_steps", "warmup_fraction", "decay_fraction")
_OTHER_NAMES = {  # what the same is called elsewhere
    "learning_rate": "lr",
    "scheduler": "schedule",
    "warmup": "warmup_steps",
}


def build_tracks(params: Mapping[str, Any], steps: int) -> Tracks:
    """The rates of a run of `steps` updates, as a trial's params describe them.

    `lr` is the peak. `schedule` is `constant` (without one), `linear`, `cosine`,
    `warmup_stable_decay` or `one_cycle`. `warmup_steps`, or `warmup_fraction` of the
    steps, go to a warm-up (of a one-cycle: that fraction to its way up), and
    `decay_fraction` of them to the end of a `warmup_stable_decay`. Other names are not
    its business.

    >>> from danlu import training
    >>> params = {"lr": 0.1, "schedule": "cosine", "warmup_fraction": 0.05, "width": 64}
    >>> training.build_tracks(params, steps=1000).lr
    Warmup(warmup=50, then=Cosine(peak=0.1, steps=950, end=0.0), start=0.0)

    Raises:
        ValueError: `lr` is missing, the schedule is unknown, a name looks like one of
            these that is misspelled, a fraction is no share, or what they ask for is
            longer than the run.
    """
    for key in params.keys() - set(_KNOWN):
        check_spelling(key, _KNOWN, _OTHER_NAMES)
    if "lr" not in params:
        raise ValueError(f"build_tracks needs params with `lr`, got {dict(params)}")
    if steps < 1:
        raise ValueError(f"build_tracks needs a run of steps >= 1, got steps={steps}")
    lr, name = float(params["lr"]), str(params.get("schedule", "constant"))
    if name == "one_cycle":
        return Tracks(_one_cycle(params, lr, steps))
    first = _warmup(params, steps)
    if name == "warmup_stable_decay":
        decay = max(round(_share(params, "decay_fraction", DECAY_FRACTION) * steps), 1)
        rates = warmup_stable_decay(lr, steps, warmup=first, decay=decay).then
    elif name in _SCHEDULES:
        rates = _SCHEDULES[name](lr, steps - first)
    else:
        known = ", ".join([*_SCHEDULES, "warmup_stable_decay", "one_cycle"])
        raise ValueError(f"build_tracks knows no schedule {name!r}: use one of {known}")
    return Tracks(Warmup(first, rates) if first else rates)


def _one_cycle(params: Mapping[str, Any], lr: float, steps: int) -> Schedule:
    if params.get("warmup_steps"):
        raise ValueError(
            "schedule='one_cycle' has a way up of its own, and params has "
            f"warmup_steps={params['warmup_steps']}: leave them out, or say "
            "warmup_fraction"
        )
    if "warmup_fraction" not in params:
        return one_cycle(lr, steps)
    return one_cycle(lr, steps, rise=_share(params, "warmup_fraction", 0.0))


def _warmup(params: Mapping[str, Any], steps: int) -> int:
    """How many steps warm up, at least one less than there are."""
    given = params.get("warmup_steps", 0)
    if not (given >= 0 and float(given).is_integer()):
        raise ValueError(
            f"warmup_steps is a whole number from 0, got warmup_steps={given!r}"
        )
    if given and "warmup_fraction" in params:
        raise ValueError("params has both warmup_steps and warmup_fraction")
    share = _share(params, "warmup_fraction", 0.0)
    warmup = int(given) or round(share * steps)
    if warmup >= steps:
        raise ValueError(
            f"a warm-up of {warmup} steps leaves nothing of the {steps} of the run: "
            "shorten it"
        )
    return warmup


def _share(params: Mapping[str, Any], name: str, otherwise: float) -> float:
    share = float(params.get(name, otherwise))
    if not 0 <= share < 1:
        raise ValueError(f"{name} is a share from 0 to below 1, got {name}={share}")
    return share
