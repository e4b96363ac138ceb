"""Names of params that look like a setting and are none."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

ALIKE = 0.85  # of two names, as difflib measures it: one or two letters differ
SHORTEST = 5  # letters of a name that is looked at; shorter ones are alike by chance


def check_spelling(
    name: str, known: Collection[str], others: Mapping[str, str]
) -> None:
    """Raises a ValueError where a param is nearly a setting, or one's name elsewhere.

    >>> check_spelling("width", ["lr", "schedule"], {"learning_rate": "lr"})
    >>> check_spelling("shedule", ["lr", "schedule"], {"learning_rate": "lr"})
    Traceback (most recent call last):
    ValueError: params has 'shedule': did you mean 'schedule'?
    """
    near = [own for own in known if abs(len(own) - len(name)) <= 1]
    meant = [others[name]] if name in others else []
    if len(name) >= SHORTEST:
        meant += difflib.get_close_matches(name, near, n=1, cutoff=ALIKE)
    if meant:
        raise ValueError(f"params has {name!r}: did you mean {meant[0]!r}?")
