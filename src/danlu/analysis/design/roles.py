"""Which hyperparameters a study is about, and which must stay free (D2 to D4, D6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...domain import Choice
from ...sentence import listed, short, subject
from ...space import Dimension
from ...study import Study
from ..base import Finding, Level
from ..names import (
    ARCHITECTURE,
    BATCH,
    CHOOSER,
    DECAY,
    OPTIMIZER,
    REGULARIZER,
    STRENGTH,
    fits,
)
from .dimensions import is_single, paths_of, scientific_dimensions, varied_dimensions


def scientific_optimizer(study: Study) -> Finding | None:
    """D6: optimizer hyperparameters are rarely scientific."""
    paths = paths_of(scientific_dimensions(study), OPTIMIZER)
    if not paths:
        return None
    return Finding(
        "scientific-optimizer",
        Level.NOTICE,
        f"{subject(paths)} scientific: what an optimizer hyperparameter is best at "
        "depends on everything else and says little by itself.",
        "Make it a nuisance hyperparameter: leave it in the space and take it out of "
        "scientific.",
        {"paths": paths, "change": {"scientific": _without(study, paths)}},
    )


def fixed_optimizer(study: Study) -> Finding | None:
    """D6: optimizer hyperparameters stay free while what they depend on is compared."""
    fixed = [name for name in study.fixed if fits(name, OPTIMIZER, DECAY)]
    fixed += [
        dimension.path
        for dimension in study.search_space.dimensions
        if is_single(dimension.domain) and fits(dimension.name, OPTIMIZER, DECAY)
    ]
    compared = paths_of(scientific_dimensions(study), ARCHITECTURE, BATCH, REGULARIZER)
    if not fixed or not compared:
        return None
    return Finding(
        "fixed-optimizer",
        Level.WARNING,
        f"{subject(compared)} scientific while {subject(fixed)} fixed: each value "
        "may need another one, and the comparison favors the value that the fixed "
        "one happens to suit.",
        f"Put {listed(fixed)} into the search space as nuisance.",
        {"fixed": fixed, "scientific": compared},
    )


def scientific_strength(study: Study) -> Finding | None:
    """D6: a regularizer's strength is nuisance, its use is scientific."""
    paths = [
        dimension.path
        for dimension in scientific_dimensions(study)
        if fits(dimension.name, STRENGTH) and not isinstance(dimension.domain, Choice)
    ]
    if not paths:
        return None
    return Finding(
        "scientific-strength",
        Level.NOTICE,
        f"{subject(paths)} scientific: whether to use a regularizer is a question, "
        "how strong it should be is to be tuned for each answer.",
        "Make the use a scientific Choice with the options off and on, and put the "
        "strength inside the option on.",
        {"paths": paths, "change": {"scientific": _without(study, paths)}},
    )


def shared_optimizer(study: Study) -> Finding | None:
    """D4: what exists under one name for two optimizers is two hyperparameters."""
    varied = varied_dimensions(study)
    for chooser in varied:
        several = isinstance(chooser.domain, Choice) and fits(chooser.name, CHOOSER)
        beside = [d for d in varied if (d.parent, d.option) == _branch(chooser)]
        shared = paths_of(beside, OPTIMIZER)
        if several and shared:
            return Finding(
                "shared-optimizer",
                Level.NOTICE,
                f"All options of {chooser.path} share {listed(shared)}: under "
                "different optimizers these are different hyperparameters, with "
                "different good ranges.",
                f"Move {listed(shared)} into each option of {chooser.path} that has "
                "it, with a range of its own.",
                {"paths": shared, "choice": chooser.path},
            )
    return None


def fixed_limits(study: Study) -> Finding | None:
    """D3: what is fixed limits the conclusion."""
    if not study.fixed or not study.scientific:
        return None
    shown = [f"{name}={short(value)}" for name, value in study.fixed.items()]
    return Finding(
        "fixed-limits",
        Level.NOTICE,
        f"What this study says about {listed(study.scientific)} will hold for "
        f"{listed(shown)} only, since that is fixed.",
        "Say so with the conclusion.",
        {"fixed": dict(study.fixed)},
    )


def _branch(dimension: Dimension) -> tuple[Any, Any]:
    return dimension.parent, dimension.option


def _without(study: Study, paths: Sequence[str]) -> list[str]:
    return [path for path in study.scientific if path not in paths]
