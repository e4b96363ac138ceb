"""RUN trials: in this process, in processes of this machine, or elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy

if TYPE_CHECKING:
    from .base import Event as Event
    from .base import Executor as Executor
    from .base import Exited as Exited
    from .base import Launch as Launch
    from .base import Outcome as Outcome
    from .base import Reported as Reported
    from .inline import Inline as Inline
    from .limits import Limits as Limits
    from .local import Local as Local
    from .ray import Ray as Ray
    from .simulated import Recording as Recording
    from .simulated import Simulated as Simulated
    from .slurm import Slurm as Slurm

_HOMES = {
    "Event": "base",
    "Executor": "base",
    "Exited": "base",
    "Inline": "inline",
    "Launch": "base",
    "Limits": "limits",
    "Local": "local",
    "Outcome": "base",
    "Ray": "ray",
    "Recording": "simulated",
    "Reported": "base",
    "Simulated": "simulated",
    "Slurm": "slurm",
}
__all__ = [
    "Event",
    "Executor",
    "Exited",
    "Inline",
    "Launch",
    "Limits",
    "Local",
    "Outcome",
    "Ray",
    "Recording",
    "Reported",
    "Simulated",
    "Slurm",
]

__getattr__, __dir__ = lazy.names(__name__, _HOMES)
