"""Tools for a PyTorch loop, each of which works alone; they need torch (extra `torch`).

The names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "schedules": [
        "Schedule",
        "Constant",
        "Linear",
        "Cosine",
        "Polynomial",
        "Exponential",
        "Step",
        "Triangular",
        "triangular2",
        "exp_range",
        "Restarts",
        "Pieces",
        "one_cycle",
        "one_cycle_momentum",
        "one_cycle_three_phase",
        "warmup_stable_decay",
        "Warmup",
        "Hold",
        "ScheduleEnd",
    ],
    "tracks": ["Tracks", "ScheduleLR"],
    "schedule_audit": ["audit", "audit_scheduler"],
    "drawing": ["schedule_text", "schedule_svg"],
    "optimizers": ["build_optimizer"],
    "groups": ["decay_groups", "layer_groups", "uncovered"],
    "sgdw": ["SGDW"],
    "joined": ["Joined"],
    "weight_decay": ["normalized_decay", "NormalizedDecay", "restart_tracks"],
    "averaging": ["WeightAverage"],
    "norm_statistics": ["reestimate_norms"],
    "unwrapping": ["unwrapped"],
    "finding": ["Finding"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = list(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'danlu.training' has no attribute {name!r}")
    home = importlib.import_module(f".{_HOME_OF[name]}", __name__)
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
