"""Every check of a study's results (playbook section 2), and all of them at once.

A check is a pure function of the study and its history, one file each. It always says
something: `OK` when nothing is wrong, `UNKNOWN` with the number of trials that are
missing when there are too few to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from ..history import History
from ..study import Study
from .base import Finding, by_level
from .boundary import boundary
from .budget_agreement import budget_agreement
from .coverage import coverage
from .edge_of_stability import edge_of_stability
from .importance import importance
from .improving import still_improving
from .infeasible import infeasible
from .isolation import isolation
from .noise import noise
from .overfitting import overfitting
from .periodic import periodicity
from .rising import training_rises
from .saturated import saturation
from .step_budget import step_budget
from .step_variance import step_variance

Check: TypeAlias = Callable[[Study, History], Sequence[Finding]]

# By name, the most consequential first: of two findings of one level, the one whose
# check stands higher is shown first.
CHECKS: Mapping[str, Check] = {
    "training-rises": training_rises,
    "periodic": periodicity,
    "infeasible": infeasible,
    "edge-of-stability": edge_of_stability,
    "boundary": boundary,
    "coverage": coverage,
    "overfitting": overfitting,
    "still-improving": still_improving,
    "isolation": isolation,
    "step-variance": step_variance,
    "noise": noise,
    "budget-agreement": budget_agreement,
    "importance": importance,
    "step-budget": step_budget,
    "saturated": saturation,
}


def analyze(study: Study, history: History) -> tuple[Finding, ...]:
    """What every check found, what matters most first.

    >>> import danlu
    >>> study = danlu.Study(
    ...     name="rates", goal="Which learning rate is best?", metric="val_error",
    ...     space={"lr": danlu.Float(1e-4, 1.0, log=True)}, trials=20)
    >>> history = danlu.History(study.search_space, study.objective)
    >>> sorted({finding.level.value for finding in analyze(study, history)})
    ['ok', 'unknown']
    """
    return by_level(
        finding for check in CHECKS.values() for finding in check(study, history)
    )
