"""The range test as a picture made of text."""

from __future__ import annotations

import math

from .rate_range import RateRange

WIDTH, HEIGHT = 60, 12


def range_text(found: RateRange) -> str:
    """The first sweep's losses over the rate, with the suggestion below.

    >>> from danlu.training.rate_range import Sweep, judged
    >>> sweep = Sweep((0.01, 1.0), (1.0, 0.5), falls_from=0.1, diverges_from=2.0)
    >>> range_text(judged([sweep])).splitlines()[-2].strip("| ")
    '^'
    """
    sweep = found.sweeps[0]
    points = [
        (math.log10(rate), loss)
        for rate, loss in zip(sweep.rates, sweep.losses, strict=True)
        if math.isfinite(loss)
    ]
    if len(points) < 2:
        return found.message
    left, right = points[0][0], points[-1][0]
    low = min(loss for _, loss in points)
    high = min(max(loss for _, loss in points), low + 2 * (points[0][1] - low) + 1e-12)
    rows = [[" "] * WIDTH for _ in range(HEIGHT)]
    for place, loss in points:
        column = _scaled(place, left, right, WIDTH)
        rows[HEIGHT - 1 - _scaled(min(loss, high), low, high, HEIGHT)][column] = "*"
    lines = ["|" + "".join(row) for row in rows]
    if found.suggestion is not None:
        column = _scaled(math.log10(found.suggestion), left, right, WIDTH)
        lines.append("|" + " " * column + "^")
    ends = f"{sweep.rates[0]:.0e}", f"{sweep.rates[len(points) - 1]:.0e}"
    return "\n".join([*lines, f"{ends[0]}{ends[1]:>{WIDTH - len(ends[0]) + 1}}"])


def _scaled(value: float, low: float, high: float, count: int) -> int:
    share = (value - low) / (high - low) if high > low else 0.0
    return min(count - 1, max(0, round(share * (count - 1))))
