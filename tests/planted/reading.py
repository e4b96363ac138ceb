"""Whether findings say what a claim is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from danlu import Choice, Finding, Level, Study

from .claims import Claim

ALARMS = (Level.NOTICE, Level.WARNING)
SIDES = ("low", "high")


def is_said(claim: Claim, findings: Sequence[Finding], study: Study) -> bool:
    """Whether any of the findings says what the claim names."""
    own = [finding for finding in findings if finding.check == claim.check]
    return any(_says(finding, claim, study) for finding in own)


def _says(finding: Finding, claim: Claim, study: Study) -> bool:
    if finding.level not in ALARMS:
        return False
    about = set(_texts(finding.evidence))
    if claim.says == "elsewhere":
        paths = {dimension.path for dimension in study.search_space.dimensions}
        return bool(about & paths - {claim.about})
    if claim.says in ("high", "low"):
        return claim.says in _moved(finding, claim.about, study)
    return not claim.about or claim.about in about


def _moved(finding: Finding, path: str, study: Study) -> set[str]:
    """Which bounds of a hyperparameter the finding proposes to move outward."""
    new = finding.evidence.get("change", {}).get("space", {}).get(path)
    if new is None:
        return set()
    dimensions = study.search_space.dimensions
    (old,) = (own.domain for own in dimensions if own.path == path)
    if isinstance(old, Choice):
        added = [option not in old.options for option in new["options"]]
        return {
            side
            for side, is_new in zip(SIDES, (added[0], added[-1]), strict=True)
            if is_new
        }
    outward = (new["low"] < old.low, new["high"] > old.high)
    return {side for side, is_new in zip(SIDES, outward, strict=True) if is_new}


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
