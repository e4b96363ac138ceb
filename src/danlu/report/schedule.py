"""The schedule of params behind a trial, as a table and as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from ..analysis.schedule import Stretch
from ..analysis.summary import Summary
from ..domain import Choice
from ..trial import Curve
from . import svg, words

POINTS = 240  # more are not seen in a figure
HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 150, 62, 14, 22, 40


def schedule_rows(schedule: Sequence[Stretch]) -> list[list[str]]:
    """Rows of a table under their headers: steps, trial, and the params that change.

    >>> schedule_rows([Stretch(0, 5, 3, {"lr": 0.1}), Stretch(5, 9, 7, {"lr": 0.2})])
    [['steps', 'trial', 'lr'], ['1 to 5', '#3', '0.1'], ['6 to 9', '#7', '0.2']]
    """
    names = list(changing(schedule))
    rows = [
        [
            f"{stretch.from_step + 1:,} to {stretch.to_step:,}",
            f"#{stretch.trial}",
            *(_value(stretch, name) for name in names),
        ]
        for stretch in schedule
    ]
    return [["steps", "trial", *names], *rows]


def changing(schedule: Sequence[Stretch]) -> Mapping[str, Curve | None]:
    """The params that differ between stretches, and their values over the steps.

    None for one that is no number, or that not every stretch has.
    """
    names = dict.fromkeys(name for stretch in schedule for name in stretch.params)
    found: dict[str, Curve | None] = {}
    for name in names:
        values = [stretch.params.get(name) for stretch in schedule]
        if any(value != values[0] for value in values):
            found[name] = _curve(schedule, name)
    return found


def schedule_plot(summary: Summary, name: str, width: int) -> Markup:
    """One of the changing numbers over the steps, as stairs."""
    stretches = summary.schedule
    values = [float(own.params[name]) for own in stretches]  # type: ignore[arg-type]
    steps = svg.Scale(0, stretches[-1].to_step, LEFT, width - RIGHT)
    scale = _scale(summary, name, values)
    stairs = [
        (steps(step), scale(value))
        for own, value in zip(stretches, values, strict=True)
        for step in (own.from_step, own.to_step)
    ]
    parts = [
        *svg.value_axis(scale, LEFT, width - RIGHT),
        *svg.step_axis(steps, HEIGHT - BOTTOM, "step"),
        svg.polyline(stairs, "series c1", name),
        svg.text(LEFT, TOP - 8, name, "label"),
    ]
    label = f"{name} over the steps of trial {stretches[-1].trial}"
    return svg.figure(width, HEIGHT, label, parts)


def _scale(summary: Summary, name: str, values: Sequence[float]) -> svg.Scale:
    domains = [axis.domain for axis in summary.axes if axis.name == name]
    is_log = any(not isinstance(own, Choice) and own.log for own in domains)
    low, high = min(values), max(values)
    if is_log and low > 0:
        return svg.Scale(low / 1.1, high * 1.1, HEIGHT - BOTTOM, TOP, log=True)
    return svg.value_scale(low, high, HEIGHT - BOTTOM, TOP)


def _value(stretch: Stretch, name: str) -> str:
    return words.value_text(stretch.params[name]) if name in stretch.params else ""


def _curve(schedule: Sequence[Stretch], name: str) -> Curve | None:
    """A param's values at evenly spaced steps, None where one of them is no number."""
    values = [stretch.params.get(name) for stretch in schedule]
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        return None
    last = schedule[-1].to_step
    steps = np.unique(np.linspace(1, last, min(last, POINTS)).round().astype(int))
    ends = [stretch.to_step for stretch in schedule]
    places = np.searchsorted(ends, steps)
    return Curve(steps, np.array(values, float)[places])
