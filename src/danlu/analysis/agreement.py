"""Whether short runs tell who is best: ranks early and at the end (playbook A15)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..history import History
from ..space import Array
from ..trial import State

THIRDS = 3  # the steps are a third of the full length, a ninth, and a 27th
LEAST_TRIALS = 10  # from where on the interval holds (Fieller et al., 1957)
MOST_TRIALS = 2000  # the latest: every pair of them is looked at
Z_95 = 1.96  # standard normal quantile of a 95 % interval


@dataclass(frozen=True)
class Agreement:
    """How the order of `trials` at `step` is that at the full length.

    `tau` is Kendall's tau-b, from -1 to 1, with its 95 % interval from `low` to `high`.
    `selected`: other trials were ended on the way, so that these are the better ones,
    which lie closer together: among all trials the agreement is likely to be higher.

    >>> Agreement(3, 27, 12, 0.5, 0.1, 0.76, selected=False).in_order
    0.75
    """

    step: int
    full: int
    trials: int
    tau: float
    low: float
    high: float
    selected: bool

    @property
    def in_order(self) -> float:
        """The share of pairs of trials of which the better one was ahead early."""
        return (1 + self.tau) / 2

    @property
    def told(self) -> bool:
        """Whether the early order says more than chance about the late one."""
        return self.low > 0


def agreements(history: History) -> tuple[Agreement, ...]:
    """How far the order of the trials is known early, the earliest step first.

    Of the search trials that reached the full length; none where they are fewer than
    ten, or where there is no such length.

    >>> import danlu
    >>> def trial(number):
    ...     curve = danlu.Curve.of({3: 1 + number, 9: number})
    ...     return danlu.Trial(number, {"x": 0.5}, danlu.State.COMPLETED,
    ...                        curves={"loss": curve})
    >>> history = danlu.History(
    ...     danlu.SearchSpace({"x": danlu.Float(0, 1)}), danlu.Metric("loss"),
    ...     [trial(number) for number in range(10)], max_steps=9)
    >>> [(own.step, own.tau) for own in agreements(history)]
    [(3, 1.0)]
    """
    return tuple(_agreements(history))


def _agreements(history: History) -> Iterator[Agreement]:
    full = history.max_steps
    if full is None:
        return
    searched = [own for own in history.trials if own.kind.judged]
    reached = [own for own in searched if own.step >= full][-MOST_TRIALS:]
    selected = any(
        own.step < full and own.state in (State.STOPPED, State.PAUSED)
        for own in searched
    )
    late = [history.loss(own, full) for own in reached]
    for power in range(THIRDS, 0, -1):
        step = round(full / 3**power)
        pairs = [
            (history.loss(own, step), last)
            for own, last in zip(reached, late, strict=True)
        ]
        known = np.array([pair for pair in pairs if None not in pair], float)
        if step < 1 or len(known) < LEAST_TRIALS:
            continue
        tau = kendall_tau(known[:, 0], known[:, 1])
        if tau is not None:
            low, high = _interval(tau, len(known))
            yield Agreement(step, full, len(known), tau, low, high, selected)


def kendall_tau(x: Array, y: Array) -> float | None:
    """Kendall's tau-b of two samples (n,), None where one of them is constant.

    M. G. Kendall, "The treatment of ties in ranking problems", Biometrika 33 (1945):
    tau_b = sum_ij a_ij b_ij / sqrt(sum_ij a_ij^2 sum_ij b_ij^2), with the signs a and b
    of the differences.

    >>> kendall_tau(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    0.3333333333333333
    """
    a, b = _signs(x), _signs(y)
    scale = math.sqrt(float((a**2).sum()) * float((b**2).sum()))
    return float((a * b).sum()) / scale if scale else None


def _signs(values: Array) -> Array:
    """1, 0 or -1 (n, n) for each pair; a difference might be too large a number."""
    first, second = values[:, None], values[None, :]
    signs: Array = (first > second).astype(float) - (first < second)
    return signs


def _interval(tau: float, count: int) -> tuple[float, float]:
    """The 95 % interval: atanh(tau) is nearly normal with variance 0.437 / (n - 4).

    E. C. Fieller, H. O. Hartley & E. S. Pearson, "Tests for rank correlation
    coefficients. I", Biometrika 44 (1957). At tau = 1 one pair is taken for one in the
    other order, or the interval would have no width.
    """
    most = 1 - 4 / (count * (count - 1))  # 1 - 2 / number of pairs
    z = math.atanh(min(max(tau, -most), most))
    half = Z_95 * math.sqrt(0.437 / (count - 4))
    return min(math.tanh(z - half), tau), max(math.tanh(z + half), tau)
