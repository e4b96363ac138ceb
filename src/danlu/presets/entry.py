"""One hyperparameter as it is known from practice: its range, and why that one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..analysis.design.effort import TRIALS_PER_DIMENSION
from ..domain import Domain
from ..errors import StudyError
from ..space import SearchSpace


@dataclass(frozen=True)
class Entry:
    """A hyperparameter, its domain, and the reason of both in a sentence."""

    name: str
    domain: Domain
    reason: str


@dataclass(frozen=True)
class Preset:
    """A search space known from practice, and the reason of each range.

    `title` says in a few words what it is for, `reasons` is by path.

    >>> import danlu
    >>> adam = danlu.presets.preset("adam", trials=8)
    >>> adam.title, list(adam.reasons)
    ('Adam', ['lr'])
    """

    name: str
    title: str
    space: SearchSpace
    reasons: Mapping[str, str]


def space_of(entries: Sequence[Entry]) -> SearchSpace:
    """The search space of some entries."""
    return SearchSpace({entry.name: entry.domain for entry in entries})


def affordable(entries: Sequence[Entry], trials: int | None) -> tuple[Entry, ...]:
    """The first entries, as many as `trials` can cover; all of them for None.

    Raises:
        StudyError: `trials` is not a whole number from 1.
    """
    check_trials(trials)
    if trials is None:
        return tuple(entries)
    return tuple(entries[: max(1, trials // TRIALS_PER_DIMENSION)])


def check_trials(trials: int | None) -> None:
    """Raises unless `trials` is a whole number from 1, or None.

    Raises:
        StudyError: it is something else.
    """
    if trials is not None and (type(trials) is not int or trials < 1):
        raise StudyError(f"trials is a whole number from 1, got {trials!r}")
