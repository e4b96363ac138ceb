"""Weight decay that suits every length of a run (Loshchilov & Hutter, 2019, app. B.1).

With warm restarts it makes AdamWR of AdamW and SGDWR of SGDW. The paper multiplies its
decay by the schedule alone and torch by the rate, which is the schedule times its peak;
so the paper's decay is divided by the peak here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .schedules import Restarts, Schedule
from .schedules.base import at_least_zero
from .tracks import Tracks


def normalized_decay(norm: float, *, steps: int, lr: float) -> float:
    """The `weight_decay` for torch: `norm / sqrt(steps)`, divided by the peak rate.

    With batches of `b` of `B` examples and `T` epochs, the paper's `sqrt(b / (B T))` is
    `1 / sqrt(steps)`. Found for one budget, `norm` serves for others.

    >>> from danlu import training
    >>> training.normalized_decay(0.025, steps=10_000, lr=0.001)
    0.25

    Raises:
        ValueError: a value is not positive.
    """
    if not (norm >= 0 and steps > 0 and lr > 0):
        raise ValueError(
            "normalized_decay needs norm >= 0, steps > 0 and lr > 0, got "
            f"norm={norm}, steps={steps}, lr={lr}"
        )
    return norm / math.sqrt(steps) / lr


@dataclass(frozen=True, slots=True)
class NormalizedDecay(Schedule):
    """The normalized decay of each period of `rates`, for as long as it lasts.

    >>> from danlu import training
    >>> rates = training.Restarts(1.0, period=100, multiply=4)
    >>> decay = training.NormalizedDecay(0.5, rates)
    >>> decay(0), decay(99), decay(100)
    (0.05, 0.05, 0.025)
    """

    norm: float
    rates: Restarts

    def __post_init__(self) -> None:
        at_least_zero("NormalizedDecay", norm=self.norm)

    @property
    def steps(self) -> float:  # type: ignore[override]
        """Those of the rates."""
        return self.rates.steps

    def __call__(self, step: int) -> float:
        """The value for the update number `step`, counted from 0."""
        period = self.rates.period_at(step)
        return self.norm / math.sqrt(period) / self.rates.peak  # T_i steps

    def stretched(self, steps: int) -> NormalizedDecay:
        """That of the stretched rates."""
        return NormalizedDecay(self.norm, self.rates.stretched(steps))


def restart_tracks(rates: Restarts, *, norm: float) -> Tracks:
    """Warm restarts with normalized decay: AdamWR beside AdamW, SGDWR beside SGDW.

    >>> from danlu import training
    >>> tracks = training.restart_tracks(
    ...     training.Restarts(1e-3, period=100, multiply=2), norm=0.025)
    >>> tracks.weight_decay(0)
    2.5
    """
    return Tracks(rates, weight_decay=NormalizedDecay(norm, rates))
