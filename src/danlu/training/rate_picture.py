"""The range test as a picture: lines of text for a terminal, or an SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from .rate_range import RateRange
from .sweep import Sweep

WIDTH, HEIGHT = 60, 12
ACROSS, DOWN = 520, 240  # of the SVG, in its own units
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 40, 40  # around the curves


def range_text(found: RateRange) -> str:
    """The first sweep's losses over the rate, with the suggestion below.

    >>> from danlu.training.rate_range import judged
    >>> from danlu.training.sweep import regions
    >>> losses = [2.0] * 10 + [1.0] * 10 + [3.0] * 10
    >>> sweep = regions([1e-6 * 2**step for step in range(30)], losses)
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


def range_svg(found: RateRange) -> str:
    """All sweeps as an SVG that needs no more: the loss over the rate, and the verdict.

    The usable rate is marked by a line, what lies between the fall and the divergence
    is shaded. What is far above the first loss is cut off.

    >>> from danlu.training.rate_range import judged
    >>> from danlu.training.sweep import regions
    >>> losses = [2.0] * 10 + [1.0] * 10 + [3.0] * 10
    >>> sweep = regions([1e-6 * 2**step for step in range(30)], losses)
    >>> picture = range_svg(judged([sweep]))
    >>> picture[:4], "is usable" in picture
    ('<svg', True)
    """
    rates = [rate for sweep in found.sweeps for rate in sweep.rates]
    losses = [own for sweep in found.sweeps for own in sweep.losses]
    frame = _Frame.around(rates, [own for own in losses if math.isfinite(own)], found)
    parts = [*_marks(frame, found), *(_line(frame, own) for own in found.sweeps)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {ACROSS} {DOWN}" '
        f'font-size="11" font-family="sans-serif" role="img" '
        f'aria-label="{escape(found.message)}">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


@dataclass(frozen=True)
class _Frame:
    """The ends of the axes: log rates and losses."""

    left: float
    right: float
    low: float
    high: float

    @classmethod
    def around(
        cls, rates: Sequence[float], losses: Sequence[float], found: RateRange
    ) -> _Frame:
        starts = [own.losses[0] for own in found.sweeps]
        finite = [own for own in starts if math.isfinite(own)]
        low, top = min(losses, default=0.0), max(losses, default=1.0)
        start = max(finite, default=top)
        high = min(top, start + (start - low))  # twice the fall: the rest is divergence
        ends = [math.log10(own) for own in rates] or [0.0]
        return cls(min(ends), max(ends), low, high if high > low else low + 1.0)

    def x(self, rate: float) -> float:
        width = max(self.right - self.left, 1e-12)
        share = (math.log10(rate) - self.left) / width
        return LEFT + min(max(share, 0.0), 1.0) * (ACROSS - LEFT - RIGHT)

    def y(self, loss: float) -> float:
        share = (min(loss, self.high) - self.low) / (self.high - self.low)
        return DOWN - BOTTOM - share * (DOWN - TOP - BOTTOM)


def _marks(frame: _Frame, found: RateRange) -> Iterator[str]:
    """What is said, the axes with whole powers of ten, the regions, the usable rate."""
    floor, ceiling = DOWN - BOTTOM, TOP
    if found.low is not None and found.high is not None:
        x, width = frame.x(found.low), frame.x(found.high) - frame.x(found.low)
        yield (
            f'<rect x="{x:.1f}" y="{ceiling}" width="{max(width, 0):.1f}" '
            f'height="{floor - ceiling}" fill="#0072B2" opacity="0.08"/>'
        )
    if found.suggestion is not None:
        x = frame.x(found.suggestion)
        yield (
            f'<path d="M{x:.1f} {ceiling}V{floor}" stroke="#D55E00" '
            'stroke-width="1.5" stroke-dasharray="6 3"/>'
        )
        yield _text(x, ceiling - 6, f"{found.suggestion:.2g}", "middle")
    yield (
        f'<path d="M{LEFT} {ceiling}V{floor}H{ACROSS - RIGHT}" fill="none" '
        'stroke="#999"/>'
    )
    for power in range(
        math.ceil(frame.left - 1e-9), math.floor(frame.right + 1e-9) + 1
    ):
        yield _text(frame.x(10.0**power), floor + 15, f"1e{power}", "middle")
    yield _text(LEFT - 6, ceiling + 8, f"{frame.high:.3g}", "end")
    yield _text(LEFT - 6, floor, f"{frame.low:.3g}", "end")
    yield _text((LEFT + ACROSS - RIGHT) / 2, floor + 30, "learning rate", "middle")
    yield _text(LEFT, 14, f"{found.verdict}: {found.message}", "start")


def _line(frame: _Frame, sweep: Sweep) -> str:
    points = " ".join(
        f"{frame.x(rate):.1f},{frame.y(loss):.1f}"
        for rate, loss in zip(sweep.rates, sweep.losses, strict=True)
        if math.isfinite(loss)
    )
    return (
        f'<polyline points="{points}" fill="none" stroke="#0072B2" '
        'stroke-width="1.4" opacity="0.7"/>'
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
    )
