"""Trials of an earlier study taken over into a study whose space holds them.

When only the space has moved, a trial inside both spaces answers both questions: it
need not be trained again, and its loss counts like any other. A trial that is outside
the new space stays where it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from .errors import SpaceError
from .history import History
from .memory import Memory
from .owner import this_owner
from .space import Params
from .storage.base import Claim, Storage
from .study import Study
from .trial import Kind, State, Trial

# Of the others a failed trial says nothing of its params, and one that began from
# another's checkpoint is not what its params alone lead to.
_TELLING = (State.COMPLETED, State.STOPPED, State.INFEASIBLE)

_CARRIED = "carried over from trial "


def fitting(study: Study, earlier: History) -> tuple[Trial, ...]:
    """The ended search trials of an earlier study whose params this study could ask.

    What is fixed must be equal too.

    >>> import danlu
    >>> study = danlu.Study("s", "Where is the bottom?", "loss",
    ...                     {"x": danlu.Float(0, 1)}, trials=9)
    >>> curves = {"loss": danlu.Curve.of({1: 0.5})}
    >>> trials = [danlu.Trial(n, {"x": n}, danlu.State.COMPLETED, curves=curves)
    ...           for n in range(3)]
    >>> wide = danlu.SearchSpace({"x": danlu.Float(0, 2)})
    >>> found = fitting(study, danlu.History(wide, study.objective, trials))
    >>> [trial.number for trial in found]
    [0, 1]
    """
    return tuple(_fitting(study, earlier))


def carry(memory: Memory, storage: Storage, name: str, earlier: History) -> int:
    """How many trials of study `name` were taken over into the study of `memory`.

    Each keeps its params, curves and end, and says in `reason` where it was trained.
    They count among the study's trials. Done twice it adds nothing. Times of training
    stay with the earlier study. A study with several arms takes over none, since its
    arms are searched evenly.
    """
    memory.refresh()
    claim = Claim(this_owner("carry"), None)
    carried = 0
    for trial in missing(memory.study, memory.history(), name, earlier):
        if not _carried(memory, storage, claim, trial):
            break  # the study has all its trials
        carried += 1
    memory.refresh()
    return carried


def missing(
    study: Study, history: History, name: str, earlier: History
) -> tuple[Trial, ...]:
    """The trials that `carry` would still take over, with where they are from."""
    if len(study.arms) > 1:
        return ()
    known = {own.reason for own in history.trials}
    marked = (
        trial
        if trial.reason.startswith(_CARRIED)  # the earlier study has it from another
        else replace(trial, reason=f"{_CARRIED}{trial.number} of {name!r}")
        for trial in fitting(study, earlier)
    )
    return tuple(trial for trial in marked if trial.reason not in known)


def sources(history: History) -> Mapping[str, int]:
    """How many of the trials are from each earlier study, by its quoted name.

    >>> import danlu
    >>> reasons = "carried over from trial 3 of 'wide'", "plateau"
    >>> trials = [danlu.Trial(n, {"x": 0.1}, reason=own)
    ...           for n, own in enumerate(reasons)]
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> dict(sources(danlu.History(space, danlu.Metric("loss"), trials)))
    {"'wide'": 1}
    """
    return Counter(
        trial.reason.removeprefix(_CARRIED).partition(" of ")[2]
        for trial in history.trials
        if trial.reason.startswith(_CARRIED)
    )


def _fitting(study: Study, earlier: History) -> Iterator[Trial]:
    for trial in earlier.trials:
        telling = trial.state in _TELLING and trial.kind is Kind.SEARCH
        if telling and trial.parent is None and _is_inside(study, trial.params):
            yield trial


def _is_inside(study: Study, params: Params) -> bool:
    try:
        admitted = study.search_space.admit(params)
    except SpaceError:
        return False
    return {**study.fixed, **admitted} == dict(params)


def _carried(memory: Memory, storage: Storage, claim: Claim, trial: Trial) -> bool:
    study_id, limit = memory.study_id, memory.study.trials
    reserved = storage.reserve(study_id, Kind.SEARCH, claim, limit)
    if reserved is None:
        return False
    begun = replace(
        trial,
        number=reserved.number,
        index=reserved.index,
        state=State.RUNNING,
        attempt=1,
        curves={},
        sampler_note={},
        scheduler_note={},
        started_s=None,
        ended_s=None,
    )
    storage.fill(study_id, begun)
    ended = replace(begun, state=trial.state, ended_s=trial.ended_s)
    return storage.move(study_id, begun, ended, reports=trial.reports)
