"""Curves of a training on one picture, drawn anew after every epoch (playbook T17).

Metrics that measure the same, such as `train_loss` and `val_loss`, share a panel.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

Curve = Sequence[Mapping[str, float]]

WIDTH, HEIGHT = 420, 130  # of a panel, in the picture's own units
LEFT, TOP, GAP, NAMES = 64, 24, 44, 150  # around the panels
# Okabe & Ito (2008): colors that all can tell apart; dashes tell it without color.
PENS = (("#0072B2", ""), ("#D55E00", "6 3"), ("#009E73", "2 3"), ("#CC79A7", "8 3 2 3"))


def write_curves(path: str | os.PathLike[str], curve: Curve, *, epochs: int) -> None:
    """Writes the picture to `path`; who looks at it meanwhile sees a whole one.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from danlu import training
    >>> path = Path(tempfile.mkdtemp()) / "curves.svg"
    >>> training.write_curves(path, [{"val_error": 0.4}], epochs=10)
    >>> path.read_text()[:4]
    '<svg'
    """
    whole = Path(path)
    partial = whole.with_name(f"{whole.name}.{os.getpid()}.partial")
    partial.write_text(curves_svg(curve, epochs=epochs), "utf-8")
    os.replace(partial, whole)


def curves_svg(curve: Curve, *, epochs: int) -> str:
    """The metrics of each epoch so far, out of `epochs`, as an SVG that needs no more.

    Each panel goes from the lowest to the highest value; a value that is not finite
    leaves a gap. The last values stand beside the lines.

    >>> from danlu import training
    >>> losses = {"train_loss": 0.5, "val_loss": 0.8}
    >>> picture = training.curves_svg([losses], epochs=10)
    >>> "train_loss 0.5" in picture, "val_loss 0.8" in picture
    (True, True)

    Raises:
        ValueError: there are more epochs in the curve than `epochs`.
    """
    if len(curve) > epochs:
        raise ValueError(f"curves_svg got {len(curve)} epochs of epochs={epochs}")
    panels = _panels(curve)
    height = TOP + len(panels) * (HEIGHT + GAP)
    inside = "".join(
        _panel(title, names, curve, (TOP + at * (HEIGHT + GAP), epochs))
        for at, (title, names) in enumerate(panels.items())
    )
    size = f"0 0 {LEFT + WIDTH + NAMES} {height}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" font-size="11" '
        f'font-family="sans-serif" role="img" aria-label="{escape(_said(curve))}">'
        f'<rect width="100%" height="100%" fill="#fff"/>{inside}</svg>\n'
    )


def _panels(curve: Curve) -> dict[str, list[str]]:
    """The names of metrics by what they measure: the word after the last `_`."""
    names = dict.fromkeys(name for epoch in curve for name in epoch)
    panels: dict[str, list[str]] = {}
    for name in names:
        panels.setdefault(name.rpartition("_")[2], []).append(name)
    return panels


def _panel(title: str, names: Sequence[str], curve: Curve, at: tuple[int, int]) -> str:
    """The frame of a panel, its lines, and their names with the last values."""
    top, epochs = at
    values = [
        value for epoch in curve for name, value in epoch.items() if name in names
    ]
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    bottom, right = top + HEIGHT, LEFT + WIDTH
    parts = [
        f'<polyline points="{LEFT},{top} {LEFT},{bottom} {right},{bottom}" '
        'fill="none" stroke="#999"/>',
        _text(LEFT - 6, top + 4, f"{high:.4g}", "end"),
        _text(LEFT - 6, bottom, f"{low:.4g}" if low < high else "", "end"),
        _text(LEFT, top - 8, title),
        _text(LEFT, bottom + 15, "epoch 1"),
        _text(right, bottom + 15, str(epochs), "end"),
    ]
    for number, name in enumerate(names):
        color, dashes = PENS[number % len(PENS)]
        pen = f'stroke="{color}" stroke-width="1.8" stroke-dasharray="{dashes}"'
        line = [epoch.get(name, math.nan) for epoch in curve]
        y = top + 12 + 16 * number
        drawn = _path(line, (low, high), bottom, epochs)
        parts += [
            f'<path d="{drawn}" fill="none" stroke-linecap="round" {pen}/>',
            f'<path class="key" d="M{right + 8} {y - 4}h20" {pen}/>',
            _text(right + 33, y, f"{name} {line[-1]:.4g}"),
        ]
    return "".join(parts)


def _path(
    line: Sequence[float], ends: tuple[float, float], bottom: int, epochs: int
) -> str:
    """Moves and lines from point to point; a lone point is drawn as a dot."""
    low, high = ends
    drawn, follows = [], False
    for at, value in enumerate(line):
        if not math.isfinite(value):
            follows = False
            continue
        share = (value - low) / (high - low) if low < high else 0.5
        x, y = LEFT + WIDTH * at / max(epochs - 1, 1), bottom - HEIGHT * share
        drawn.append(f"{'L' if follows else 'M'}{x:.1f} {y:.1f}")
        drawn.append("" if follows else "h0")  # with round ends it shows as a dot
        follows = True
    return "".join(drawn)


def _said(curve: Curve) -> str:
    """The picture in words."""
    last = curve[-1] if curve else {}
    values = ", ".join(f"{name} {value:.4g}" for name, value in last.items())
    return f"after epoch {len(curve)}: {values or 'nothing yet'}"


def _text(x: int, y: int, words: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'
