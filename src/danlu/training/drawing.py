"""A schedule as a picture: lines of text for a terminal, or an SVG of one line."""

from __future__ import annotations

from collections.abc import Callable

BLOCKS = " ▁▂▃▄▅▆▇█"
WIDTH, HEIGHT, MARGIN = 480, 160, 40  # of the SVG, in its own units


def schedule_text(
    schedule: Callable[[int], float], steps: int, *, width: int = 60, height: int = 6
) -> str:
    """The schedule in `height` lines of `width` columns, with its highest value.

    >>> from danlu import training
    >>> print(training.schedule_text(
    ...     training.Linear(0.8, steps=80), 80, width=8, height=2))
    0.8    █▅▃▁
           ████▇▄▂
    0      0 to 79
    """
    values = _sampled(schedule, steps, width)
    peak = max(values) or 1.0
    lines = []
    for row in reversed(range(height)):
        filled = [value / peak * height - row for value in values]
        eighths = [int(min(max(part, 0.0), 1.0) * 8) for part in filled]
        name = f"{peak:<6.3g}" if row == height - 1 else " " * 6
        line = f"{name} {''.join(BLOCKS[eighth] for eighth in eighths)}"
        lines.append(line.rstrip())
    return "\n".join([*lines, f"{'0':<6} 0 to {steps - 1}"])


def schedule_svg(schedule: Callable[[int], float], steps: int) -> str:
    """The schedule as an SVG picture that needs nothing else.

    >>> from danlu import training
    >>> training.schedule_svg(training.Cosine(0.1, steps=100), 100)[:4]
    '<svg'
    """
    values = _sampled(schedule, steps, WIDTH // 2)
    peak = max(values) or 1.0
    last = max(len(values) - 1, 1)
    points = " ".join(
        f"{MARGIN + at / last * WIDTH:.1f},{HEIGHT + 10 - value / peak * HEIGHT:.1f}"
        for at, value in enumerate(values)
    )
    size = f"0 0 {WIDTH + MARGIN + 10} {HEIGHT + 30}"
    texts = (
        f'<text x="4" y="18">{peak:.3g}</text>'
        f'<text x="4" y="{HEIGHT + 10}">0</text>'
        f'<text x="{MARGIN}" y="{HEIGHT + 26}">step 0 to {steps - 1}</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" font-size="11" '
        f'role="img" aria-label="schedule, highest value {peak:.3g}">{texts}'
        f'<polyline points="{points}" fill="none" stroke="currentColor"/></svg>'
    )


def _sampled(schedule: Callable[[int], float], steps: int, most: int) -> list[float]:
    """Values at up to `most` steps, evenly from the first to the last."""
    count = min(steps, most)
    if count < 2:
        return [schedule(0)]
    return [schedule(round(at * (steps - 1) / (count - 1))) for at in range(count)]
