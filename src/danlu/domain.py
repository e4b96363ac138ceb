"""What one hyperparameter may be: a real number, a whole number, or one of several.

A domain maps a value to a place in [0, 1] and back. A `Choice` may bring
hyperparameters of its own with each option, to any depth. `belief` says where the best
value is expected; it changes what samplers try, not what a domain holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from .errors import SpaceError
from .jsontext import shown
from .number import DIGITS, as_number, is_whole, rounded, rounded_int
from .value import MOST_WHOLE, Value, options_of, plain, same

LARGEST = 1e308  # the logarithm of what is larger cannot be undone
NARROW = 10**6  # with high / low - 1 below 1 / NARROW, a logarithm is a straight line


@dataclass(frozen=True)
class Belief:
    """That the best value lies around `center`, with the probability `confidence`.

    The other values keep the share `1 - confidence`, spread evenly: no value is ruled
    out. For an unordered choice, "around" means the option itself.

    >>> import danlu
    >>> lr = danlu.Float(1e-4, 1.0, log=True, belief=danlu.Belief(3e-3))
    >>> lr.belief
    Belief(center=0.003, confidence=0.5)

    Raises:
        SpaceError: `confidence` is not between 0 and 1, both excluded.
    """

    center: Value
    confidence: float = 0.5

    def __post_init__(self) -> None:
        own = self.confidence
        number = as_number(own)
        if number is None or not 0 < number < 1:
            raise SpaceError(
                f"Belief(confidence=...) is between 0 and 1, got {shown(own)}: "
                "0.5 is a fair guess, 0.9 is nearly sure; to hold a value, fix it"
            )
        object.__setattr__(self, "confidence", float(number))


@dataclass(frozen=True)
class Float:
    """A real number from `low` to `high`, both included.

    `log=True` spreads it evenly over orders of magnitude: right for a learning rate.

    >>> import danlu
    >>> danlu.Float(1e-4, 1.0, log=True).decode(0.5)
    0.01

    Raises:
        SpaceError: a bound is missing, nan, infinite, reversed, or not above 0 for log.
    """

    low: float
    high: float
    log: bool = False
    belief: Belief | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, _finite_bound(self, name))
        _check_bounds(self)
        object.__setattr__(self, "belief", _believed(self.belief, self.admit))

    def decode(self, u: float) -> float:
        """The value at `u` in [0, 1]."""
        if u in (0, 1):
            return self.high if u else self.low
        if self._curved:
            low, high = math.log(self.low), math.log(self.high)
            value = math.exp(min(low + u * (high - low), high))
        elif math.isfinite(self.high - self.low):
            value = self.low + u * (self.high - self.low)
        else:
            value = self.low * (1 - u) + self.high * u
        value, (first, last) = self._rounded(value), self._edges
        if first < value < last:
            return value
        return self.low if u < 0.5 else self.high

    def encode(self, value: float) -> float:
        """The place of `value` in [0, 1]; a domain of one value is at 0.5."""
        if self.low == self.high:
            return 0.5
        low, high = self.low, self.high
        if self._curved:
            low, value, high = math.log(low), math.log(value), math.log(high)
        if not math.isfinite(high - low):
            low, value, high = low / 2, value / 2, high / 2
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def admit(self, value: object) -> float:
        """`value` as this domain keeps it: a float within the bounds.

        Raises:
            SpaceError: it is not a number, or outside.
        """
        number = as_number(value)
        if number is None or not self.low <= number <= self.high:
            raise SpaceError(f"{shown(value)} is not in {self}")
        try:
            return float(number)
        except OverflowError:
            raise SpaceError(f"{shown(value)} is not in {self}") from None

    @property
    def _curved(self) -> bool:
        return self.log and self.high - self.low > self.low / NARROW

    @cached_property
    def _edges(self) -> tuple[float, float]:
        """The rounded bounds: what decodes to one of them is the bound itself."""
        return self._rounded(self.low), self._rounded(self.high)

    @cached_property
    def _decimals(self) -> int:
        """Decimal places that resolve the range to `DIGITS` digits."""
        span = self.high / 2 - self.low / 2
        return DIGITS - (math.floor(math.log10(span)) if span > 0 else -300)

    def _rounded(self, value: float) -> float:
        return rounded(value) if self._curved else round(value, self._decimals)

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}{' log' if self.log else ''}"


@dataclass(frozen=True)
class Int:
    """A whole number from `low` to `high`, both included.

    `log=True` gives `k` a share of log((k + 1) / k): right for a width or batch size.
    Whole numbers of any size are kept exactly.

    >>> import danlu
    >>> layers = danlu.Int(1, 4)
    >>> [layers.decode(u) for u in (0.0, 0.3, 0.6, 1.0)]
    [1, 2, 3, 4]

    Raises:
        SpaceError: a bound is not a whole number, reversed, or not above 0 for log.
    """

    low: int
    high: int
    log: bool = False
    belief: Belief | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, _whole_bound(self, name))
        _check_bounds(self)
        object.__setattr__(self, "belief", _believed(self.belief, self.admit))

    def decode(self, u: float) -> int:
        """The value at `u` in [0, 1]."""
        if not self._curved:
            value = self.low + math.floor(Fraction(u) * self._count)
            return min(value, self.high)
        if u in (0, 1):
            return self.high if u else self.low
        low, high = math.log(self.low), math.log(self.high + 1)
        value = rounded_int(math.exp(min(low + u * (high - low), high)))
        if value <= rounded_int(self.low):
            return self.low
        return value if value < rounded_int(self.high) else self.high

    def encode(self, value: int) -> float:
        """The middle of the stretch of [0, 1] that stands for `value`."""
        if self._curved:
            if value >= 10**DIGITS and value in (self.low, self.high):
                return float(value == self.high)
            low, high = math.log(self.low), math.log(self.high + 1)
            middle = (math.log(value) + math.log(value + 1)) / 2
            return min(max((middle - low) / (high - low), 0.0), 1.0)
        u = float(Fraction(2 * (value - self.low) + 1, 2 * self._count))
        crowded = self._count >= 2**53  # the float next to the middle may be outside
        return math.nextafter(u, 0) if crowded and self.decode(u) > value else u

    def admit(self, value: object) -> int:
        """`value` as this domain keeps it: a whole number within the bounds.

        Raises:
            SpaceError: it is not a whole number, or outside.
        """
        number = as_number(value)
        if number is None or not self.low <= number <= self.high:
            raise SpaceError(f"{shown(value)} is not in {self}")
        if not is_whole(number):
            raise SpaceError(
                f"{shown(value)} is not in {self}: it is not a whole number"
            )
        return int(number)

    @property
    def _curved(self) -> bool:
        return self.log and self.high - self.low > self.low // NARROW

    @property
    def _count(self) -> int:
        return self.high - self.low + 1

    def __str__(self) -> str:
        return f"{self.low}..{self.high} whole{' log' if self.log else ''}"


@dataclass(frozen=True)
class Choice:
    """One of several options; each option may bring hyperparameters of its own.

    `ordered=True` says that neighbors are alike (32, 64, 128), which samplers use.

    >>> import danlu
    >>> optimizer = danlu.Choice({
    ...     "adam": {"lr": danlu.Float(1e-4, 1e-1, log=True)},
    ...     "nesterov": {"lr": danlu.Float(1e-3, 1.0, log=True),
    ...                  "momentum": danlu.Float(0.5, 0.99)},
    ... })
    >>> optimizer.options
    ('adam', 'nesterov')

    Raises:
        SpaceError: no option, two equal ones, or one that JSON cannot hold.
    """

    options: Sequence[Value] | Mapping[str, Mapping[str, Domain]]
    ordered: bool = False
    branches: Mapping[Value, Mapping[str, Domain]] = field(
        default_factory=dict, hash=False
    )
    belief: Belief | None = None

    def __post_init__(self) -> None:
        options = options_of(self.options)
        branches: Mapping[Value, Mapping[str, Domain]] = self.branches
        if isinstance(self.options, Mapping):
            branches = _branches(self.options, branches)
        object.__setattr__(self, "options", options)
        own = {self._option_of(key): dict(inner) for key, inner in branches.items()}
        object.__setattr__(self, "branches", own)
        object.__setattr__(self, "belief", _believed(self.belief, self.admit))

    def decode(self, u: float) -> Value:
        """The option at `u` in [0, 1]; every option has an equal stretch."""
        options = self._options
        return options[min(int(u * len(options)), len(options) - 1)]

    def encode(self, value: Value) -> float:
        """The middle of the stretch of [0, 1] that stands for `value`."""
        return (self._options.index(value) + 0.5) / len(self._options)

    def admit(self, value: object) -> Value:
        """`value` as this domain keeps it: the option that it equals.

        Raises:
            SpaceError: it equals none of the options.
        """
        wanted = plain(value)
        for option in self._options:
            if same(wanted, option):
                return option
        raise SpaceError(f"{shown(value)} is not in {self}")

    def _option_of(self, key: Value) -> Value:
        """The option that a branch belongs to."""
        try:
            return self.admit(key)
        except SpaceError:
            raise SpaceError(
                f"Choice has a branch for {key!r}, which is not an option: "
                f"there are {', '.join(map(repr, self._options))}"
            ) from None

    @property
    def _options(self) -> tuple[Value, ...]:
        return self.options  # type: ignore[return-value]  # a tuple after __post_init__

    def __str__(self) -> str:
        between = " < " if self.ordered else " | "
        return between.join(str(option) for option in self._options)


Domain: TypeAlias = Float | Int | Choice


def _believed(belief: object, admit: Callable[[object], Value]) -> Belief | None:
    """The belief about a domain, with its center as `admit` of the domain keeps it.

    Raises:
        SpaceError: it is no `Belief`, or its center is outside of the domain.
    """
    if belief is None:
        return None
    if not isinstance(belief, Belief):
        raise SpaceError(
            f"belief is a Belief, got {shown(belief)}: write belief=Belief({belief!r})"
        )
    try:
        return replace(belief, center=admit(belief.center))
    except SpaceError as error:
        raise SpaceError(
            f"the center of a belief is inside its domain: {error}"
        ) from None


def _finite_bound(domain: Float, name: str) -> float:
    bound = as_number(getattr(domain, name))
    if bound is None:
        raise SpaceError(f"Float needs numbers, got {name}={getattr(domain, name)!r}")
    try:
        value = float(bound)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise SpaceError(f"Float needs finite bounds, got {name}={value}")
    return value


def _whole_bound(domain: Int, name: str) -> int:
    bound = as_number(getattr(domain, name))
    if bound is None or not is_whole(bound):
        got = f"{name}={getattr(domain, name)!r}"
        raise SpaceError(f"Int needs whole numbers, got {got}: use Float for fractions")
    if abs(bound) > MOST_WHOLE:
        raise SpaceError(
            f"Int needs bounds of at most 4000 digits, got a longer {name}"
        )
    return int(bound)


def _check_bounds(domain: Float | Int) -> None:
    kind, got = type(domain).__name__, f"low={domain.low}, high={domain.high}"
    if domain.low > domain.high:
        raise SpaceError(f"{kind} needs low <= high, got {got}: swap them")
    if not isinstance(domain.log, bool):
        raise SpaceError(f"{kind}(log=...) needs True or False, got {domain.log!r}")
    if domain.log and domain.low <= 0:
        raise SpaceError(f"{kind}(log=True) needs low > 0, got low={domain.low}")
    if domain.log and domain.high > LARGEST:
        raise SpaceError(f"{kind}(log=True) needs high <= {LARGEST}, got {got}")


def _branches(
    options: Mapping[str, Mapping[str, Domain]],
    also: Mapping[Value, Mapping[str, Domain]],
) -> Mapping[Value, Mapping[str, Domain]]:
    """The options that bring hyperparameters, from options by name."""
    if also:
        raise SpaceError(
            "Choice got branches twice, in its options and in `branches`: leave one out"
        )
    for option, own in options.items():
        if not isinstance(own, Mapping):
            raise SpaceError(
                f"what option {option!r} of a Choice brings is domains by name, got "
                f"{shown(own)}: write {{}} for none"
            )
    return {option: own for option, own in options.items() if own}
