"""A3: which trials ended without a result, and where in the search space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..domain import Choice
from ..history import History
from ..sentence import plural
from ..study import Study
from ..trial import State, Trial
from .base import Finding, Level
from .bias import is_adaptive
from .groups import groups
from .splits import Region, region_of

LEAST_TRIALS = 10  # with five of ten infeasible, a region can be significant
LEAST_TO_DOUBT = 3  # of which none has a value; a loop halts after as many failures
SIGNIFICANT = 0.02  # stricter than 5 %, so that a study has less than that in all
WASTED = 0.1  # share of a study's trials, from where on it is worth a warning
SCATTERED = 0.25  # share of the trials that is worth a word wherever they are
MOST = 0.5  # share of the trials that is worth a warning wherever they are
MOSTLY = 0.8  # of the trials in a region are infeasible: it may be left out
FAILED_SHARE = 0.1


def infeasible(study: Study, history: History) -> tuple[Finding, ...]:
    """How many trials are infeasible, and the region of the space that explains them.

    The region has one or two conditions; it is the best of all that were looked at, by
    Fisher's exact test with Bonferroni's correction for their number. A corner of an
    eighth of the space where everything diverges is found in at least 90 % of the
    studies of 10 trials per dimension (at least 40); infeasible trials that fall
    anywhere are given a region in less than 5 %. Infeasible is not failed: what failed
    says something about the machine or the code, and is counted apart.

    >>> import danlu
    >>> space = danlu.SearchSpace({"lr": danlu.Float(1e-4, 1.0, log=True)})
    >>> study = danlu.Study(name="s", goal="Which lr?", metric="loss", trials=20,
    ...                     space=space, sampler="quasi_random")
    >>> def trial(k):
    ...     if k >= 15:
    ...         return danlu.Trial(k, space.decode([k / 19]), danlu.State.INFEASIBLE)
    ...     return danlu.Trial(k, space.decode([k / 19]), danlu.State.COMPLETED,
    ...                        curves={"loss": danlu.Curve.of({1: 0.5})})
    >>> trials = [trial(k) for k in range(20)]
    >>> history = danlu.History(space, study.objective, trials)
    >>> infeasible(study, history)[0].evidence["where"]
    'lr above 0.113'
    """
    trials, points, losses = history.searched()
    marks = ~np.isfinite(losses)
    own = [trial for trial, mark in zip(trials, marks, strict=True) if mark]
    failed = [t for t in history.trials if t.kind.judged and t.state is State.FAILED]
    findings = [_found(study, history, (points, losses), own)]
    if len(failed) > FAILED_SHARE * (len(trials) + len(failed)):
        findings.append(_failures(failed, len(trials)))
    return tuple(findings)


def _found(
    study: Study,
    history: History,
    table: tuple[np.ndarray, np.ndarray],
    own: Sequence[Trial],
) -> Finding:
    points, losses = table
    if len(losses) < LEAST_TRIALS:
        return _too_few(len(losses), own)
    if not own:
        return Finding(
            "infeasible",
            Level.OK,
            f"None of the {len(losses)} trials is infeasible.",
            evidence={"share": 0.0, "trials": []},
        )
    marks = (~np.isfinite(losses)).astype(float)
    region = region_of(history.space.dimensions, points, marks)
    if region is None or region.p > SIGNIFICANT:
        return _scattered(own, len(losses))
    return _gathered(study, region, own, len(losses))


def _too_few(count: int, own: Sequence[Trial]) -> Finding:
    missing = LEAST_TRIALS - count
    if len(own) == count >= LEAST_TO_DOUBT:
        return Finding(
            "infeasible",
            Level.WARNING,
            f"All {count} trials are infeasible{_reason(own)}: none has a value.",
            "Look at the output of one of them.",
            {"share": 1.0, "missing": missing, "trials": _numbers(own)},
        )
    return Finding(
        "infeasible",
        Level.UNKNOWN,
        f"{len(own)} of {plural(count, 'trial')} infeasible: too few to see where.",
        f"Run {plural(missing, 'more trial')}.",
        {"missing": missing, "trials": _numbers(own)},
    )


def _scattered(own: Sequence[Trial], count: int) -> Finding:
    share = len(own) / count
    much = share >= SCATTERED
    level = Level.NOTICE if much else Level.OK
    return Finding(
        "infeasible",
        Level.WARNING if share >= MOST else level,
        f"{len(own)} of {count} trials are infeasible{_reason(own)}, in no region of "
        "the search space that one or two conditions describe.",
        "Look at the output of one of them." if much else "",
        {"share": share, "trials": _numbers(own)},
    )


def _gathered(
    study: Study, region: Region, own: Sequence[Trial], count: int
) -> Finding:
    share = len(own) / count
    change = _change(region)
    bias = ""
    if is_adaptive(study.sampler, study.scientific):
        bias = " The sampler kept away from it, so that its size is not what it seems."
    evidence: dict[str, Any] = {
        "share": share,
        "where": region.words,
        "inside": region.count,
        "infeasible_inside": region.marked,
        "p": region.p,
        "trials": _numbers(own),
    }
    if change is not None:
        evidence["change"] = {"space": change}
    return Finding(
        "infeasible",
        Level.WARNING if share >= WASTED else Level.NOTICE,
        f"{len(own)} of {count} trials are infeasible{_reason(own)}: {region.marked} "
        f"of the {region.count} with {region.words}.{bias}",
        _advice(region, change),
        evidence,
    )


def _change(region: Region) -> dict[str, Any] | None:
    """The fields that leave a region of one condition out, where it is worth that."""
    if len(region.sides) > 1 or region.marked < MOSTLY * region.count:
        return None
    (side,) = region.sides
    domain, path = side.dimension.domain, side.dimension.path
    if isinstance(domain, Choice):
        kept = [
            option
            for option in domain.options
            if not _is_inside(side.cut, side.upper, domain.encode(option))
        ]
        return {path: {"options": kept}} if len(kept) > 1 else None
    value = side.value
    low, high = (domain.low, value) if side.upper else (value, domain.high)
    fields: dict[str, Any] = {"low": low, "high": high}
    return {path: {**fields, "log": True} if domain.log else fields}


def _is_inside(cut: float, upper: bool | None, place: float) -> bool:
    if upper is None:
        return place == cut
    return place > cut if upper else place < cut


def _advice(region: Region, change: dict[str, Any] | None) -> str:
    if change is not None:
        return f"Leave out {region.words}: trials there are wasted."
    if len(region.sides) > 1:
        return (
            "Both conditions together are the fault: narrow the one that matters less, "
            "or make the other one's range depend on it."
        )
    return f"See why trials end there; leave out {region.words} if it cannot be cured."


def _reason(own: Sequence[Trial]) -> str:
    """The most common reason, in brackets."""
    reason = groups(own)[0].reason
    return f" (mostly: {reason})" if reason else ""


def _failures(failed: Sequence[Trial], count: int) -> Finding:
    return Finding(
        "infeasible",
        Level.NOTICE,
        f"{plural(len(failed), 'trial')} failed beside the {count} that ended"
        f"{_reason(failed)}: "
        "that says something about the machine or the code, not about the params.",
        "See their output, and put them back in the queue when it is mended.",
        {"trials": _numbers(failed)},
    )


def _numbers(own: Sequence[Trial]) -> list[int]:
    return [trial.number for trial in own]
