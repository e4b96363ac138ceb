"""The schedule that a trial's params name, for a run of so many steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .schedules import Constant, Cosine, Linear, Schedule, Warmup, one_cycle
from .tracks import Tracks

# Of a warm-up-stable-decay: decays of 10 to 20 % of the steps come level with a cosine
# (Hägele et al., 2024).
DECAY_FRACTION = 0.2
_SCHEDULES: Mapping[str, Callable[[float, int], Schedule]] = {
    "constant": Constant,
    "linear": Linear,
    "cosine": Cosine,
}


def build_tracks(params: Mapping[str, Any], steps: int) -> Tracks:
    """The rates of a run of `steps` updates, as a trial's params describe them.

    `lr` is the peak. `schedule` is `constant` (without one), `linear`, `cosine`,
    `warmup_stable_decay` or `one_cycle`. `warmup_fraction` of the steps go to a warm-up
    (of a one-cycle: to its way up), and `decay_fraction` of them to the end of a
    `warmup_stable_decay`. Other names are not its business.

    >>> from danlu import training
    >>> params = {"lr": 0.1, "schedule": "cosine", "warmup_fraction": 0.05, "width": 64}
    >>> training.build_tracks(params, steps=1000).lr
    Warmup(warmup=50, then=Cosine(peak=0.1, steps=950, end=0.0), start=0.0)

    Raises:
        ValueError: `lr` is missing, the schedule is unknown, or a fraction is no share.
    """
    if "lr" not in params:
        raise ValueError(f"build_tracks needs params with `lr`, got {dict(params)}")
    lr, name = float(params["lr"]), str(params.get("schedule", "constant"))
    warmup = _share(params, "warmup_fraction", 0.0)
    if name == "one_cycle":
        given = {"rise": warmup} if "warmup_fraction" in params else {}
        return Tracks(one_cycle(lr, steps, **given))
    first = round(warmup * steps)
    if name == "warmup_stable_decay":
        decay = max(round(_share(params, "decay_fraction", DECAY_FRACTION) * steps), 1)
        hold = max(steps - first - decay, 0)
        rates: Schedule = Linear(lr, steps - first, hold=hold)
    elif name in _SCHEDULES:
        rates = _SCHEDULES[name](lr, steps - first)
    else:
        known = ", ".join([*_SCHEDULES, "warmup_stable_decay", "one_cycle"])
        raise ValueError(f"build_tracks knows no schedule {name!r}: use one of {known}")
    return Tracks(Warmup(first, rates) if first else rates)


def _share(params: Mapping[str, Any], name: str, otherwise: float) -> float:
    share = float(params.get(name, otherwise))
    if not 0 <= share < 1:
        raise ValueError(f"{name} is a share from 0 to below 1, got {name}={share}")
    return share
