"""ASK which params to try next: one method a file."""

from .base import Sampler, Suggestion
from .cma_es import CmaEs
from .fixed import Fixed
from .gp import GP
from .grid import Grid
from .prior_band import PriorBand
from .quasi_random import QuasiRandom
from .random import Random
from .tpe import TPE

__all__ = [
    "GP",
    "TPE",
    "CmaEs",
    "Fixed",
    "Grid",
    "PriorBand",
    "QuasiRandom",
    "Random",
    "Sampler",
    "Suggestion",
]
