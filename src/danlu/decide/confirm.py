"""CONFIRM: the best configurations and the baseline once more, on fresh seeds.

The i-th run of every configuration has the same seed, so that they can be compared in
pairs, and it is a seed that no search trial was trained with. The runs are trials of
the same study, queued for whoever has a free slot, and never stopped early.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..ask import trial_seed
from ..errors import StudyError, TrialError
from ..history import History
from ..memory import Memory
from ..owner import is_dead, this_owner
from ..space import Params
from ..storage.base import Claim, Storage
from ..study import Study
from ..trial import Kind, State, Trial
from .decision import Baseline, identity

TOP = 3  # candidates: the best of many is often not the first, seldom beyond the third
SEEDS = 5  # of each; with fewer, a t distribution's tails hide most gains
_WAIT_S = 0.05  # between looks at a run that another process is writing down


@dataclass(frozen=True)
class Run:
    """One run that confirms: a configuration, a seed, and why in words."""

    params: Params
    seed: int
    reason: str


def contenders(
    study: Study, history: History, count: int, baseline: Baseline | None = None
) -> Sequence[Trial]:
    """The `count` best search trials of different params, best first.

    None has those of the baseline, if there are others: it cannot beat itself.

    >>> import danlu
    >>> study = danlu.Study("s", "Which x?", "loss", {"x": danlu.Float(0, 1)}, 3)
    >>> trials = [danlu.Trial(n, {"x": x}, danlu.State.COMPLETED,
    ...                       curves={"loss": danlu.Curve.of({1: x})})
    ...           for n, x in enumerate((0.5, 0.2, 0.2))]
    >>> history = danlu.History(study.search_space, study.objective, trials)
    >>> [trial.number for trial in contenders(study, history, 2)]
    [1, 0]
    """
    own = None if baseline is None else identity(baseline.params)
    found: dict[object, Trial] = {}
    for trial in history.ranked():
        if trial.kind is Kind.SEARCH:
            found.setdefault(identity({**study.fixed, **trial.params}), trial)
        if len(found) > count:
            break
    others = [trial for key, trial in found.items() if key != own]
    return others[:count] or list(found.values())[:count]


def named(study: Study, history: History, numbers: Sequence[int]) -> Sequence[Trial]:
    """The search trials of these numbers.

    Raises:
        TrialError: there is no such trial, or it says nothing about its params.
    """
    known = {trial.number: trial for trial in history.trials}
    for number in numbers:
        if number not in known:
            raise TrialError(f"no trial {number} in study {study.name!r}")
        if known[number].kind is not Kind.SEARCH:
            raise TrialError(
                f"trial {number} is itself a {known[number].kind} run: name the search "
                "trial whose params are to be confirmed"
            )
    return [known[number] for number in dict.fromkeys(numbers)]


def runs(
    study: Study, candidates: Sequence[Trial], baseline: Baseline | None, seeds: int
) -> Sequence[Run]:
    """All runs that confirm these candidates, seed by seed, the baseline's first.

    So whatever an interruption leaves done, it can be compared in pairs.
    """
    wanted: list[tuple[Params, str]] = []
    if baseline is not None:
        wanted.append((baseline.params, f"the baseline of {baseline.origin}"))
    known = {identity(params) for params, _ in wanted}
    for trial in candidates:
        params = {**study.fixed, **trial.params}
        if identity(params) not in known:
            wanted.append((params, f"to confirm trial {trial.number}"))
    return [
        Run(
            params,
            trial_seed(study, Kind.CONFIRM, place),
            f"{why}, seed {place + 1} of {seeds}",
        )
        for place in range(seeds)
        for params, why in wanted
    ]


def enqueued(
    memory: Memory,
    storage: Storage,
    baseline: Baseline | None,
    chosen: int | Sequence[int],
    seeds: int,
) -> tuple[Trial, ...]:
    """The confirming trials that have not ended, those that were missing queued.

    `chosen` is how many of the best to confirm, or the numbers of search trials. Asking
    twice, from two processes even, makes no trial twice.

    Raises:
        StudyError: there is no result to confirm, or a number is below 1.
        TrialError: a number of `chosen` is none of a search trial.
    """
    study, history = memory.study, memory.history()
    if seeds < 1 or chosen == 0 or (isinstance(chosen, int) and chosen < 0):
        raise StudyError(f"confirm takes numbers from 1, got {chosen!r} and {seeds!r}")
    if isinstance(chosen, int):
        candidates = contenders(study, history, chosen, baseline)
    else:
        candidates = named(study, history, chosen)
    if not candidates:
        raise StudyError(f"study {study.name!r} has no result to confirm yet")
    wanted = runs(study, candidates, baseline, seeds)
    while missing := [run for run in wanted if _key(run) not in _known(memory)]:
        if not _added(memory, storage, missing[0]):
            time.sleep(_WAIT_S)  # another process adds one at this moment
        memory.refresh()
    known = _known(memory)
    trials = (known[_key(run)] for run in wanted)
    return tuple(trial for trial in trials if not trial.state.ended)


def _known(memory: Memory) -> dict[object, Trial]:
    """The confirming trials by configuration and seed."""
    return {
        (identity(trial.params), trial.seed): trial
        for trial in memory.history().trials
        if trial.kind is Kind.CONFIRM
    }


def _key(run: Run) -> tuple[object, int]:
    return identity(run.params), run.seed


def _added(memory: Memory, storage: Storage, run: Run) -> bool:
    """Whether the run was queued: not if there is one that we do not know yet."""
    claim = Claim(this_owner("confirm"), None)
    count = sum(trial.kind is Kind.CONFIRM for trial in memory.history().trials)
    study_id = memory.study_id
    # The limit turns us away if another process has reserved one since we looked.
    reserved = storage.reserve(study_id, Kind.CONFIRM, claim, count + 1)
    if reserved is None:
        _release_lost(memory, storage)
        return False
    queued = Trial(
        number=reserved.number,
        params=run.params,
        state=State.PAUSED,
        kind=Kind.CONFIRM,
        index=reserved.index,
        budget=memory.study.max_steps,
        seed=run.seed,
        attempt=0,
        waiting=True,
        reason=run.reason,
    )
    storage.fill(study_id, queued)
    return True


def _release_lost(memory: Memory, storage: Storage) -> None:
    """Gives back numbers whose process died before it wrote the params."""
    for holding in storage.holdings(memory.study_id):
        is_ours = holding.kind is Kind.CONFIRM and not holding.filled
        if is_ours and is_dead(holding.owner):
            storage.release(memory.study_id, holding.number)
