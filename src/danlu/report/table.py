"""Columns of text below one another, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from rich.cells import cell_len, set_cell_size

from .words import printable

LONGEST_BAR, SHORTEST_BAR = 24, 8  # columns
NAMES = 1 / 3  # of the width, from where on a long name gives way to its bar


def table(rows: Sequence[Sequence[str]], left: Collection[int] = ()) -> list[str]:
    """Lines of aligned columns, indented by two; those in `left` and the first go left.

    >>> table([["trial", "loss"], ["#3", "0.25"]])
    ['  trial  loss', '  #3     0.25']
    """
    clean = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*clean, strict=True)]
    lines = []
    for row in clean:
        cells = [
            set_cell_size(cell, width)
            if column in (0, *left)
            else " " * (width - cell_len(cell)) + cell
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def barred(width: int, rows: Callable[[int], list[list[str]]]) -> list[str]:
    """Lines of a name, a bar and its numbers; of what is too long, the bar gives way.

    `rows` draws them with bars of so many columns.

    >>> barred(40, lambda columns: [["optimizer=adam/lr", "-" * columns, "50 %"]])
    ['  …izer=adam/lr  -----------------  50 %']
    """
    drawn = [[printable(cell) for cell in row] for row in rows(LONGEST_BAR)]
    if not drawn:
        return []
    names, _, numbers = (max(map(cell_len, own)) for own in zip(*drawn, strict=True))
    free = width - numbers - 6  # with an indent and two gaps of two columns
    names = min(names, max(int(NAMES * width), SHORTEST_BAR))
    bar = min(max(free - names, SHORTEST_BAR), LONGEST_BAR)
    room = max(free - bar, SHORTEST_BAR)
    lines = table([[_tail(name, room), *own] for name, *own in rows(bar)], left=(1, 2))
    return [_cut(line, width) for line in lines]


def _tail(name: str, width: int) -> str:
    """The end of a name, which tells most of a path."""
    kept = printable(name)
    while cell_len(kept) > width:
        kept = f"…{kept[2:]}"
    return kept


def _cut(line: str, width: int) -> str:
    return line if cell_len(line) <= width else set_cell_size(line, width - 1) + "…"
