"""Whether findings say what a claim is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from danlu import Finding, Level

from .claims import Claim

ALARMS = (Level.NOTICE, Level.WARNING)


def is_said(claim: Claim, findings: Sequence[Finding]) -> bool:
    """Whether any of the findings says what the claim names."""
    own = [finding for finding in findings if finding.check == claim.check]
    return any(_says(finding, claim) for finding in own)


def holds(claim: Claim, findings: Sequence[Finding]) -> bool:
    """Whether the check was right: it spoke as claimed, or was silent as claimed."""
    return is_said(claim, findings) == claim.speaks


def _says(finding: Finding, claim: Claim) -> bool:
    if finding.level not in ALARMS:
        return False
    if claim.says in ("high", "low"):
        return claim.says in _change(finding).get(claim.about, {})
    return not claim.about or claim.about in set(_texts(finding.evidence))


def _change(finding: Finding) -> Mapping[str, Any]:
    """What becomes of each path, as the finding proposes."""
    space: Mapping[str, Any] = finding.evidence.get("change", {}).get("space", {})
    return space


def _texts(value: object) -> Iterator[str]:
    """Every text in JSON, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, own in value.items():
            yield str(key)
            yield from _texts(own)
    elif isinstance(value, Iterable):
        for own in value:
            yield from _texts(own)
