"""Whether the trials are enough for what is to be compared and searched (D5 to D7)."""

from __future__ import annotations

from dataclasses import replace

from ...space import SearchSpace
from ...study import TRIALS_PER_ARM, Study
from ..base import Finding, Level
from ..sentence import listed
from .names import is_single

TRIALS_PER_DIMENSION = 10  # playbook D6: "about 10 per dimension and arm"
MOST_ARMS = 256  # arms are counted up to here


def lost_arms(study: Study) -> Finding | None:
    """D5: with too few trials the scientific values are not sampled by themselves."""
    counted = replace(study, trials=MOST_ARMS * TRIALS_PER_ARM).arms
    if study.arms != ({},) or counted == ({},):
        return None
    need = len(counted) * TRIALS_PER_ARM
    return Finding(
        "lost-arms",
        Level.NOTICE,
        f"{listed(study.scientific)} has {len(counted)} combinations for "
        f"{study.trials} trials, fewer than {TRIALS_PER_ARM} each: one sequence covers "
        "them all, and none is searched by itself.",
        f"Plan at least {need} trials, or compare fewer values.",
        {"arms": len(counted), "trials": study.trials, "change": {"trials": need}},
    )


def too_few_trials(study: Study) -> Finding | None:
    """D6: about ten trials for each nuisance dimension of each arm."""
    dimensions = max(_nuisance_count(study, space) for space in study.arm_spaces)
    arms = len(study.arms)
    need = TRIALS_PER_DIMENSION * dimensions * arms
    if study.trials >= need:
        return None
    each = f" in each of {arms} arms" if arms > 1 else ""
    what = "hyperparameter" if dimensions == 1 else "hyperparameters"
    return Finding(
        "too-few-trials",
        Level.WARNING,
        f"{study.trials} trials are few for {dimensions} nuisance {what}{each}: about "
        f"{TRIALS_PER_DIMENSION} for each make {need}.",
        f"Plan {need} trials, or fix the hyperparameters that matter least.",
        {
            "dimensions": dimensions,
            "arms": arms,
            "trials": study.trials,
            "change": {"trials": need},
        },
    )


def _nuisance_count(study: Study, space: SearchSpace) -> int:
    free = (d for d in space.dimensions if not is_single(d.domain))
    return sum(study.role(dimension.path) == "nuisance" for dimension in free)
