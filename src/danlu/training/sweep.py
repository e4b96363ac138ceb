"""Where a loss falls and where it diverges while the learning rate rises.

L. N. Smith (2015), "Cyclical learning rates for training neural networks", section 3.3,
draws the curve for a person to read; here its regions are found, if it has any.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

SMOOTH = 1  # looks to either side
FIRST = 3  # looks before anything is learned
GIVEN_BACK = 0.25  # of the fall: there it diverges; fixed before any result was seen
BEGUN = 0.1  # of the fall: where the falling region begins
LEAST_FALL = 0.03  # of the first loss; less is what noise does to sweeps of noise
# A fall in noise alone, from the median of three looks to the lowest mean of three, is
# 1.5 deviations of a look on average and deviates by 0.8 of them.
DEVIATIONS = 4


@dataclass(frozen=True)
class Sweep:
    """One sweep: rates, the losses after them, where the loss falls and where it ends.

    The loss falls from `falls_from` to `lowest_at`, and is far above its lowest value
    from `diverges_from` on.

    >>> sweep = Sweep((0.1, 0.4), (1.0, 0.5), 0.1, lowest_at=0.4, diverges_from=2.0)
    >>> round(sweep.suggestion, 3)
    0.2
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    falls_from: float | None
    lowest_at: float | None
    diverges_from: float | None

    @property
    def suggestion(self) -> float | None:
        """The middle of the falling region, None where it has no beginning or end.

        The middle on a log scale. It does not depend on how bad the first weights are,
        as a share of the fall does: after pretraining they can be confidently wrong.
        """
        if self.falls_from is None or self.lowest_at is None:
            return None
        if self.diverges_from is None:
            return None
        return math.sqrt(self.falls_from * self.lowest_at)


def regions(rates: Sequence[float], losses: Sequence[float]) -> Sweep:
    """A sweep with its regions: from where the loss falls, from where it diverges.

    >>> losses = [2.0] * 10 + [1.0] * 10 + [3.0] * 10
    >>> sweep = regions([10.0**step for step in range(30)], losses)
    >>> sweep.falls_from, sweep.diverges_from
    (1000000000.0, 1e+19)
    """
    finite = [loss for loss in losses if math.isfinite(loss)]
    none = Sweep(tuple(rates), tuple(losses), None, None, None)
    if len(finite) < 2 * FIRST:
        return none
    smooth = list(_smoothed(finite))
    start = statistics.median(finite[:FIRST])
    bottom = min(range(len(smooth)), key=smooth.__getitem__)
    fall = start - smooth[bottom]
    # What comes after the lowest loss may jump about, and says nothing of the fall.
    noise = DEVIATIONS * _noise(finite[: max(bottom + 1, 2 * FIRST)])
    if fall < max(LEAST_FALL * abs(start), noise):
        return none
    begun = next(
        place for place, loss in enumerate(smooth) if loss < start - BEGUN * fall
    )
    stopped = len(finite) < len(losses)
    ends = _above(smooth, bottom, GIVEN_BACK * fall)
    if not ends and not stopped:  # a loss with an upper bound gives back less
        ends = _above(smooth, bottom, max(BEGUN * fall, noise))
    end = ends[0] if ends else (len(finite) - 1 if stopped else None)
    return replace(
        none,
        falls_from=rates[begun],
        lowest_at=rates[bottom],
        diverges_from=None if end is None else rates[end],
    )


def _above(losses: Sequence[float], bottom: int, least: float) -> list[int]:
    """From where on losses are that far above the lowest one, the last one as well."""
    places = range(bottom, len(losses))
    above = [place for place in places if losses[place] > losses[bottom] + least]
    return above if above and above[-1] == len(losses) - 1 else []


def _noise(losses: Sequence[float]) -> float:
    """The deviation of one look, from the median step between two of them.

    Half of the steps of a normal variable are below 0.6745 * sqrt(2) deviations.
    """
    steps = [abs(after - before) for before, after in pairwise(losses)]
    return statistics.median(steps) / (0.6745 * math.sqrt(2))


def _smoothed(losses: Sequence[float]) -> Iterator[float]:
    for place in range(len(losses)):
        near = losses[max(0, place - SMOOTH) : place + SMOOTH + 1]
        yield sum(near) / len(near)
