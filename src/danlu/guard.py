"""A guard as it is stated: a limit for another metric, which the baseline may set."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .constraint import Constraint, parsed
from .errors import StudyError
from .jsontext import shown

_FORM = re.compile(
    r"(?P<metric>.*?\S)\s*(?P<sign><=|>=)\s*baseline(?:\s*(?P<way>[+-])\s*(?P<by>\S+))?",
    re.DOTALL,
)


@dataclass(frozen=True)
class Limit:
    """What a winner must keep to; `relative`: its limit is on top of the baseline.

    `test_error <= baseline + 0.005` has the constraint `test_error <= 0.005`.
    """

    constraint: Constraint
    relative: bool

    def bound(self, baseline: float | None) -> float | None:
        """The limit as a number; None where it takes a baseline and there is none.

        >>> limit_of("size <= baseline - 2").bound(10.0)
        8.0
        """
        if not self.relative:
            return self.constraint.limit
        return None if baseline is None else baseline + self.constraint.limit


def limit_of(text: object) -> Limit:
    """The limit that a guard states: `size_mb <= 20`, or `accuracy >= baseline - 0.01`.

    >>> limit_of("size_mb <= 20").relative
    False

    Raises:
        StudyError: the text states no guard.
    """
    if not isinstance(text, str):
        raise _no_guard(text)
    form = _FORM.fullmatch(text.strip())
    if form is None:
        return Limit(_constraint(text), relative=False)
    amount = f"{form['way'] or ''}{form['by'] or 0}"
    stated = f"{form['metric']} {form['sign']} {amount}"
    try:
        return Limit(parsed(stated), relative=True)
    except StudyError:
        raise StudyError(
            f"{form['by']!r} in the guard {text!r} is no number: write it like "
            "'test_error <= baseline + 0.005'"
        ) from None


def _constraint(text: str) -> Constraint:
    try:
        return parsed(text)
    except StudyError:
        raise _no_guard(text) from None


def _no_guard(text: object) -> StudyError:
    return StudyError(
        "a guard is a metric, <= or >=, and a number or the baseline, got "
        f"{shown(text)}: write it like 'test_error <= baseline + 0.005'"
    )
