"""ASK how far each trial runs: which to start, to continue, to pause, to stop."""

from .asha import Asha, AshaStop
from .base import Resume, Scheduler, Start, Verdict
from .full import Full
from .halving import SuccessiveHalving
from .hyperband import AsyncHyperband, Hyperband
from .median import Median

__all__ = [
    "Asha",
    "AshaStop",
    "AsyncHyperband",
    "Full",
    "Hyperband",
    "Median",
    "Resume",
    "Scheduler",
    "Start",
    "SuccessiveHalving",
    "Verdict",
]
