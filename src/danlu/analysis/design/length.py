"""How much is trained, on what and how fast: no part of a search space (D6)."""

from __future__ import annotations

from collections.abc import Iterable

from ...domain import Choice
from ...sentence import listed
from ...study import Study
from ...value import Value
from ..base import Finding, Level
from ..names import AMOUNT, BATCH, LENGTH, SCHEDULE, TO_THE_END, fits
from .dimensions import paths_of, varied_dimensions

_UNCUT = ("full", "scheduled", "pbt", "pb2")  # schedulers that end no trial early


def step_count(study: Study) -> Finding | None:
    """D6: the length of training is never a hyperparameter of a study."""
    paths = paths_of(varied_dimensions(study), LENGTH)
    if not paths:
        return None
    return Finding(
        "step-count",
        Level.WARNING,
        f"The search space varies {listed(paths)}, the length of training: longer "
        "training nearly always looks better, so the search learns only that.",
        "Take it out of the space and set max_steps, the same for every trial.",
        {"paths": paths},
    )


def batch_size(study: Study) -> Finding | None:
    """D6: the batch size is never tuned for validation error."""
    paths = paths_of(varied_dimensions(study), BATCH)
    if not paths:
        return None
    wanted = all(study.role(path) == "scientific" for path in paths)
    return Finding(
        "batch-size",
        Level.NOTICE if wanted else Level.WARNING,
        f"The search space varies {listed(paths)}: a batch size sets the speed of "
        "training and is never tuned for validation error, since with the other "
        "hyperparameters tuned again any size can reach the same error.",
        "Fix it at the largest size that still raises examples per second.",
        {"paths": paths},
    )


def data_amount(study: Study) -> Finding | None:
    """D10: less data is for speed; as a hyperparameter, more of it always wins."""
    paths = paths_of(varied_dimensions(study), AMOUNT)
    if not paths or any(study.role(path) == "scientific" for path in paths):
        return None
    return Finding(
        "data-amount",
        Level.WARNING,
        f"The search space varies {listed(paths)}, how much there is to learn from: "
        "more data nearly always looks better, so the search learns only that.",
        "Fix it: first at a stratified part on which a trial takes minutes, then, in a "
        "smaller space, at all of the data.",
        {"paths": paths},
    )


def cut_schedule(study: Study) -> Finding | None:
    """A15: a schedule that ends with the training is not to be judged half way."""
    own = study.scheduler
    name = own if isinstance(own, str) else type(own).__name__
    if study.max_steps is None or name.lower() in _UNCUT:
        return None
    given: dict[str, Iterable[Value]]
    given = {key: (value,) for key, value in study.fixed.items()}
    given |= {
        dimension.name: dimension.domain.options
        for dimension in study.search_space.dimensions
        if isinstance(dimension.domain, Choice)
    }
    found = [
        f"{key}={option}"
        for key in given
        if fits(key, SCHEDULE)
        for option in given[key]
        if isinstance(option, str) and fits(option, TO_THE_END)
    ]
    if not found:
        return None
    return Finding(
        "cut-schedule",
        Level.NOTICE,
        f"By its name {listed(found)} has its end at step {study.max_steps:,}, and "
        f"{name} may give up trials before: those that gain most in the end.",
        "See in the report whether short runs tell who is best; compare later (with "
        "a larger min_steps), or take scheduler: full.",
        {"schedules": found},
    )
