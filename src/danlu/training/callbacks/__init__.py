"""Callbacks for Lightning, Hugging Face's `Trainer` and Accelerate.

Each needs its framework, which is imported when the name is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .accelerate_loop import AccelerateTrial
    from .hugging_face import HuggingFaceCallback
    from .lightning_callback import LightningCallback
    from .shared_trial import SharedTrial

_HOMES = {
    "LightningCallback": "lightning_callback",
    "HuggingFaceCallback": "hugging_face",
    "AccelerateTrial": "accelerate_loop",
    "SharedTrial": "shared_trial",
}

__all__ = [  # noqa: RUF022  # the order in which you meet them
    "LightningCallback",
    "HuggingFaceCallback",
    "AccelerateTrial",
    "SharedTrial",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(
            f"module 'danlu.training.callbacks' has no attribute {name!r}"
        )
    home = importlib.import_module(f".{_HOMES[name]}", __name__)
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
