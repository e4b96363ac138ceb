"""Numbers from outside as Python's own, and how many of their digits are kept."""

from __future__ import annotations

import math

import numpy as np

# Floats are given out with 12 significant digits, so that `encode` and `decode` undo
# each other exactly: the cube's 2**-53 is finer than that over any range of floats.
DIGITS = 12


def as_number(value: object) -> int | float | None:
    """`value` as a Python number, also from numpy; None for text, bool and the rest.

    >>> as_number(np.int64(3)), as_number("3")
    (3, None)
    """
    bare = without_numpy(value)
    if isinstance(bare, bool) or not isinstance(bare, int | float):
        return None
    return bare


def is_count(value: object, least: int = 1) -> bool:
    """Whether `value` is a whole number from `least` on; text, True and 2.0 are none.

    >>> is_count(3), is_count(2.0), is_count(0)
    (True, False, False)
    """
    own = as_number(value)
    return isinstance(own, int) and own >= least


def without_numpy(value: object) -> object:
    """`value`, a scalar of numpy as Python's.

    >>> without_numpy(np.float32(0.5))
    0.5
    """
    return value.item() if isinstance(value, np.generic) else value


def is_whole(number: int | float) -> bool:
    """Whether a number has no fraction, whatever its type.

    >>> is_whole(2.0)
    True
    """
    return isinstance(number, int) or number.is_integer()


def rounded(value: float) -> float:
    """`value` to `DIGITS` significant digits.

    >>> rounded(0.1 + 0.2)
    0.3
    """
    return float(f"{value:.{DIGITS}g}")


def rounded_int(value: float) -> int:
    """Whole part, to `DIGITS` digits where the number has more.

    >>> rounded_int(4.9999999999999996)
    5
    """
    whole = math.floor(value * (1 + 1e-13))  # exp and log leave 5 as 4.9999999999999
    return whole if whole < 10**DIGITS else int(rounded(float(whole)))
