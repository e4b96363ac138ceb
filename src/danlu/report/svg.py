"""Figures of the report, as static SVG that needs no script.

Colors are classes, so that the page decides them for light, dark and paper. A state is
told by shape and color alike. All text goes through `_safe`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from .words import printable, tick_text

Dot = tuple[float, float]
TICKS = 5
TICK_ROOM = 60.0  # of an axis from left to right, for a tick and its label
HUGE = 1.7e308  # nearly the largest float
LOG_RATIO = 20.0  # values over a wider ratio than this are drawn on a log scale
CHARACTER = 7.0  # width of one in a label, in units of the figure, in the widest font


@dataclass(frozen=True)
class Scale:
    """A stretch of numbers drawn on a stretch of the figure, on a log scale or not."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where `value` is drawn; values outside are drawn at the rim."""
        low, high = self._of(self.low), self._of(self.high)
        if not math.isfinite(value):
            return self.end
        if low == high:
            return (self.start + self.end) / 2
        place = self._of(max(value, self.low))
        share = (place / 2 - low / 2) / (high / 2 - low / 2)  # halves do not overflow
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, most: int = TICKS) -> list[float]:
        """Round numbers within the scale, at most about `most`."""
        if self.low == self.high:
            return [self.low]
        return _decades(self, most) if self.log else _rounds(self.low, self.high, most)

    def _of(self, value: float) -> float:
        return math.log10(value) if self.log else value


def value_scale(low: float, high: float, start: float, end: float) -> Scale:
    """A scale with a little room at both ends."""
    room = 0.08 * (high / 2 - low / 2) or abs(low) * 0.1 or 1.0
    return Scale(max(low - room, -HUGE), min(high + room, HUGE), start, end)


def fitting_scale(low: float, high: float, start: float, end: float) -> Scale:
    """A scale with a little room at both ends, on a log scale where it is very wide."""
    if low > 0 and high / low > LOG_RATIO:
        return Scale(low / 1.1, high * 1.1, start, end, log=True)
    return value_scale(low, high, start, end)


def figure(width: int, height: int, label: str, parts: Iterable[str]) -> Markup:
    """An SVG element with a text alternative, scaled to the width of its box."""
    inside = Markup("").join(Markup(part) for part in parts)
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" style="max-width:{}px">'
        "{}</svg>"
    ).format(width, height, printable(label), round(width * 1.25), inside)


def text(x: float, y: float, words: str, kind: str = "label mid") -> str:
    """A line of text."""
    return f'<text x="{_n(x)}" y="{_n(y)}" class="{kind}">{_safe(words)}</text>'


def line(start: Dot, end: Dot, kind: str) -> str:
    """A straight line."""
    at = f'x1="{_n(start[0])}" y1="{_n(start[1])}" x2="{_n(end[0])}" y2="{_n(end[1])}"'
    return f'<line {at} class="{kind}"/>'


def box(corner: Dot, width: float, height: float, kind: str) -> str:
    """A filled rectangle with rounded corners."""
    at = f'x="{_n(corner[0])}" y="{_n(corner[1])}"'
    return (
        f'<rect {at} width="{_n(width)}" height="{_n(height)}" rx="2" class="{kind}"/>'
    )


def dots(places: Iterable[Dot], kind: str) -> str:
    """Many filled dots in one element: round ends of lines of no length."""
    path = "".join(f"M{_n(x)} {_n(y)}h0" for x, y in places)
    return f'<path d="{path}" class="{kind}"/>' if path else ""


def rings(places: Iterable[Dot], kind: str, radius: float = 2.4) -> str:
    """Many hollow dots in one element."""
    r, d = _n(radius), _n(2 * radius)
    turn = f"a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0"
    path = "".join(f"M{_n(x - radius)} {_n(y)}{turn}" for x, y in places)
    return f'<path d="{path}" class="{kind}"/>' if path else ""


def crosses(places: Iterable[Dot], kind: str, arm: float = 2.6) -> str:
    """Many crosses in one element."""
    a, d = arm, _n(2 * arm)
    path = "".join(
        f"M{_n(x - a)} {_n(y - a)}l{d} {d}m0 -{d}l-{d} {d}" for x, y in places
    )
    return f'<path d="{path}" class="{kind}"/>' if path else ""


