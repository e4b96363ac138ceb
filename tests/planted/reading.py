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
    if claim.check == "isolation":
        return _is_best(finding, claim)
    if claim.check == "importance":
        return _ranks(finding, claim)
    if finding.level not in ALARMS:
        return False
    if claim.check == "infeasible":
        return _places(finding, claim)
    if claim.check == "step-budget" and claim.says:
        return _asks_for(finding, study) == claim.says
    about = set(_texts(finding.evidence))
    if claim.says == "elsewhere":
        paths = {dimension.path for dimension in study.search_space.dimensions}
        return bool(about & paths - {claim.about})
    if claim.says in SIDES:
        return claim.says in _moved(finding, claim.about, study)
    return not claim.about or claim.about in about


def _is_best(finding: Finding, claim: Claim) -> bool:
    """Whether one arm is told to be the best; it is `unknown` where none is."""
    if finding.level is Level.UNKNOWN or "best" not in finding.evidence:
        return False
    best = str(finding.evidence["best"])
    return not claim.about or best == claim.about or best.endswith(f"={claim.about}")


def _ranks(finding: Finding, claim: Claim) -> bool:
    """What importance says of one hyperparameter, or of a pair of them."""
    found = finding.evidence
    if claim.says == "fix":
        change = found.get("change", {}).get("space", {})
        return "fixed" in change.get(claim.about, {})
    if claim.says == "interact":
        pair = (
            set(claim.about.split("*")) if claim.about else set(found.get("paths", ()))
        )
        return "p" in found and pair == set(found.get("paths", ()))
    verdicts = {row["path"]: row["verdict"] for row in found.get("rows", ())}
    return verdicts.get(claim.about) == claim.says


def _places(finding: Finding, claim: Claim) -> bool:
    """Whether the region of the infeasible trials is one of that hyperparameter.

    That machines failed is said by the same check and is no alarm.
    """
    if not finding.evidence.get("share"):
        return False
    where = str(finding.evidence.get("where", ""))
    return not claim.about or claim.about in where.split()


def _asks_for(finding: Finding, study: Study) -> str:
    """Whether the finding proposes more steps or fewer."""
    steps = finding.evidence.get("change", {}).get("max_steps")
    if steps is None or study.max_steps is None:
        return ""
    return "too_many" if steps < study.max_steps else "too_few"


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
