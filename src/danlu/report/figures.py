"""The figures of a study's report: what each shows of a summary."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..analysis.summary import Axis, Row, Summary
from ..domain import Choice, Float, Int
from ..sentence import plural
from ..trial import Curve, State
from . import svg
from .curves import Panel
from .words import (
    domain_text,
    number,
    params_text,
    tick_text,
    value_text,
    varying,
)

MOST_DOTS = 2000  # of one figure; a larger study is thinned, and the page says so
MOST_NAMED = 60  # dots that say which trial they are
MOST_LABELS = 9  # of options or whole numbers below an axis
GOLDEN = 0.6180339887498949  # spreads dots of one option evenly
LABEL_ROOM = 46.0  # between two labels of an axis


def shown(summary: Summary) -> list[int]:
    """Places of the rows to draw: all, or the very best and an even sample."""
    count = len(summary.rows)
    even = {k * count // MOST_DOTS for k in range(MOST_DOTS)}
    if count <= MOST_DOTS:
        even = set(range(count))
    ranks = ((row.rank, place) for place, row in enumerate(summary.rows))
    best = {place for rank, place in ranks if rank is not None and rank <= MOST_NAMED}
    return sorted(even | best)


def axis_plot(summary: Summary, axis: Axis) -> Markup:
    """The value of every trial over one hyperparameter on its declared range."""
    width, height = 340, 210
    frame = _Frame(summary, 52.0, width - 10.0, 22.0, height - 28.0)
    placed = [(row, frame.across(place)) for row, place in _placed(summary, axis)]
    label = (
        f"{summary.metric.name} of {plural(len(placed), 'trial')} over {axis.path}, "
        f"{domain_text(axis.domain)}; best at {value_text(axis.best)}"
    )
    edges = crowded(summary).get(axis.path, ())
    label += "".join(f"; the best trials crowd the {edge} end" for edge in edges)
    parts = [
        *frame.back(),
        *(frame.edge(edge) for edge in edges),
        *_place_labels(axis, frame),
        *_marks(summary, frame, placed),
    ]
    return svg.figure(width, height, label, parts)


def crowded(summary: Summary) -> dict[str, list[str]]:
    """The bounds that the best trials crowd, by path: `low`, `high` or both."""
    found: dict[str, list[str]] = {}
    for own in summary.findings:
        if own.check == "boundary" and "edge" in own.evidence:
            found.setdefault(own.evidence["path"], []).append(own.evidence["edge"])
    return found


def strip(summary: Summary, axis: Axis) -> Markup:
    """Where on its declared range a hyperparameter was tried, the best in blue."""
    width, middle = 220, 9.0
    left, right = 8.0, width - 8.0
    placed = [
        (row, (left + place * (right - left), middle))
        for row, place in _placed(summary, axis)
    ]
    best = [at for row, at in placed if row.rank == 1]
    parts = [
        svg.box((left - 5, middle - 3), right - left + 10, 6, "bar"),
        svg.dots((at for row, at in placed if not row.top), "dot faint"),
        svg.dots((at for row, at in placed if row.top), "dot top"),
        *(svg.target(at, "best", f"best: {value_text(axis.best)}") for at in best),
    ]
    return svg.figure(width, 18, f"{axis.path}: where it was tried", parts)


def progress_plot(summary: Summary, width: int) -> Markup:
    """The best value so far over the trials that ended with a value."""
    height = 250
    steps = summary.progress
    frame = _Frame(summary, 58.0, width - 14.0, 14.0, height - 44.0)
    count = svg.Scale(1, max(len(steps), 2), frame.left, frame.right)
    thin = range(0, len(steps), max(1, math.ceil(len(steps) / MOST_DOTS)))
    drawn = [(count(k + 1), steps[k].value) for k in thin]
    near = ((x, frame.up(value)) for x, value in drawn if not frame.beyond(value))
    far = ((x, frame.up(value)) for x, value in drawn if frame.beyond(value))
    line = _stairs([(count(k), frame.up(step.best)) for k, step in enumerate(steps, 1)])
    parts = [
        *frame.back(),
        *svg.step_axis(count, frame.bottom, "trials that ended with a value"),
        svg.dots(near, "dot"),
        svg.triangles(far, "beyond", not summary.metric.maximize),
        svg.polyline(line, "series c1"),
    ]
    label = f"best {summary.metric.name} so far over {plural(len(steps), 'trial')}"
    return svg.figure(width, height, label, parts)


def curves_plot(summary: Summary, panel: Panel, width: int) -> Markup:
    """The training curves of the best trials, the others in gray behind them."""
    height = 300
    left, right, top, bottom = 58.0, width - 14.0, 12.0, height - 44.0
    own = [series.curve for series in panel.best]
    y = _curve_scale(own, bottom, top)
    last = max((int(c.steps[-1]) for c in [*own, *panel.others] if len(c)), default=1)
    first = min((int(c.steps[0]) for c in [*own, *panel.others] if len(c)), default=0)
    x = svg.Scale(first, max(last, first + 1), left, right)
    parts = [*svg.value_axis(y, left, right), *svg.step_axis(x, bottom, "step")]
    for curve in panel.others:
        parts += _path(curve, x, y, "series other")
    for series in reversed(panel.best):
        kind = f"series c{series.rank}{' train' if series.training else ''}"
        parts += _path(series.curve, x, y, kind, f"#{series.number} {series.metric}")
    best_steps = {row.number: row for row in summary.top}
    for series in panel.best:
        row = best_steps.get(series.number)
        if series.metric == summary.metric.name and row and row.best_step is not None:
            at = (x(row.best_step), y(row.value or 0.0))
            words = f"#{row.number}: {number(row.value)} at step {row.best_step:,}"
            parts.append(svg.target(at, f"mark c{series.rank}", words))
    label = f"{' and '.join(panel.names)} over the steps, best {len(summary.leading)}"
    return svg.figure(width, height, label, parts)


@dataclass(frozen=True)
class _Frame:
    """The box of a plot whose height is the metric; bad trials go to the worse rim."""

    summary: Summary
    left: float
    right: float
    top: float
    bottom: float

    @property
    def scale(self) -> svg.Scale:
        span = self.summary.range
        low, high = (0.0, 1.0) if span is None else (span.low, span.high)
        return svg.value_scale(low, high, self.bottom, self.top)

    @property
    def rim(self) -> float:
        """Where trials without a value are drawn: beyond the worse end."""
        return self.bottom - 1 if self.summary.metric.maximize else self.top - 12

    def across(self, place: float) -> float:
        return self.left + 6 + place * (self.right - self.left - 12)

    def up(self, value: float) -> float:
        return self.scale(value)

    def beyond(self, value: float) -> bool:
        span = self.summary.range
        if span is None:
            return False
        return value < span.low if self.summary.metric.maximize else value > span.high

    def edge(self, end: str) -> str:
        """A line along a bound of the hyperparameter."""
        x = self.left if end == "low" else self.right
        return svg.line((x, self.top), (x, self.bottom), "crowded")

    def back(self) -> Iterator[str]:
        yield svg.line((self.left, self.bottom), (self.right, self.bottom), "frame")
        if self.summary.range is not None:
            yield from svg.value_axis(self.scale, self.left, self.right)
        baseline, scale = self.summary.baseline, self.scale
        if baseline is not None and scale.low <= baseline.mean <= scale.high:
            y = self.up(baseline.mean)
            yield svg.line((self.left, y), (self.right, y), "baseline")


def _placed(summary: Summary, axis: Axis) -> list[tuple[Row, float]]:
    """The rows to draw where the hyperparameter is active, with their places."""
    rows = ((summary.rows[k], axis.places[k]) for k in shown(summary))
    return [(row, _spread(axis, row.number, at)) for row, at in rows if at is not None]


def _marks(
    summary: Summary, frame: _Frame, placed: Sequence[tuple[Row, float]]
) -> Iterator[str]:
    """Every trial by state, the best on top of the others."""
    up = not summary.metric.maximize
    rim = frame.rim if up else frame.rim - 4
    bad = [(x, rim) for row, x in placed if row.state is State.INFEASIBLE]
    failed = [(x, rim) for row, x in placed if row.state is State.FAILED]
    valued = [(row, x, row.value) for row, x in placed if row.value is not None]
    far = [(x, frame.up(v)) for _, x, v in valued if frame.beyond(v)]
    near = [(row, (x, frame.up(v))) for row, x, v in valued if not frame.beyond(v)]
    yield svg.triangles(far, "beyond", up)
    yield svg.rings(_where(near, State.STOPPED), "ring")
    yield svg.rings(_where(near, State.RUNNING, State.PAUSED), "ring running")
    yield svg.dots(_where(near, State.COMPLETED), "dot")
    yield svg.crosses(bad, "infeasible")
    yield svg.pluses(failed, "failed")
    top = sorted(
        ((row, at) for row, at in near if row.top), key=lambda pair: pair[0].rank or 0
    )
    yield svg.dots((at for _, at in top[MOST_NAMED:]), "dot top")
    for row, at in reversed(top[:MOST_NAMED]):
        kind = "best" if row.rank == 1 else "named"
        words = f"#{row.number}: {number(row.value)}, "
        radius = 4.6 if row.rank == 1 else 3.4
        params = params_text(varying(summary, row))
        yield svg.target(at, kind, words + params, radius)


def _where(near: Sequence[tuple[Row, svg.Dot]], *states: State) -> Iterator[svg.Dot]:
    return (at for row, at in near if row.state in states and not row.top)


def _spread(axis: Axis, trial: int, place: float) -> float:
    """The place, moved a little where many trials share few places."""
    width = _band(axis)
    return place if width is None else place + (trial * GOLDEN % 1 - 0.5) * 0.6 * width


def _band(axis: Axis) -> float | None:
    """The width of one of few values on the axis, None where there are many."""
    domain = axis.domain
    if isinstance(domain, Choice):
        return 1 / len(domain.options)
    if isinstance(domain, Int) and not domain.log:
        count = domain.high - domain.low + 1
        return 1 / count if count <= 2 * MOST_LABELS else None
    return 0.1 if domain.low == domain.high else None


def _place_labels(axis: Axis, frame: _Frame) -> Iterator[str]:
    y, domain = frame.bottom + 16, axis.domain
    if isinstance(domain, Choice):
        count = len(domain.options)
        each = math.ceil(count / MOST_LABELS)
        room = (frame.right - frame.left) * each / count - 4
        for option in domain.options[::each]:  # type: ignore[index]
            words = svg.fitted(value_text(option), room)
            yield svg.text(frame.across(domain.encode(option)), y, words)
        return
    for value in _label_values(domain, frame.right - frame.left):
        place = domain.encode(value)  # type: ignore[arg-type]
        side = "start" if place < 0.08 else "end" if place > 0.92 else "mid"
        x = frame.across(place) + {"start": -6, "end": 6, "mid": 0}[side]
        yield svg.text(x, y, tick_text(value), f"label {side}")


def _label_values(domain: Float | Int, width: float) -> list[float]:
    """The bounds, and round values between them that leave room for their labels."""
    if isinstance(domain, Int) and domain.high - domain.low < MOST_LABELS:
        return list(range(domain.low, domain.high + 1))
    scale = svg.Scale(domain.low, domain.high, 0, 1, domain.log)
    labels: list[float] = [domain.low, domain.high]
    for tick in scale.ticks(4):
        value = round(tick) if isinstance(domain, Int) else tick
        if not domain.low < value < domain.high:
            continue
        place = domain.encode(value)  # type: ignore[arg-type]
        gaps = (abs(place - domain.encode(label)) for label in labels)  # type: ignore[arg-type]
        if min(gaps) * width > LABEL_ROOM:
            labels.append(value)
    return list(dict.fromkeys(labels))


def _stairs(places: Sequence[svg.Dot]) -> list[svg.Dot]:
    """The corners of stairs through `places`, and the last of them."""
    corners = list(places[:1])
    for x, y in places[1:]:
        if y != corners[-1][1]:
            corners += [(x, corners[-1][1]), (x, y)]
    return [*corners, (places[-1][0], corners[-1][1])] if corners else []


def _curve_scale(curves: Iterable[Curve], start: float, end: float) -> svg.Scale:
    values = [v for curve in curves for v in curve.values.tolist() if math.isfinite(v)]
    if not values:
        return svg.value_scale(0.0, 1.0, start, end)
    return svg.fitting_scale(min(values), max(values), start, end)


def _path(
    curve: Curve, x: svg.Scale, y: svg.Scale, kind: str, words: str = ""
) -> list[str]:
    """The curve as lines, broken where it is not finite or outside of the plot."""
    pieces: list[list[svg.Dot]] = [[]]
    pairs = zip(curve.steps.tolist(), curve.values.tolist(), strict=True)
    for step, value in pairs:
        if math.isfinite(value) and y.low <= value <= y.high:
            pieces[-1].append((x(step), y(value)))
        elif pieces[-1]:
            pieces.append([])
    lone = [piece[0] for piece in pieces if len(piece) == 1]
    lines = [svg.polyline(piece, kind, words) for piece in pieces if len(piece) > 1]
    return [*lines, svg.dots(lone, f"{kind} lone")]