def pluses(places: Iterable[Dot], kind: str, arm: float = 3.2) -> str:
    """Many plus signs in one element."""
    a, d = arm, _n(2 * arm)
    path = "".join(
        f"M{_n(x - a)} {_n(y)}h{d}M{_n(x)} {_n(y - a)}v{d}" for x, y in places
    )
    return f'<path d="{path}" class="{kind}"/>' if path else ""


def triangles(places: Iterable[Dot], kind: str, up: bool) -> str:
    """Many triangles that point to values beyond the rim, in one element."""
    sign = "-" if up else ""
    path = "".join(f"M{_n(x - 2.6)} {_n(y)}h5.2l-2.6 {sign}4.4z" for x, y in places)
    return f'<path d="{path}" class="{kind}"/>' if path else ""


def target(place: Dot, kind: str, words: str, radius: float = 3.4) -> str:
    """One dot that says what it is when pointed at."""
    at = f'cx="{_n(place[0])}" cy="{_n(place[1])}" r="{_n(radius)}"'
    return f'<circle {at} class="{kind}"><title>{_safe(words)}</title></circle>'


def polyline(places: Sequence[Dot], kind: str, words: str = "") -> str:
    """A line through `places`."""
    path = "".join(
        f"{'L' if place else 'M'}{_n(x)} {_n(y)}" for place, (x, y) in enumerate(places)
    )
    title = f"<title>{_safe(words)}</title>" if words else ""
    return f'<path d="{path}" class="{kind}">{title}</path>' if path else ""


def value_axis(scale: Scale, left: float, right: float) -> list[str]:
    """Grid lines and labels of an axis of values, left of the plot."""
    found = []
    for tick in scale.ticks():
        y = scale(tick)
        found.append(line((left, y), (right, y), "grid"))
        found.append(text(left - 6, y + 4, tick_text(tick), "label end"))
    return found


def across_axis(
    scale: Scale,
    top: float,
    bottom: float,
    as_text: Callable[[float], str] = tick_text,
) -> list[str]:
    """Grid lines of an axis of values from left to right, labels below the plot."""
    found = []
    for tick in scale.ticks(max(2, int((scale.end - scale.start) / TICK_ROOM))):
        x = scale(tick)
        found.append(line((x, top), (x, bottom), "grid"))
        found.append(text(x, bottom + 16, as_text(tick)))
    return found


def step_axis(scale: Scale, y: float, name: str) -> list[str]:
    """Labels of an axis of whole numbers below the plot, and its name."""
    ticks = [tick for tick in scale.ticks(6) if tick == int(tick)]
    found = [text(scale(tick), y + 16, tick_text(int(tick))) for tick in ticks]
    return [*found, text((scale.start + scale.end) / 2, y + 33, name, "label mid")]


def fitted(words: str, width: float) -> str:
    """`words` cut so that they fit into `width` units of the figure."""
    most = max(1, int(width / CHARACTER))
    return words if len(words) <= most else words[: max(1, most - 1)] + "…"


def ending(words: str, width: float) -> str:
    """`words` without their beginning where they do not fit into `width` units."""
    most = max(1, int(width / CHARACTER))
    return words if len(words) <= most else "…" + words[len(words) - most + 1 :]


def _rounds(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    if max(abs(low), abs(high)) > HUGE:  # a whole number that no float holds
        return [low, high]
    rough = (high - low) / most
    if not math.isfinite(rough) or rough <= 0:
        return [low, high]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough * 0.999)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [k * step for k in range(first, min(last, first + 20) + 1)]


def _decades(scale: Scale, most: int) -> list[float]:
    """Powers of ten, with 2 and 5 between them where there is room."""
    low, high = math.log10(scale.low), math.log10(scale.high)
    first, last = math.ceil(low - 1e-9), math.floor(high + 1e-9)
    powers = range(first, last + 1, max(1, math.ceil((last - first + 1) / most)))
    ticks = [10.0**power for power in powers]
    if len(ticks) < 3 and high - low < 2:
        grid = (k * 10.0**p for p in range(first - 1, last + 1) for k in (1, 2, 5))
        ticks = [tick for tick in grid if scale.low <= tick <= scale.high]
    return ticks if len(ticks) > 1 else _rounds(scale.low, scale.high, most)


def _safe(words: str) -> str:
    return str(escape(printable(words)))


def _n(value: float) -> str:
    """A coordinate, as short as the eye needs."""
    return f"{value:.1f}".removesuffix(".0")
