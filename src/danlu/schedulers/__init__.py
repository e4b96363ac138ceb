"""ASK how far each trial runs: which to start, to continue, to pause, to stop."""

from .base import Resume, Scheduler, Start, Verdict
from .full import Full
from .median import Median

__all__ = ["Full", "Median", "Resume", "Scheduler", "Start", "Verdict"]
