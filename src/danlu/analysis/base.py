"""The contract of a check: what it says is a finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..sentence import plural


class Level(StrEnum):
    """How much a finding matters; `UNKNOWN` says that there are too few trials to tell.

    >>> import danlu
    >>> [level.value for level in danlu.Level]
    ['ok', 'notice', 'warning', 'unknown']
    """

    OK = "ok"
    NOTICE = "notice"
    WARNING = "warning"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """What a check found: one sentence, how much it matters, and what to do about it.

    `check` names the check. `evidence` holds the numbers behind the sentence as plain
    JSON values; `evidence["change"]`, where there is one, maps fields of the study to
    what they should become. Under `space` it maps a path to the fields of that domain,
    to `{"fixed": value}` for a hyperparameter that need not vary any more, or to
    `{"add": domain fields}` for one that the training program should offer.

    >>> import danlu
    >>> finding = danlu.Finding("trials", danlu.Level.WARNING, "12 trials are few.")
    >>> finding.level.value
    'warning'
    """

    check: str
    level: Level
    message: str
    advice: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


def too_few(
    check: str, to_see: str, *, valued: int, missing: int, **evidence: Any
) -> Finding:
    """What a check says that needs `missing` more trials besides `valued` ones.

    >>> too_few("boundary", "where the best lie", valued=1, missing=11).message
    '1 trial with a value is too few to see where the best lie.'
    """
    are = "is" if valued == 1 else "are"
    return Finding(
        check,
        Level.UNKNOWN,
        f"{plural(valued, 'trial')} with a value {are} too few to see {to_see}.",
        f"Run {plural(missing, 'more trial')}.",
        {"missing": missing, **evidence},
    )


_ORDER = (Level.WARNING, Level.NOTICE, Level.UNKNOWN, Level.OK)


def by_level(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, warnings first; those of one level stay in their order.

    >>> import danlu
    >>> found = [danlu.Finding("a", danlu.Level.OK, "Fine."),
    ...          danlu.Finding("b", danlu.Level.WARNING, "Not fine.")]
    >>> [finding.check for finding in by_level(found)]
    ['b', 'a']
    """
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.level)))
