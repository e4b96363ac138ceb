"""Whether the trials are enough for what is to be compared and searched (D5 to D7)."""

from __future__ import annotations

from dataclasses import replace

from ...domain import Float
from ...sentence import listed, plural, subject
from ...space import SearchSpace
from ...study import TRIALS_PER_ARM, Study
from ..base import Finding, Level
from ..names import COMPLEMENT_OF, EPSILON, fits
from .dimensions import is_single, varied_dimensions
from .finite import combinations, points

TRIALS_PER_DIMENSION = 10  # playbook D6: "about 10 per dimension and arm"
# Trials from which each of Adam's is worth searching (playbook D7). "Substantially more
# than 25" is taken as twice as many.
FROM_BETA1, FROM_EPSILON, FROM_BETA2 = 10, 26, 50
_ADAM = (  # name, trials, default
    (rf"{COMPLEMENT_OF}beta_?1", FROM_BETA1, 0.1),
    (rf"{COMPLEMENT_OF}beta_?2", FROM_BETA2, 1e-3),
    (r"((?!one_|1_)\w+_)?beta_?1", FROM_BETA1, 0.9),
    (r"((?!one_|1_)\w+_)?beta_?2", FROM_BETA2, 0.999),
    (EPSILON, FROM_EPSILON, 1e-8),
)
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


def adam_budget(study: Study) -> Finding | None:
    """D7: what is worth searching of Adam depends on the number of trials."""
    own = study.trials // len(study.arms)
    early = [
        (dimension.path, dimension.domain, least, usual)
        for dimension in varied_dimensions(study)
        for pattern, least, usual in _ADAM
        if fits(dimension.name, pattern) and own < least
    ]
    if not early:
        return None
    paths = [path for path, *_ in early]
    needs = [f"{path} from {least}" for path, _, least, _ in early]
    change = {
        path: {"fixed": usual}
        for path, domain, _, usual in early
        if isinstance(domain, Float) and domain.low <= usual <= domain.high
    }
    each = " in each arm" if len(study.arms) > 1 else ""
    return Finding(
        "adam-budget",
        Level.NOTICE,
        f"With {own} trials{each}, {subject(paths)} searched at the expense of what "
        f"matters more: {listed(needs)} trials on.",
        f"Leave {listed(paths)} at the default.",
        {"paths": paths, **({"change": {"space": change}} if change else {})},
    )


def unfinished_list(study: Study) -> Finding | None:
    """Of a grid, or a list of params, all is tried."""
    count = points(study)
    if count is None or count <= study.trials:
        return None
    return Finding(
        "unfinished-list",
        Level.WARNING,
        f"The sampler goes through {count:,} points in their order, and the "
        f"{study.trials} trials are the first of them: the rest is never tried, and "
        "of a grid the first hyperparameters hardly vary.",
        f"Plan {count:,} trials, or fewer points; quasi_random spreads any number of "
        "trials over the whole space.",
        {"points": count, "trials": study.trials},
    )


def short_list(study: Study) -> Finding | None:
    """A study ends with its grid, or its list of params."""
    count = points(study)
    if count is None or count >= study.trials:
        return None
    return Finding(
        "short-list",
        Level.NOTICE,
        f"The sampler has {plural(count, 'point')} for {study.trials} trials: the "
        "study ends after them.",
        f"Plan {plural(count, 'trial')}, or more points.",
        {"points": count, "trials": study.trials, "change": {"trials": count}},
    )


def too_few_trials(study: Study) -> Finding | None:
    """D6: about ten trials for each nuisance dimension of each arm.

    Never more than there are combinations. How long a grid is, is said by itself.
    """
    if points(study) is not None:
        return None
    dimensions = max(_nuisance_count(study, space) for space in study.arm_spaces)
    arms = len(study.arms)
    wanted = TRIALS_PER_DIMENSION * dimensions * arms
    need = min(wanted, combinations(study.search_space.domains) or wanted)
    if study.trials >= need:
        return None
    bound = f", of which {need} are different" if need < wanted else ""
    each = f" in each of {arms} arms" if arms > 1 else ""
    what = "hyperparameter" if dimensions == 1 else "hyperparameters"
    return Finding(
        "too-few-trials",
        Level.WARNING,
        f"{study.trials} trials are few for {dimensions} nuisance {what}{each}: about "
        f"{TRIALS_PER_DIMENSION} for each make {wanted}{bound}.",
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
