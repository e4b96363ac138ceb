"""What the metric depends on: as a bar chart, as lines of text, and in words."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from ..analysis.bias import is_adaptive
from ..analysis.importance import Importance, Importances, Interaction
from ..analysis.summary import Summary
from ..sentence import plural
from . import svg
from .words import number

MOST_ROWS = 20  # hyperparameters drawn; the page says how many there are
ROW, TOP, BOTTOM = 24, 8, 22  # heights in units of the figure
WIDE = 500  # from here on the numbers stand beside the bars
UNKNOWN = "not explored enough to say"


def importance_plot(summary: Summary, found: Importances, width: int) -> Markup:
    """A bar for each hyperparameter, the whole its share, the line its interval."""
    rows = found.rows[:MOST_ROWS]
    names = [_name(row, found) for row in rows]
    said = [_numbers(row, found) if width >= WIDE else _short(row) for row in rows]
    left = min(max(map(_room, names)), 0.34 * width)
    right = width - max(map(_room, said))
    bottom = TOP + ROW * len(rows)
    most = max((row.high for row in rows if row.verdict != "unknown"), default=1.0)
    scale = svg.Scale(0.0, max(most, 0.1), left, right)
    parts = svg.across_axis(scale, TOP, bottom, as_text=_percent)
    for place, row in enumerate(rows):
        y = TOP + ROW * (place + 0.5)
        name = svg.ending(names[place], left - 12)
        parts.append(svg.text(left - 8, y + 4, name, "end"))
        parts.append(svg.text(width, y + 4, said[place], "label end"))
        parts += _bar(row, scale, y)
    label = "; ".join(f"{row.path} {_numbers(row, found)}" for row in rows)
    name = summary.metric.name
    return svg.figure(width, bottom + BOTTOM, f"what {name} depends on: {label}", parts)


def importance_rows(found: Importances, columns: int) -> list[list[str]]:
    """Rows for a terminal: the path, a bar of at most so many columns, the numbers."""
    rows = found.rows[:MOST_ROWS]
    most = max((row.high for row in rows if row.verdict != "unknown"), default=1.0)
    return [
        [_name(row, found), _blocks(row, most, columns), _numbers(row, found)]
        for row in rows
    ]


def interaction_text(own: Interaction) -> str:
    """Two that must be tuned together, in a sentence.

    >>> interaction_text(Interaction(("lr", "width"), 0.061, 0.001))
    'lr and width interact (6 % of the variance): tune them together.'
    """
    first, second = own.paths
    share = _percent(own.share)
    return (
        f"{first} and {second} interact ({share} of the variance): tune them together."
    )


def remarks(summary: Summary, found: Importances) -> str:
    """What the shares are of, and what they are worth."""
    trials = plural(found.trials, "trial")
    explained = _percent(max(found.explained, 0.0))
    parts = [
        f"The hyperparameters explain {explained} of the differences between {trials}; "
        "these are the shares of that, alone and with others, with 90 % intervals."
    ]
    if any(row.trials < found.trials for row in found.rows):
        parts.append(
            "* conditional: its share among the trials in which it is active, and a "
            "part of the share of the choice that it belongs to."
        )
    if len(found.rows) > MOST_ROWS:
        count = len(found.rows)
        parts.append(f"Shown are the {MOST_ROWS} most important of {count:,}.")
    if is_adaptive(summary.study.sampler, summary.study.scientific):
        parts.append(
            "The sampler looked mostly near the best: the shares are of there."
        )
    return " ".join(parts)


def _name(row: Importance, found: Importances) -> str:
    return f"{row.path} *" if row.trials < found.trials else row.path


def _numbers(row: Importance, found: Importances) -> str:
    """`34 % (20 to 48 %)`, and of how many trials where it is not always active."""
    said = UNKNOWN if row.verdict == "unknown" else _interval(row)
    return f"{said}, {row.trials:,} trials" if row.trials < found.trials else said


def _short(row: Importance) -> str:
    return "?" if row.verdict == "unknown" else _percent(row.share)


def _interval(row: Importance) -> str:
    if row.high < 0.005:
        return "under 1 %"
    if row.low > 0.995:
        return "over 99 %"
    low = _percent(row.low).removesuffix(" %")
    return f"{_percent(row.share)} ({low} to {_percent(row.high)})"


def _percent(share: float) -> str:
    return f"{number(round(100 * share))} %"


def _bar(row: Importance, scale: svg.Scale, y: float) -> Iterator[str]:
    if row.verdict == "unknown":
        low, high = scale(row.low), scale(min(row.high, scale.high))
        yield svg.line((low, y), (high, y), "whisker unknown")
        return
    width = scale(row.share) - scale.start
    yield svg.box((scale.start, y - 6), max(width, 1.0), 12, f"share {row.verdict}")
    low, high = scale(row.low), scale(row.high)
    yield svg.line((low, y), (high, y), "whisker")
    yield svg.line((low, y - 3), (low, y + 3), "whisker")
    yield svg.line((high, y - 3), (high, y + 3), "whisker")


def _blocks(row: Importance, most: float, columns: int) -> str:
    if row.verdict == "unknown":
        return "?".ljust(columns)
    each = columns / max(most, 0.1)
    share, high = round(each * row.share), round(each * row.high)
    return ("█" * share + "-" * (high - share)).ljust(columns)


def _room(words: str) -> float:
    return svg.CHARACTER * len(words) + 12
