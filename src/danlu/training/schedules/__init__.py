"""Schedules of the learning rate, momentum or weight decay, as functions of the step.

>>> from danlu.training.schedules import Cosine, Warmup
>>> lr = Warmup(10, Cosine(0.1, steps=90))
>>> lr(10)
0.1
"""

from .base import Hold, Schedule, ScheduleEnd, Warmup
from .cycles import Restarts, Triangular, exp_range, triangular2
from .decays import Constant, Cosine, Exponential, Linear, Polynomial, Step
from .pieces import (
    Pieces,
    one_cycle,
    one_cycle_momentum,
    one_cycle_three_phase,
    warmup_stable_decay,
)

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "Hold",
    "Linear",
    "Pieces",
    "Polynomial",
    "Restarts",
    "Schedule",
    "ScheduleEnd",
    "Step",
    "Triangular",
    "Warmup",
    "exp_range",
    "one_cycle",
    "one_cycle_momentum",
    "one_cycle_three_phase",
    "triangular2",
    "warmup_stable_decay",
]
