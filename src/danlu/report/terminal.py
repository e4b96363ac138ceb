"""A summary as text for a terminal, never wider than asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from rich.cells import cell_len, chop_cells, set_cell_size

from ..analysis.base import Finding, Level
from ..analysis.summary import Axis, Row, Summary
from ..domain import Choice, Int
from ..sentence import plural
from ..trial import Curve, State
from . import importance, isolation, ruling, words
from .schedule import changing, schedule_rows
from .table import barred, table
from .words import printable

BLOCKS = "▁▂▃▄▅▆▇█"
STRIP = 24  # characters of a strip or a sparkline
LOG_RATIO = 5.0  # of a curve's values, from where it is drawn on a log scale
HEADER = 18  # columns for the metric's name above its values
NARROWEST = 40
STYLES = {"bold": "1", "blue": "34", "yellow": "33", "red": "31", "dim": "2"}


def text(summary: Summary, width: int = 100, color: bool = False) -> str:
    """The summary as lines of at most `width` columns; `color` adds ANSI codes.

    >>> import danlu
    >>> from danlu.report import summarize, text
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=1,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> print(text(summarize(study, history)).splitlines()[1])
    Question: Which x?
    """
    page = _Page(max(width, NARROWEST), color)
    parts = (
        _head,
        _lead,
        _decision,
        _findings,
        _schedule,
        _top,
        _arms,
        _isolations,
        _space,
        _importances,
        _curves,
        _agreements,
        _groups,
        _notes,
        _foot,
    )
    blocks = ("\n".join(part(summary, page)) for part in parts)
    return "\n\n".join(block for block in blocks if block) + "\n"


@dataclass(frozen=True)
class _Page:
    width: int
    color: bool

    def style(self, line: str, name: str) -> str:
        return f"\x1b[{STYLES[name]}m{line}\x1b[0m" if self.color else line

    def wrap(self, line: str, indent: str = "") -> list[str]:
        """The words of `line` on as many lines as they need."""
        room = self.width - cell_len(indent)
        lines = [""]
        for word in printable(line).split():
            for piece in chop_cells(word, room):
                longer = f"{lines[-1]} {piece}" if lines[-1] else piece
                if cell_len(longer) <= room:
                    lines[-1] = longer
                else:
                    lines.append(piece)
        return [indent + line for line in lines if line]

    def cut(self, line: str, width: int | None = None) -> str:
        """`line` with its end left out where it is too long."""
        room = self.width if width is None else width
        return line if cell_len(line) <= room else set_cell_size(line, room - 1) + "…"


def _head(summary: Summary, page: _Page) -> Iterator[str]:
    yield page.style(page.cut(printable(summary.study.name)), "bold")
    yield from page.wrap(f"Question: {summary.study.goal}")
    parts = (words.standing(summary), words.timing(summary))
    yield from page.wrap(" · ".join(part for part in parts if part))


def _lead(summary: Summary, page: _Page) -> Iterator[str]:
    best = summary.best
    if best is None:
        yield page.style("No result yet", "bold")
        yield from page.wrap(words.nothing_yet(summary), "  ")
        return
    value = f"{printable(summary.metric.name)} {words.number(best.value)}"
    yield from (
        page.style(line, "bold")
        for line in page.wrap(f"Best so far: {value} ({words.direction(summary)})")
    )
    place = f"Trial #{best.number} at step {best.best_step:,}"
    yield from page.wrap(f"{place}{words.measured(summary)}:", "  ")
    params = page.wrap(words.params_text(words.varying(summary, best)), "  ")
    yield from (page.style(line, "blue") for line in params)
    yield from page.wrap(words.against_baseline(summary), "  ")
    yield from page.wrap(words.confirmed_text(summary), "  ")
    for line in page.wrap(words.caveat(summary), "  "):
        yield page.style(line, "yellow")


def _decision(summary: Summary, page: _Page) -> Iterator[str]:
    decision = summary.decision
    if decision is None:
        return
    yield page.style(page.cut(ruling.ruling_text(decision)), "bold")
    yield from page.wrap(ruling.reason_text(decision), "  ")
    for said in ruling.runs_texts(decision):
        yield from page.wrap(said, "  ")
    for guard in decision.guards:
        yield from page.wrap(ruling.guard_text(guard), "  ")
    for caveat in decision.caveats:
        yield from page.wrap(caveat, "  ")


def _findings(summary: Summary, page: _Page) -> Iterator[str]:
    if not summary.findings:
        return
    yield page.style("What was found", "bold")
    for own in summary.found(Level.WARNING):
        for line in _marked("!", own, page):
            yield page.style(line, "yellow")
    for own in summary.found(Level.NOTICE):
        yield from _marked("-", own, page)
    for line in page.wrap(words.unraised(summary), "  "):
        yield page.style(line, "dim")


def _marked(mark: str, finding: Finding, page: _Page) -> Iterator[str]:
    first, *more = page.wrap(words.finding_text(finding), "    ")
    yield f"  {mark} {first.strip()}"
    yield from more


def _schedule(summary: Summary, page: _Page) -> Iterator[str]:
    if not summary.schedule:
        return
    best = summary.schedule[-1].trial
    yield page.style(f"Schedule of trial #{best}", "bold")
    lines = table(schedule_rows(summary.schedule))
    yield from (page.cut(line) for line in lines)
    for name, values in changing(summary.schedule).items():
        if values is not None:
            ends = f"{words.number(values.values[0])} to {words.number(values.last)}"
            yield page.cut(f"  {printable(name)}  {sparkline(values)}  {ends}")


def _top(summary: Summary, page: _Page) -> Iterator[str]:
    if len(summary.top) < 2:
        return
    valued = plural(summary.valued, "trial")
    yield page.style(f"Best {len(summary.top)} of {valued} with a value", "bold")
    names = list(dict.fromkeys(axis.name for axis in summary.axes))
    leading = [["trial", page.cut(summary.metric.name, HEADER), "step", "time"]]
    leading += [_cells(row) for row in summary.top]
    apart = [names, *(_params(row, names) for row in summary.top)]
    lines = table([a + b for a, b in zip(leading, apart, strict=True)])
    if max(map(cell_len, lines)) > page.width:
        joined = [words.params_text(words.varying(summary, row)) for row in summary.top]
        named = ["params", *joined]
        lines = table([[*a, b] for a, b in zip(leading, named, strict=True)], left=(4,))
    yield from (page.cut(line) for line in lines)


def _cells(row: Row) -> list[str]:
    step, seconds = words.number(row.best_step), words.duration(row.seconds)
    return [f"#{row.number}", words.number(row.value), step, seconds]


def _params(row: Row, names: Sequence[str]) -> list[str]:
    return [
        words.value_text(row.params[name]) if name in row.params else ""
        for name in names
    ]


def _arms(summary: Summary, page: _Page) -> Iterator[str]:
    if len(summary.arms) < 2:
        return
    yield page.style("Best of each arm", "bold")
    metric = page.cut(summary.metric.name, HEADER)
    rows = [["arm", metric, "trial", "median", "trials", "infeasible"]]
    for arm in summary.arms:
        best = arm.best
        found = (words.number(best.value), f"#{best.number}") if best else ("-", "")
        counts = (f"{arm.valued:,} of {arm.trials:,}", f"{arm.infeasible:,}")
        rows.append([words.arm_text(arm), *found, words.number(arm.median), *counts])
    yield from (page.cut(line) for line in table(rows))
    yield from page.wrap(words.unequal(summary), "  ")


def _isolations(summary: Summary, page: _Page) -> Iterator[str]:
    for place, own in enumerate(summary.isolations):
        yield from [""] if place else []
        yield page.style(page.cut(printable(isolation.heading(own))), "bold")
        yield from barred(page.width, partial(isolation.isolation_rows, summary, own))
        for said in (isolation.left_out(summary, own), isolation.verdict(summary, own)):
            yield from page.wrap(said, "  ")


def _importances(summary: Summary, page: _Page) -> Iterator[str]:
    found = summary.importances
    if found is None:
        return
    name = printable(summary.metric.name)
    yield page.style(page.cut(f"What {name} depends on"), "bold")
    yield from barred(page.width, partial(importance.importance_rows, found))
    for own in found.interactions:
        yield from page.wrap(importance.interaction_text(own), "  ")
    for line in page.wrap(importance.remarks(summary, found), "  "):
        yield page.style(line, "dim")


def _space(summary: Summary, page: _Page) -> Iterator[str]:
    yield page.style("Search space", "bold")
    strips = [strip(summary, axis) for axis in summary.axes]
    longest = max(cell_len(printable(axis.path)) for axis in summary.axes)
    room = min(longest, max(12, page.width - STRIP - 34))
    for axis, drawn in zip(summary.axes, strips, strict=True):
        name = set_cell_size(page.cut(printable(axis.path), room), room)
        best = f"  best {words.value_text(axis.best)}" if axis.active_in_best else ""
        role = " *" if axis.role == "scientific" else ""
        declared = printable(words.domain_text(axis.domain))
        left = page.width - room - STRIP - 6 - cell_len(best) - len(role)
        yield page.cut(
            f"  {name}  {drawn}  {page.cut(declared, max(left, 8))}{role}{best}"
        )
    if summary.study.fixed:
        yield from page.wrap(f"fixed: {words.params_text(summary.study.fixed)}", "  ")
    key = "Taller is better, x only infeasible or failed, · not tried, * scientific."
    for line in page.wrap(key, "  "):
        yield page.style(line, "dim")


def strip(summary: Summary, axis: Axis) -> str:
    """The best value in each stretch of a hyperparameter's range, taller is better."""
    bins = _bins(axis)
    best: list[float | None] = [None] * bins
    bad = [False] * bins
    for row, place in zip(summary.rows, axis.places, strict=True):
        if place is None:
            continue
        at = min(int(place * bins), bins - 1)
        if row.value is not None:
            share = _goodness(summary, row.value)
            best[at] = max(best[at] or 0.0, share)
        elif row.state in (State.INFEASIBLE, State.FAILED):
            bad[at] = True
    marks = [
        _block(share) if share is not None else "x" if lost else "·"
        for share, lost in zip(best, bad, strict=True)
    ]
    return "".join(marks[k * bins // STRIP] for k in range(STRIP))


def _bins(axis: Axis) -> int:
    domain = axis.domain
    if isinstance(domain, Choice):
        return min(STRIP, len(domain.options))
    if isinstance(domain, Int) and not domain.log:
        return min(STRIP, domain.high - domain.low + 1)
    return 1 if domain.low == domain.high else STRIP


def _goodness(summary: Summary, value: float) -> float:
    """0 for the worst value worth showing, 1 for the best."""
    span = summary.range
    if span is None or span.high == span.low:
        return 1.0
    share = (value / 2 - span.low / 2) / (span.high / 2 - span.low / 2)
    share = min(max(share, 0.0), 1.0)
    return share if summary.metric.maximize else 1.0 - share


def _block(share: float) -> str:
    return BLOCKS[min(int(share * len(BLOCKS)), len(BLOCKS) - 1)]


def _curves(summary: Summary, page: _Page) -> Iterator[str]:
    name = summary.metric.name
    drawn = [trial for trial in summary.leading if len(trial.curves[name]) > 1]
    if not drawn:
        return
    yield page.style(
        page.cut(f"Training curves of the best: {printable(name)}"), "bold"
    )
    rows = []
    for trial in drawn:
        curve = trial.curves[name]
        ends = f"{words.number(float(curve.values[0]))} to {words.number(curve.last)}"
        span = f"steps {int(curve.steps[0]):,} to {int(curve.steps[-1]):,}"
        rows.append([f"#{trial.number}", sparkline(curve), ends, span])
    yield from (page.cut(line) for line in table(rows, left=(1,)))


def sparkline(curve: Curve, most: int = STRIP) -> str:
    """The curve as a line of blocks, higher for larger values; `!` is not finite.

    A curve over a wide range of values is drawn on a log scale.

    >>> sparkline(Curve.of({1: 4.0, 2: 2.0, 3: 0.0}))
    '█▅▁'
    """
    count = min(len(curve), most)
    places = [(k + 1) * len(curve) // count - 1 for k in range(count)]
    values = [float(curve.values[place]) for place in places]
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    if 0 < LOG_RATIO * low < high:
        values = [math.log(value) if value > 0 else value for value in values]
        low, high = math.log(low), math.log(high)
    half = high / 2 - low / 2 or 1.0
    return "".join(
        _block((value / 2 - low / 2) / half) if math.isfinite(value) else "!"
        for value in values
    )


def _agreements(summary: Summary, page: _Page) -> Iterator[str]:
    if not summary.agreements:
        return
    yield page.style("Do short runs tell who is best?", "bold")
    for own in summary.agreements:
        lines = page.wrap(words.agreement_text(own), "  ")
        yield from (line if own.told else page.style(line, "yellow") for line in lines)
    yield from page.wrap(words.agreement_caveat(summary), "  ")


def _groups(summary: Summary, page: _Page) -> Iterator[str]:
    if not summary.groups:
        return
    yield page.style("Infeasible, failed or stopped", "bold")
    for group in summary.groups:
        lines = page.wrap(words.group_text(group), "  ")
        red = group.state is not State.STOPPED
        yield from (page.style(line, "red") if red else line for line in lines)


def _notes(summary: Summary, page: _Page) -> Iterator[str]:
    if not summary.notes and not summary.study.note:
        return
    yield page.style("Notes", "bold")
    yield from page.wrap(summary.study.note, "  ")
    for note in summary.notes:
        yield from page.wrap(f"{words.moment(note.written_s)} {note.text}", "  ")


def _foot(summary: Summary, page: _Page) -> Iterator[str]:
    yield from (page.style(line, "dim") for line in page.wrap(words.method(summary)))
