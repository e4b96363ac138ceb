"""ASK how far each trial runs: which to start, to continue, to pause, to stop."""

from .asha import Asha, AshaStop
from .async_pbt import AsyncPbt
from .base import Resume, Scheduler, Start, Verdict
from .curve_stop import CurveStop
from .freeze_thaw import FreezeThaw
from .full import Full
from .halving import SuccessiveHalving
from .hyperband import AsyncHyperband, Hyperband
from .patience import Patience
from .pb2 import Pb2
from .pbt import Pbt
from .percentile import Median, Percentile
from .scheduled import Scheduled
from .threshold import Threshold

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
