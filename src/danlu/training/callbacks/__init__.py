"""Callbacks for Lightning, Hugging Face's `Trainer` and Accelerate.

Each needs its framework, which is imported when the name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import lazy

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

__getattr__, __dir__ = lazy.names(__name__, _HOMES)
