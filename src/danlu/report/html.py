"""A summary as one HTML file that opens offline: no script, no request, print-ready."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from ..analysis.isolation import Isolation
from ..analysis.summary import Row, Summary
from . import figures, importance, isolation, ruling, words
from .curves import Panel, panels
from .schedule import changing, schedule_plot, schedule_rows

SIZES = (640, 360)  # figures are drawn for wide and narrow pages: text stays readable
MOST_ROWS = 500  # of the table of all trials


def html(summary: Summary) -> str:
    """The report of a study as the text of one HTML file.

    >>> import danlu
    >>> from danlu.report import html, summarize
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=1,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> "Which x?" in html(summarize(study, history))
    True
    """
    return _template().render(
        summary=summary,
        study=summary.study,
        best=summary.best,
        names=list(dict.fromkeys(axis.name for axis in summary.axes)),
        axes=[(axis, figures.axis_plot(summary, axis)) for axis in summary.axes],
        strips=[(axis, figures.strip(summary, axis)) for axis in summary.axes],
        progress=_both(figures.progress_plot(summary, width) for width in SIZES),
        curves=[(panel, _curves(summary, panel)) for panel in panels(summary)],
        schedule=schedule_rows(summary.schedule),
        schedules=[
            _both(schedule_plot(summary, name, width) for width in SIZES)
            for name, values in changing(summary.schedule).items()
            if values is not None
        ],
        isolations=[(own, _isolation(summary, own)) for own in summary.isolations],
        importances=_importances(summary),
        crowds=bool(figures.crowded(summary)),
        shown=len(figures.shown(summary)),
        listed=listed(summary),
    )


def listed(summary: Summary) -> tuple[Row, ...]:
    """The trials in the table of all: by rank, those without one at the end."""
    count = len(summary.rows)
    ordered = sorted(summary.rows, key=lambda row: (row.rank or count + 1, row.number))
    return (*ordered[:MOST_ROWS], *summary.others[:MOST_ROWS])


def exact(row: Row) -> str:
    """All params of a trial as JSON, with every digit."""
    return json.dumps(dict(row.params), ensure_ascii=False)


def _curves(summary: Summary, panel: Panel) -> Markup:
    return _both(figures.curves_plot(summary, panel, width) for width in SIZES)


def _isolation(summary: Summary, own: Isolation) -> Markup | str:
    if not isolation.shown_rows(summary, own):
        return ""
    return _both(isolation.isolation_plot(summary, own, width) for width in SIZES)


def _importances(summary: Summary) -> Markup | str:
    found = summary.importances
    if found is None:
        return ""
    return _both(importance.importance_plot(summary, found, width) for width in SIZES)


def _both(drawn: Iterable[Markup]) -> Markup:
    wide, narrow = drawn
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(
        wide, narrow
    )


def _one_line(value: object) -> object:
    """Text of the user without control characters; anything else as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return words.printable(value)
    return value


@cache
def _template() -> Template:
    here = resources.files(__package__)
    page = Environment(
        autoescape=True,
        finalize=_one_line,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.globals["style"] = Markup((here / "page.css").read_text(encoding="utf-8"))
    page.globals["words"] = words
    page.globals["ruling"] = ruling
    page.globals["isolation"] = isolation
    page.globals["importance"] = importance
    page.globals["exact"] = exact
    return page.from_string((here / "page.html.jinja").read_text(encoding="utf-8"))
