"""What is known to be true of a planted study, in words that fit any check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from danlu import History, Study

# The checks of the playbook's section 2, by the names of their findings.
CHECKS = (
    "boundary",
    "coverage",
    "infeasible",
    "overfitting",
    "step-variance",
    "still-improving",
    "saturated",
    "training-rises",
    "periodic",
    "edge-of-stability",
    "isolation",
    "importance",
    "step-budget",
    "noise",
    "budget-agreement",
)


@dataclass(frozen=True)
class Claim:
    """That a check says something (`speaks`), or that it must not.

    `about` is the path, the option or the number of the trial that it is about, empty
    for the study as a whole. `says` is what it says of it, where a check says more than
    one thing: `high` and `low` for a bound; `fix`, `matters` and `interact` (about
    `first*second`) for importance; `better` for an arm; `too_many`
    and `too_few` for steps. An effect that is true but smaller than what the check's
    documentation states is not `stated`.
    """

    check: str
    speaks: bool
    about: str = ""
    says: str = ""
    stated: bool = True


@dataclass(frozen=True)
class Drawn:
    """One study drawn from a situation, with what is true of it."""

    study: Study
    history: History
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Situation:
    """A kind of study; `draw` makes one, different each time, with its truth.

    `slow` ones ask a sampler that fits a model for each trial.
    """

    name: str
    draw: Callable[[Generator], Drawn]
    healthy: bool
    slow: bool = False


def speaks(check: str, about: str = "", says: str = "") -> Claim:
    """That the check has something to say."""
    return Claim(check, True, about, says)


def hints(check: str, about: str = "", says: str = "") -> Claim:
    """That the check would be right to speak; its documentation promises less."""
    return Claim(check, True, about, says, stated=False)


def silent(*checks: str, about: str = "", says: str = "") -> tuple[Claim, ...]:
    """That none of the checks raises an alarm."""
    return tuple(Claim(check, False, about, says) for check in checks)


def silent_but(*checks: str) -> tuple[Claim, ...]:
    """That all checks are silent but these, of which nothing is claimed."""
    unknown = set(checks) - set(CHECKS)
    if unknown:
        raise ValueError(f"no check {sorted(unknown)}")
    return silent(*(check for check in CHECKS if check not in checks))
