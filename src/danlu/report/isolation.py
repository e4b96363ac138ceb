"""What each scientific value reached: as a figure, as lines of text, and in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from markupsafe import Markup

from ..analysis.base import Finding
from ..analysis.isolation import Isolated, Isolation
from ..analysis.summary import Summary
from ..sentence import plural
from . import svg
from .words import PARAM_DIGITS, finding_text, number, value_text

MOST_ROWS = 24  # of one figure; more arms are thinned to the best, and the page says so
ROW, TOP, BOTTOM = 26, 8, 38  # heights in units of the figure
WIDE = 500  # from here on the numbers stand beside the bands


def shown_rows(summary: Summary, isolation: Isolation) -> list[Isolated]:
    """The rows to draw, in the order of the study: all, or the best of very many."""
    valued = [row for row in isolation.rows if row.best is not None]
    sign = -1 if summary.metric.maximize else 1
    ranked = sorted(valued, key=lambda row: sign * (row.best or 0.0))[:MOST_ROWS]
    kept = {id(row) for row in ranked}
    return [row for row in valued if id(row) in kept]


def isolation_plot(summary: Summary, isolation: Isolation, width: int) -> Markup:
    """A row for each value: its best at equal effort, in the band of luck."""
    rows = shown_rows(summary, isolation)
    best = _may_be_best(summary, isolation)
    said = [
        _numbers(row, best) if width >= WIDE else f"n={row.trials:,}" for row in rows
    ]
    left = min(max(_room(row_text(row)) for row in rows), 0.3 * width)
    right = width - max(map(_room, said))
    bottom = TOP + ROW * len(rows)
    scale = svg.fitting_scale(*_ends(rows), left + 6, right - 6)
    parts = svg.across_axis(scale, TOP, bottom)
    for place, (row, beside) in enumerate(zip(rows, said, strict=True)):
        y = TOP + ROW * (place + 0.5)
        name = svg.ending(row_text(row), left - 12)
        parts.append(svg.text(left - 8, y + 4, name, "end"))
        parts.append(svg.text(width, y + 4, beside, "label end"))
        parts += _mark(row, scale, y, "band lead" if row.name in best else "band")
    name = svg.fitted(summary.metric.name, right - left)
    parts.append(svg.text((left + right) / 2, bottom + 33, name))
    return svg.figure(width, bottom + BOTTOM, _alternative(summary, isolation), parts)


def isolation_rows(
    summary: Summary, isolation: Isolation, columns: int
) -> list[list[str]]:
    """Rows for a terminal: the value, its band of so many columns, and the numbers."""
    rows = shown_rows(summary, isolation)
    if not rows:
        return []
    scale = svg.fitting_scale(*_ends(rows), 0, columns - 1)
    best = _may_be_best(summary, isolation)
    return [[row_text(row), _drawn(row, scale), _numbers(row, best)] for row in rows]


def row_text(row: Isolated) -> str:
    """The values that a row is about: `adam`, `0.001 to 0.01`, `act=relu, depth=3`.

    >>> row_text(Isolated({"lr": None}, (0.001, 0.01), None, None, None, 0))
    '0.001 to 0.01'
    """
    if row.bounds is not None:
        return " to ".join(value_text(bound) for bound in row.bounds)
    if len(row.held) == 1:
        return value_text(next(iter(row.held.values())))
    return ", ".join(f"{path}={value_text(own)}" for path, own in row.held.items())


def heading(isolation: Isolation) -> str:
    """What is compared, and how: `optimizer: best of 28 trials each`."""
    paths = ", ".join(isolation.paths)
    return f"{paths}: expected best of {plural(isolation.effort, 'trial')} each"


def verdict(summary: Summary, isolation: Isolation) -> str:
    """Which value is best, or why that cannot be told yet."""
    own = _finding(summary, isolation)
    return "" if own is None else finding_text(own)


def left_out(summary: Summary, isolation: Isolation) -> str:
    """How many values are not drawn, empty where all are."""
    valueless = sum(row.best is None for row in isolation.rows)
    hidden = len(isolation.rows) - valueless - len(shown_rows(summary, isolation))
    parts = [f"{hidden:,} worse ones are not drawn" if hidden else ""]
    parts += [f"{valueless:,} without a trial with a value" if valueless else ""]
    said = ", ".join(part for part in parts if part)
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def _finding(summary: Summary, isolation: Isolation) -> Finding | None:
    paths = list(isolation.paths)
    return next(
        (
            own
            for own in summary.findings
            if own.check == "isolation" and own.evidence.get("paths") == paths
        ),
        None,
    )


def _may_be_best(summary: Summary, isolation: Isolation) -> Collection[str]:
    """The names of the rows that may be the best, none where nothing can be told."""
    own = _finding(summary, isolation)
    return () if own is None else own.evidence.get("may_be_best", ())


def _ends(rows: Sequence[Isolated]) -> tuple[float, float]:
    known = [v for row in rows for v in (row.low, row.best, row.high) if v is not None]
    return min(known), max(known)


def _mark(row: Isolated, scale: svg.Scale, y: float, kind: str) -> Iterator[str]:
    low, best, high = (scale(value or 0.0) for value in (row.low, row.best, row.high))
    yield svg.line((low, y), (high, y), kind)
    yield svg.target((best, y), f"{kind} best", f"{row_text(row)}: {_numbers(row, ())}")


def _drawn(row: Isolated, scale: svg.Scale) -> str:
    low, best, high = (
        round(scale(value or 0.0)) for value in (row.low, row.best, row.high)
    )
    return "".join(
        "o" if column == best else "-" if low <= column <= high else "·"
        for column in range(round(scale.end) + 1)
    )


def _numbers(row: Isolated, best: Collection[str]) -> str:
    """`0.03 (0.028 to 0.035), 12 trials`, and whether it is worse than the best."""
    value, low, high = (number(v, PARAM_DIGITS) for v in (row.best, row.low, row.high))
    worse = ", worse" if best and row.name not in best else ""
    return f"{value} ({low} to {high}), {plural(row.trials, 'trial')}{worse}"


def _alternative(summary: Summary, isolation: Isolation) -> str:
    best = _may_be_best(summary, isolation)
    rows = shown_rows(summary, isolation)
    said = "; ".join(f"{row_text(row)} {_numbers(row, best)}" for row in rows)
    return f"best {summary.metric.name} of each value with its 90 % band: {said}"


def _room(words: str) -> float:
    return svg.CHARACTER * len(words) + 12
