"""ASK how far each trial runs: which to start, to continue, to pause, to stop.

Each is loaded when it is first used: a command that only reads needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy

if TYPE_CHECKING:
    from .asha import Asha as Asha
    from .asha import AshaStop as AshaStop
    from .async_pbt import AsyncPbt as AsyncPbt
    from .base import Resume as Resume
    from .base import Scheduler as Scheduler
    from .base import Start as Start
    from .base import Verdict as Verdict
    from .curve_stop import CurveStop as CurveStop
    from .freeze_thaw import FreezeThaw as FreezeThaw
    from .full import Full as Full
    from .halving import SuccessiveHalving as SuccessiveHalving
    from .hyperband import AsyncHyperband as AsyncHyperband
    from .hyperband import Hyperband as Hyperband
    from .patience import Patience as Patience
    from .pb2 import Pb2 as Pb2
    from .pbt import Pbt as Pbt
    from .percentile import Median as Median
    from .percentile import Percentile as Percentile
    from .scheduled import Scheduled as Scheduled
    from .threshold import Threshold as Threshold

_HOMES = {
    "Asha": "asha",
    "AshaStop": "asha",
    "AsyncHyperband": "hyperband",
    "AsyncPbt": "async_pbt",
    "CurveStop": "curve_stop",
    "FreezeThaw": "freeze_thaw",
    "Full": "full",
    "Hyperband": "hyperband",
    "Median": "percentile",
    "Patience": "patience",
    "Pb2": "pb2",
    "Pbt": "pbt",
    "Percentile": "percentile",
    "Resume": "base",
    "Scheduled": "scheduled",
    "Scheduler": "base",
    "Start": "base",
    "SuccessiveHalving": "halving",
    "Threshold": "threshold",
    "Verdict": "base",
}
__all__ = [
    "Asha",
    "AshaStop",
    "AsyncHyperband",
    "AsyncPbt",
    "CurveStop",
    "FreezeThaw",
    "Full",
    "Hyperband",
    "Median",
    "Patience",
    "Pb2",
    "Pbt",
    "Percentile",
    "Resume",
    "Scheduled",
    "Scheduler",
    "Start",
    "SuccessiveHalving",
    "Threshold",
    "Verdict",
]

__getattr__, __dir__ = lazy.names(__name__, _HOMES)
