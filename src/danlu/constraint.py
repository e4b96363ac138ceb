"""What a trial must keep to, whatever its loss: a limit for another of its metrics."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .errors import StudyError
from .jsontext import is_name, shown
from .number import as_number
from .space import Array
from .trial import Curve

_SIGNS = {"<=": True, ">=": False}


@dataclass(frozen=True)
class Constraint:
    """That a metric is at most `limit` (`upper=True`), or at least that.

    `text` is how the user wrote it, but for spaces.

    >>> import danlu
    >>> fast = danlu.Constraint("latency_ms", 20)
    >>> str(fast), fast.slack(31)
    ('latency_ms <= 20', 11.0)

    Raises:
        StudyError: the metric has no name, or the limit is not finite.
    """

    metric: str
    limit: float
    upper: bool = True
    text: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise StudyError(f"a constraint names a metric, got {shown(self.metric)}")
        if not is_name(self.metric):
            raise StudyError(
                f"a constraint's metric is valid Unicode, got {self.metric!r}"
            )
        limit = as_number(self.limit)
        if limit is None or not abs(limit) <= sys.float_info.max:
            raise StudyError(
                f"the limit of {self.metric!r} is a finite number, "
                f"got {shown(self.limit)}"
            )
        object.__setattr__(self, "limit", float(limit))
        if not self.text:
            sign = "<=" if self.upper else ">="
            object.__setattr__(self, "text", f"{self.metric} {sign} {self.limit:.12g}")

    def slack(self, value: float) -> float:
        """By how much `value` is beyond the limit; 0 or less where it keeps to it.

        Nan is as far beyond it as can be.
        """
        if math.isnan(value):
            return math.inf
        return value - self.limit if self.upper else self.limit - value

    def broken_by(self, slack: float) -> str:
        """How a value beyond the limit by `slack` breaks it: `latency_ms 31 > 20`."""
        if math.isinf(slack):
            return f"{self.metric} is not a finite number"
        value = self.limit + slack if self.upper else self.limit - slack
        sign = ">" if self.upper else "<"
        return f"{self.metric} {value:.6g} {sign} {self.limit:.6g}"

    def value(self, curves: Mapping[str, Curve], step: int | None) -> float | None:
        """The metric of a trial at `step`, at its last report if it has none there.

        A metric that was never reported is None.
        """
        curve = curves.get(self.metric)
        if curve is None or not len(curve):
            return None
        (there,) = np.nonzero(curve.steps == step)
        return float(curve.values[there[-1] if len(there) else -1])

    def __str__(self) -> str:
        return self.text


def bounded(slacks: Array) -> Array:
    """Slacks (n, c) of which infinite ones are as large as the largest finite one.

    What was never said (nan) is 0.

    >>> bounded(np.array([[-2.0], [math.inf], [5.0], [math.nan]])).tolist()
    [[-2.0], [5.0], [5.0], [0.0]]
    """
    sizes = np.where(np.isfinite(slacks), np.abs(slacks), 0.0)
    largest = sizes.max(axis=0, initial=0.0)
    most = np.broadcast_to(np.where(largest > 0, largest, 1.0), slacks.shape)
    known = np.where(np.isinf(slacks), np.sign(slacks) * most, slacks)
    return np.where(np.isnan(known), 0.0, known)


def violations(slacks: Array) -> Array:
    """By how much trials break their constraints in all (n,), from slacks (n, c).

    0 where a trial keeps all of them or never said (nan). Constraints have units of
    their own, so the largest violation of each one counts 1; an infinite one as well.

    >>> violations(np.array([[-2.0, 3.0], [4.0, -1.0], [1.0, 6.0]])).tolist()
    [0.5, 1.0, 1.25]
    """
    broken = np.maximum(bounded(slacks), 0.0)
    largest = broken.max(axis=0, initial=0.0)
    total: Array = (broken / np.where(largest > 0, largest, 1.0)).sum(axis=1)
    return total


def parsed(text: object) -> Constraint:
    """The constraint that a text like `latency_ms <= 20` states.

    >>> parsed("accuracy >= 0.9").upper
    False

    Raises:
        StudyError: it states none.
    """
    for sign, upper in _SIGNS.items():
        if not isinstance(text, str):
            break
        metric, found, limit = text.partition(sign)
        number = _number(limit)
        if found and metric.strip() and number is not None:
            own = f"{metric.strip()} {sign} {limit.strip()}"
            return Constraint(metric.strip(), number, upper, own)
    raise StudyError(
        f"a constraint is a metric, <= or >=, and a number, got {shown(text)}: "
        "write it like 'latency_ms <= 20'"
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
