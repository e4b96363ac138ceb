"""The keys of a study file, and how their values are looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import did_you_mean
from .document import Document, Key

KEYS = (
    "study", "goal", "command", "function", "metric", "space", "fixed", "scientific",
    "baseline", "trials", "max_steps", "sampler", "scheduler", "seed", "note",
    "constraints", "learn_from", "guards", "slots", "gpus", "gpus_per_trial", "limits",
    "pattern", "checkpoints", "recipe",
)  # fmt: skip
DEFAULTS: Mapping[str, Any] = {
    "sampler": "auto",
    "scheduler": "full",
    "seed": 0,
    "slots": 1,
    "gpus_per_trial": 1.0,
}


def check_known(
    document: Document, key: Key, table: Mapping[Any, Any], names: tuple[str, ...]
) -> None:
    """Raises where a table has a key that is none of `names`."""
    for name in table:
        if name not in names:
            hint = did_you_mean(str(name), names)
            raise document.error((*key, str(name)), f"no such key: {hint}")


def or_default(document: Document, key: str) -> Any:
    """The value said at a key of the top level, or its default."""
    stated = document.get(key)
    return DEFAULTS[key] if stated is None else stated
