"""Trials that ended without a value, by what they have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..trial import State, Trial

_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


@dataclass(frozen=True)
class Group:
    """Trials that ended alike; numbers in which their reasons differ are left out."""

    state: State
    reason: str
    numbers: tuple[int, ...]


def groups(trials: Sequence[Trial]) -> tuple[Group, ...]:
    """Infeasible, failed and stopped trials by reason, largest group first."""
    order = (State.INFEASIBLE, State.FAILED, State.STOPPED)
    alike: dict[tuple[State, str], list[Trial]] = {}
    for trial in trials:
        if trial.state in order:
            key = trial.state, _NUMBER.sub("…", trial.reason)
            alike.setdefault(key, []).append(trial)
    found = [
        Group(own[0].state, _reason(own), tuple(trial.number for trial in own))
        for own in alike.values()
    ]
    return tuple(sorted(found, key=lambda g: (order.index(g.state), -len(g.numbers))))


def _reason(alike: Sequence[Trial]) -> str:
    parts = zip(*(_NUMBER.split(trial.reason) for trial in alike), strict=True)
    return "".join(own[0] if len(set(own)) == 1 else "…" for own in parts)
