"""Counts, lists and numbers as sentences have them."""

from __future__ import annotations

from collections.abc import Sequence

MOST_SHOWN = 6  # names listed in a sentence


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`, or the first few and how many more.

    >>> listed(["lr", "width", "depth"])
    'lr, width and depth'
    """
    shown = list(words)
    if len(shown) > MOST_SHOWN:
        shown = [*shown[:MOST_SHOWN], f"{len(shown) - MOST_SHOWN} more"]
    return " and ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part)


def subject(words: Sequence[str]) -> str:
    """The list with its verb.

    >>> subject(["lr"]), subject(["lr", "width"])
    ('lr is', 'lr and width are')
    """
    return f"{listed(words)} {'is' if len(words) == 1 else 'are'}"


def plural(count: int, word: str) -> str:
    """A count and its word.

    >>> plural(1, "trial"), plural(1200, "trial")
    ('1 trial', '1,200 trials')
    """
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def short(value: object) -> str:
    """A value as a sentence has it.

    >>> short(0.00012345678), short("adam")
    ('0.000123457', 'adam')
    """
    return f"{value:g}" if isinstance(value, float) else str(value)


def brief(value: object) -> str:
    """A value of which three digits say enough.

    >>> brief(0.00012345678), brief("adam")
    ('0.000123', 'adam')
    """
    return f"{value:.3g}" if isinstance(value, float) else str(value)
