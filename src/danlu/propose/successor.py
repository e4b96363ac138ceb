"""The study that follows another one by a plan, and what it takes over from it."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from ..analysis.design.effort import TRIALS_PER_DIMENSION
from ..carry import fitting
from ..decide.weigh import best_params
from ..errors import SpaceError
from ..history import History
from ..space import Params
from ..study import Study
from ..transfer import moved
from ..trial import Trial
from .change import changed
from .plans import Aim, Plan, explores, goal_of, reason_of

LEAST_NEW = 0.5  # share of the trials that a study runs itself, however many it has


@dataclass(frozen=True)
class Successor:
    """A planned study, and the trials of the one before that it has or learns from.

    `carried` trials count as its own once they are taken over (`Project.carry`);
    `learned` ones its sampler learns from. `new` are those still to be trained.
    """

    study: Study
    new: int
    carried: int = 0
    learned: int = 0


def successor(plan: Plan, study: Study, history: History, name: str) -> Successor:
    """What a plan makes of a study: more trials of it, or a study called `name`."""
    if plan.aim is Aim.MORE:
        trials = plan.change["trials"]
        return Successor(replace(study, trials=trials), max(1, trials - study.trials))
    made = changed(study, plan.change)
    best = best_params(history)
    planned = replace(
        made,
        name=name,
        goal=goal_of(plan, study),
        note=f"After {study.name}: {reason_of(plan, study)}",
        learn_from=tuple(own for own in study.learn_from if own != name),
        baseline=None if best is None else kept_baseline(best, made),
        seed=study.seed + 1,  # the same one would try the same places of the new cube
    )
    carried = _carried(plan, planned, history)
    if carried:
        new = max(study.trials - carried, math.ceil(LEAST_NEW * study.trials))
        new = plan.change.get("trials", new)
        return Successor(replace(planned, trials=carried + new), new, carried)
    planned = replace(planned, learn_from=(*planned.learn_from, study.name))
    new = plan.change.get("trials", _trials(planned, plan, study))
    learned = 0 if explores(planned) else _learned(planned, study, history)
    return Successor(replace(planned, trials=new), new, learned=learned)


def free_names(name: str, taken: Collection[str]) -> Iterator[str]:
    """Names after `name` that no study has.

    >>> names = free_names("digits", {"digits-2"})
    >>> next(names), next(names)
    ('digits-3', 'digits-4')
    """
    stem = re.sub(r"-\d+$", "", name)
    number = int(name[len(stem) + 1 :] or 1) if stem != name else 1
    while True:
        number += 1
        if (free := f"{stem}-{number}") not in taken:
            yield free


def kept_baseline(params: Params, study: Study) -> Params | None:
    """Earlier params in the space of another study; None where they are not in it."""
    names = {dimension.name for dimension in study.search_space.dimensions}
    own = {n: value for n, value in params.items() if n in names or n in study.fixed}
    try:
        return study.search_space.admit({**own, **study.fixed})
    except SpaceError:  # outside of it, or without what was added
        return None


def _carried(plan: Plan, planned: Study, history: History) -> int:
    """How many trials can be taken over: those that fit where only ranges moved."""
    if plan.aim is not Aim.MOVE or len(planned.arms) > 1:
        return 0
    return len(fitting(planned, history))


def _trials(planned: Study, plan: Plan, study: Study) -> int:
    """As many as before; ten for each dimension and arm are enough near the best.

    Where a dimension is added, they are needed.
    """
    dimensions = max(1, max(len(space) for space in planned.arm_spaces))
    wanted = TRIALS_PER_DIMENSION * dimensions * len(planned.arms)
    if plan.aim is Aim.ADD:
        return max(study.trials, wanted)
    return min(study.trials, wanted) if plan.aim is Aim.NARROW else study.trials


def _learned(planned: Study, study: Study, history: History) -> int:
    """How many trials of `study` have a place in the planned one's cube."""
    return sum(_has_a_place(trial, planned, study) for trial in history.ranked())


def _has_a_place(trial: Trial, planned: Study, study: Study) -> bool:
    try:
        values = study.search_space.by_path(trial.params)
    except SpaceError:  # added by hand, outside of its own space
        return False
    return moved(planned.search_space, values, study.fixed) is not None
