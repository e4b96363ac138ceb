"""Trials in the hands of the caller: added, reported, told, stopped, run again."""

from __future__ import annotations

from collections.abc import Mapping

from . import settle
from .ask import scheduler_of, trial_seed
from .errors import StudyError, TrialError
from .jsontext import writable
from .memory import FOLLOW_S, Memory
from .owner import this_owner
from .space import Params
from .storage.base import Claim, Storage
from .trial import Kind, Report, State, Trial, add_reports
from .value import plain


def added(memory: Memory, storage: Storage, params: Params, kind: Kind) -> Trial:
    """A trial of these params in the queue (see `Project.add`)."""
    study = memory.study
    params = {name: plain(value) for name, value in params.items()}
    if kind is Kind.SEARCH:
        params = study.search_space.admit(params)
    claim = Claim(this_owner("add"), None)
    limit = study.trials if kind is Kind.SEARCH else None
    reserved = storage.reserve(memory.study_id, kind, claim, limit)
    if reserved is None:
        raise StudyError(
            f"study {study.name!r} has its {study.trials} trials: raise `trials`"
        )
    trial = Trial(
        number=reserved.number,
        params={**study.fixed, **params},
        state=State.PAUSED,
        kind=kind,
        index=reserved.index,
        budget=study.max_steps,
        seed=trial_seed(study, kind, reserved.number),
        attempt=0,
        waiting=True,
        reason="added by hand",
    )
    storage.fill(memory.study_id, trial)
    memory.refresh()
    return memory.trial(trial.number)


def reported(
    memory: Memory,
    storage: Storage,
    trial: Trial | int,
    step: int,
    metrics: Mapping[str, float],
) -> bool:
    """Whether the trial is to go on after reporting (see `Project.report`)."""
    if isinstance(trial, int):
        trial = memory.reread(trial)
    reports = [Report(step, metrics)]
    place = memory.study_id, trial.number, trial.attempt
    if storage.report(*place, reports) is not State.RUNNING:
        return False
    memory.refresh_after(FOLLOW_S)
    known = memory.trial(trial.number)
    grown = known.with_curves(add_reports(known.curves, reports))
    memory.keep(grown)
    scheduler = scheduler_of(memory.study)
    if settle.ending(grown, memory, scheduler, reports) is not None:
        return False
    return grown.budget is None or step < grown.budget


def told(
    memory: Memory, storage: Storage, trial: Trial | int, state: State, reason: str
) -> Trial:
    """The trial as it has ended (see `Project.tell`)."""
    known = memory.reread(trial.number if isinstance(trial, Trial) else trial)
    if isinstance(trial, Trial) and trial.attempt != known.attempt:
        raise TrialError(
            f"trial {known.number} was taken over by {known.host}: it is at "
            f"attempt {known.attempt}, this is {trial.attempt}"
        )
    ended = settle.told(known, memory.study, state, writable(reason))
    return _moved(memory, storage, known, ended)


def queued_again(memory: Memory, storage: Storage, number: int) -> Trial:
    """The ended trial `number`, put back in the queue."""
    known = memory.reread(number)
    return _moved(memory, storage, known, settle.again(known))


def stopped(memory: Memory, storage: Storage, number: int, reason: str) -> Trial:
    """The trial `number`, stopped wherever it runs."""
    known = memory.reread(number)
    why = writable(reason) or "stopped by hand"
    return _moved(memory, storage, known, settle.closed(known, State.STOPPED, why))


def _moved(memory: Memory, storage: Storage, before: Trial, after: Trial) -> Trial:
    if not storage.move(memory.study_id, before, after):
        now = memory.reread(before.number)
        raise TrialError(
            f"trial {before.number} is {now.state.value} by now: look again"
        )
    memory.keep(after)
    return after
