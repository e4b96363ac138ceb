"""ASK which params to try next: one method a file.

Each is loaded when it is first used: a command that only reads needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy

if TYPE_CHECKING:
    from .base import Sampler as Sampler
    from .base import Suggestion as Suggestion
    from .cma_es import CmaEs as CmaEs
    from .fixed import Fixed as Fixed
    from .gp import GP as GP
    from .grid import Grid as Grid
    from .prior_band import PriorBand as PriorBand
    from .quasi_random import QuasiRandom as QuasiRandom
    from .random import Random as Random
    from .tpe import TPE as TPE

_HOMES = {
    "CmaEs": "cma_es",
    "Fixed": "fixed",
    "GP": "gp",
    "Grid": "grid",
    "PriorBand": "prior_band",
    "QuasiRandom": "quasi_random",
    "Random": "random",
    "Sampler": "base",
    "Suggestion": "base",
    "TPE": "tpe",
}
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

__getattr__, __dir__ = lazy.names(__name__, _HOMES)
