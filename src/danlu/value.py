"""What one hyperparameter may have as its value: what JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeAlias

from .errors import SpaceError
from .jsontext import is_writable, shown
from .number import without_numpy

Value: TypeAlias = str | int | float | bool | None

MOST_WHOLE = 10**4000  # Python reads and writes no more than 4300 digits


def same(left: Value, right: Value) -> bool:
    """Whether two values are equal, without taking True for 1."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def plain(value: object) -> Value:
    """`value` as JSON can hold it; numpy scalars become Python ones.

    Raises:
        SpaceError: it is neither text, nor a finite number, True, False or None.
    """
    bare = without_numpy(value)
    if isinstance(bare, str) and not is_writable(bare):
        raise SpaceError(f"text must be valid Unicode, got {bare!r}")
    if isinstance(bare, int) and abs(bare) > MOST_WHOLE:
        raise SpaceError("a whole number has at most 4000 digits, got a longer one")
    if isinstance(bare, float) and not math.isfinite(bare):
        raise SpaceError(f"a value must be finite, got {bare}")
    if bare is None or isinstance(bare, str | int | float | bool):
        return bare
    raise SpaceError(
        f"a value must be text, a number, True, False or None, got {bare!r}: "
        "give it a name and look the object up in the training program"
    )


def options_of(given: object) -> tuple[Value, ...]:
    """The options of a choice, in their order.

    >>> options_of(["adam", "sgd"])
    ('adam', 'sgd')

    Raises:
        SpaceError: they are no list, or a set, which has no order, there is none, two
            are equal, or one is no value.
    """
    if isinstance(given, str):
        raise SpaceError(
            f"Choice needs a list of options, got the text {given!r}: write "
            f"Choice([{given!r}])"
        )
    if isinstance(given, set | frozenset):
        raise SpaceError(
            f"Choice needs a list of options, got the set {shown(given)}: it has no "
            "order, so that the same seed would give other trials each time"
        )
    if not isinstance(given, Iterable):
        raise SpaceError(f"Choice needs a list of options, got {shown(given)}")
    options = tuple(plain(option) for option in given)
    if not options:
        raise SpaceError("Choice needs at least one option, got none")
    for place, option in enumerate(options):
        if option in options[:place]:
            first = options[options.index(option)]
            also = "" if repr(first) == repr(option) else f" ({first!r} equals it)"
            raise SpaceError(f"In Choice {option!r} stands twice{also}: remove one")
    return options
