"""ASK which params to try next: one method a file."""

from .base import Sampler, Suggestion
from .cma_es import CmaEs
from .fixed import Fixed
from .gp import GP
from .grid import Grid
from .quasi_random import QuasiRandom
from .random import Random
from .tpe import TPE

__all__ = [
    "GP",
    "TPE",
    "CmaEs",
    "Fixed",
    "Grid",
    "QuasiRandom",
    "Random",
    "Sampler",
    "Suggestion",
]
