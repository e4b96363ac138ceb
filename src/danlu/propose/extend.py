"""Round 2 of compute-bound work: few long trainings after many short ones (C6)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..decide.weigh import best_params
from ..domain import Choice
from ..errors import StudyError
from ..history import History
from ..space import SearchSpace
from ..study import Study
from .change import changed_space
from .longer import Row, Rule, constants, row
from .narrow import around
from .successor import free_names, kept_baseline
from .worth import study_seconds

LEAST_TRIALS = 3  # fewer have no spread, and one that diverges would leave one


@dataclass(frozen=True)
class Extension:
    """Round 2: the planned study, what carries over into it, and what it takes.

    `seconds` in one slot; None where nothing was timed.
    """

    study: Study
    rows: tuple[Row, ...]
    seconds: float | None


def extend(
    study: Study,
    history: History,
    max_steps: int,
    *,
    trials: int | None = None,
    taken: Collection[str] = (),
) -> Extension:
    """Round 2 of `study`, with trainings of `max_steps` steps.

    By default there are as many trials as take no more steps than round 1 did, and at
    least three. The best params of round 1 are trained once more beside them, as the
    baseline. Schedulers do not end so few.

    >>> import danlu
    >>> space = {"lr": danlu.Float(1e-4, 1.0, log=True),
    ...          "warmup_steps": danlu.Int(0, 9)}
    >>> study = danlu.Study("short", "Which rate?", "err", space, 40, max_steps=100)
    >>> best = danlu.Trial(0, {"lr": 0.01, "warmup_steps": 5}, danlu.State.COMPLETED,
    ...                    curves={"err": danlu.Curve.of({100: 0.2})})
    >>> history = danlu.History(study.search_space, study.objective, [best])
    >>> long = extend(study, history, 1000).study
    >>> long.name, long.trials, str(long.space.domains["lr"]), dict(long.fixed)
    ('short-2', 4, '0.001..0.1 log', {'warmup_steps': 5})

    Raises:
        StudyError: round 1 has no result, or no max_steps, or not fewer of them.
    """
    params = best_params(history)
    if params is None:
        raise StudyError(f"study {study.name!r} has no result yet to go on from")
    factor = _factor(study, max_steps)
    values = study.search_space.by_path(params)
    dimensions = study.search_space.dimensions
    rows = [
        row(own, values[own.path], factor) for own in dimensions if own.path in values
    ]
    lengths = constants(study.fixed, factor)
    space = _space(study, _with_one_free(rows, study), lengths)
    planned = Study(
        name=next(free_names(study.name, {study.name, *taken})),
        goal=f"How good is {study.objective.name} after {max_steps:,} steps?",
        metric=study.objective,
        space=space,
        trials=trials or max(LEAST_TRIALS, int(study.trials / factor)),
        max_steps=max_steps,
        seed=study.seed + 1,
        constraints=study.limits,
        learn_from=(*study.learn_from, study.name),
        guards=study.guards,
        note=f"Round 2 of {study.name}, with {factor:.3g} times as many steps.",
    )
    planned = replace(planned, baseline=kept_baseline(params, planned))
    return Extension(planned, (*rows, *lengths), study_seconds(planned, history, study))


def _factor(study: Study, max_steps: int) -> float:
    """How many times as long the new trainings are."""
    if study.max_steps is None:
        raise StudyError(
            f"study {study.name!r} does not say how long a full training is: state its "
            "max_steps, then plan a longer one"
        )
    if max_steps <= study.max_steps:
        raise StudyError(
            f"{max_steps} steps are not more than the {study.max_steps} of study "
            f"{study.name!r}: round 2 trains longer"
        )
    return max_steps / study.max_steps


def _space(study: Study, rows: Sequence[Row], lengths: Sequence[Row]) -> SearchSpace:
    changes = {own.path: own.change for own in rows if own.change}
    space = changed_space(study.search_space, changes)
    now = {own.path: own.change["fixed"] for own in lengths if own.change}
    return SearchSpace(space.domains, {**space.fixed, **now})


def _with_one_free(rows: Sequence[Row], study: Study) -> Sequence[Row]:
    """The rows, the first of which stays in the space if all others leave it."""
    if any(own.rule in (Rule.NARROWED, Rule.SEARCHED) for own in rows):
        return rows
    first, *rest = rows
    domain = study.search_space.dimensions[0].domain
    change: dict[str, Any] = {"options": [first.value]}
    if not isinstance(domain, Choice):
        change = around(domain, first.value, 0.0)
    return [replace(first, change=change), *rest]
