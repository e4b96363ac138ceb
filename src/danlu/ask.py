"""ASK: the next trial of a study, from the queue, the scheduler and the sampler."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from numpy.random import Generator, SeedSequence, default_rng

from . import recipes, settle
from .errors import StudyError
from .executors.clones import Clones
from .history import History
from .level import leveled
from .memory import FOLLOW_S, Memory
from .owner import host
from .samplers.base import Sampler, Suggestion
from .schedulers.base import Resume, Scheduler, Start
from .storage.base import Claim, Holding, Reserved, Storage
from .study import Study
from .trial import Kind, State, Trial

MOST_ASKS = 4  # for the params of one trial, as others take them at the same moment

# One number for each kind, so that a confirm trial never repeats a search trial's seed.
_KIND_SEEDS: Mapping[Kind, int] = {Kind.SEARCH: 0, Kind.BASELINE: 1, Kind.CONFIRM: 2}


@dataclass
class Asker:
    """Asks for the trials of one study on behalf of one process.

    With `clones` a new trial gets a copy of its parent's checkpoint, if it has one.
    """

    memory: Memory
    storage: Storage
    claim: Claim
    clones: Clones | None = None
    exhausted: bool = field(default=False, init=False)
    _nothing_at: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        study = self.memory.study
        self.sampler = sampler_of(study)
        self.scheduler = scheduler_of(study)

    def ask(self) -> Trial | None:
        """A trial to be run now, claimed for this process; None when there is none."""
        self.memory.refresh_after(0.0 if self._is_adaptive else FOLLOW_S)
        if self._nothing_at == self.memory.version:
            return None  # nothing has happened since there was nothing to do
        trial = self._next()
        if trial is None and not self._is_adaptive:
            self.memory.refresh()
            trial = self._next()
        if trial is None:
            self._close_paused()
        self._nothing_at = self.memory.version if trial is None else None
        return trial

    def refill(self, holding: Holding) -> Trial | None:
        """The trial behind a number whose process died before it wrote the params."""
        reserved = Reserved(holding.number, holding.index)
        choice = self._choice(closed=False) if holding.kind is Kind.SEARCH else None
        if isinstance(choice, Start):
            return self._filled(reserved, choice)
        if holding.kind is Kind.BASELINE and self.memory.study.baseline is not None:
            return self._filled_baseline(reserved)
        self._release(holding.number)
        return None

    @property
    def _is_adaptive(self) -> bool:
        """Whether the next trial depends on what has become of the others."""
        return self.sampler.adaptive or self.scheduler.adaptive

    def _next(self) -> Trial | None:
        return self._from_queue() or self._baseline() or self._from_scheduler()

    def _from_queue(self) -> Trial | None:
        for waiting in self.memory.waiting():
            started = self._started(waiting, waiting.budget)
            if started is not None:
                return started
        return None

    def _baseline(self) -> Trial | None:
        if self.memory.study.baseline is None or self.memory.has(Kind.BASELINE):
            return None
        study_id = self.memory.study_id
        reserved = self.storage.reserve(study_id, Kind.BASELINE, self.claim, limit=1)
        return None if reserved is None else self._filled_baseline(reserved)

    def _from_scheduler(self) -> Trial | None:
        choice = self._choice(closed=self.exhausted)
        for _ in range(MOST_ASKS):
            if not isinstance(choice, Start) or self.exhausted:
                break
            study_id, limit = self.memory.study_id, self.memory.study.trials
            reserved = self.storage.reserve(study_id, Kind.SEARCH, self.claim, limit)
            trial = None if reserved is None else self._filled(reserved, choice)
            if trial is not None:
                return trial
            # Either there is no new trial to be had, or another process was first.
            closed = reserved is None or self.exhausted
            choice = self._choice(closed=closed)
            if closed:
                break
        if isinstance(choice, Resume):
            return self._started(self.memory.trial(choice.number), choice.budget)
        return None

    def _choice(self, *, closed: bool) -> Start | Resume | None:
        """What the scheduler wants, asked about each arm as if it were a study.

        So no arm is cut back because another one learns faster. A paused trial of any
        arm goes on; a new one belongs to the arm whose turn it is.
        """
        memory, arms = self.memory, len(self.memory.study.arms)
        turn = _searched(memory.history()) % arms if arms > 1 else 0
        fallback = None
        for arm in (*range(turn, arms), *range(turn)):
            own = memory.arm_history(None if arms == 1 else arm)
            history = replace(own, planned=self._planned(own, closed))
            rng = trial_rng(memory.study, len(memory.history().trials))
            choice = self.scheduler.next(history, rng)
            if isinstance(choice, Resume):
                return choice
            is_complete = choice is not None and choice.params is not None
            if arm == turn or self.sampler.exhaustive or is_complete:
                fallback = fallback or choice
        return fallback

    def _planned(self, history: History, closed: bool) -> int | None:
        """The number of search trials that there will be, `closed` if no more."""
        several = len(self.memory.study.arms) > 1
        if closed and (several or self.exhausted):
            return _searched(history)
        return None if several else self.memory.study.trials

    def _close_paused(self) -> None:
        """Ends the trials that wait for a promotion, when nothing is left to run."""
        memory, storage = self.memory, self.storage
        if memory.running:
            return
        trials = memory.history().trials
        paused = [trial for trial in trials if trial.state is State.PAUSED]
        if not paused or storage.holdings(memory.study_id):
            return
        for trial in paused:
            ended = settle.unpromoted(trial, memory.study)
            if not trial.waiting and storage.move(memory.study_id, trial, ended):
                memory.keep(ended)

    def _started(self, paused: Trial, budget: int | None) -> Trial | None:
        """A paused trial as it goes on, None if another process was first."""
        now_s = time.time()
        started = replace(
            paused,
            state=State.RUNNING,
            budget=self.memory.study.max_steps if budget is None else budget,
            attempt=paused.attempt + 1,
            waiting=False,
            reason="",
            started_s=paused.started_s or now_s,
            ended_s=None,
            idle_s=paused.idle_until(now_s),
            host=host(),
        )
        study_id = self.memory.study_id
        if not self.storage.move(study_id, paused, started, claim=self.claim):
            self.memory.refresh()
            return None
        self.memory.keep(started)
        return started

    def _filled_baseline(self, reserved: Reserved) -> Trial | None:
        params = self.memory.study.baseline or {}
        return self._written(reserved, Kind.BASELINE, Start(params=params))

    def _filled(self, reserved: Reserved, start: Start) -> Trial | None:
        """A search trial with its params; None when there is nothing left to try.

        None also when its parent does not stand still, or has this child already.
        """
        if self.sampler.adaptive:
            self.memory.refresh()  # all with smaller numbers that are known by now
        try:
            is_cloned = self._cloned(reserved, start)
            suggestion = self._suggested(reserved, start) if is_cloned else None
            is_late = not (is_cloned and self._is_wanted(start))
            if suggestion is not None:
                params = self.memory.study.search_space.admit(suggestion.params)
        except BaseException:
            self._release(reserved.number)
            raise
        if suggestion is None or is_late:
            self._release(reserved.number)
            self.exhausted |= not is_late
            return None
        chosen = replace(start, params=params)
        written = self._written(reserved, Kind.SEARCH, chosen, suggestion)
        if written is None:
            self._release(reserved.number)
            self.memory.refresh()
            return None
        self._end_replaced(written)
        return written

    def _cloned(self, reserved: Reserved, start: Start) -> bool:
        """Whether the new trial has its parent's checkpoint, as it is at its step.

        Every start of the parent raises its attempt: the same one before and after says
        that nothing has written to the checkpoint meanwhile.

        Raises:
            StudyError: there is no checkpoint, or the parent runs.
        """
        if self.clones is None:
            return True
        self.clones.drop(reserved.number)  # what a crash has left there
        if start.parent is None:
            return True
        parent = self.memory.trial(start.parent)
        if parent.state is State.RUNNING:
            raise StudyError(
                f"{type(self.scheduler).__name__} wants a copy of trial "
                f"{parent.number} while it runs: only one that rests can be copied"
            )
        if not self.clones.take(parent.number, reserved.number):
            raise StudyError(
                f"trial {parent.number} has no checkpoint for another trial to go on "
                f"from: {type(self.scheduler).__name__} needs a program that saves one "
                "(trial.checkpoints) before it reports a step"
            )
        self.memory.refresh()
        now = self.memory.trial(start.parent)
        return (now.attempt, now.state) == (parent.attempt, parent.state)

    def _is_wanted(self, start: Start) -> bool:
        """Whether no other process has begun the same member or child meanwhile."""
        if not _is_unique(start):
            return True
        self.memory.refresh()
        choice = self._choice(closed=False)
        return isinstance(choice, Start) and choice.note == start.note

    def _end_replaced(self, child: Trial) -> None:
        """Ends the trials whose place in a population the new one has taken."""
        member = child.scheduler_note.get("member")
        if member is None:
            return
        arm = self.memory.arm_of(child.number)  # each has a population of its own
        for trial in list(self.memory.arm_history(arm).trials):
            is_earlier = trial.number < child.number and not trial.waiting
            of_member = trial.scheduler_note.get("member") == member
            if is_earlier and of_member and trial.state is State.PAUSED:
                ended = settle.unpromoted(trial, self.memory.study)
                if self.storage.move(self.memory.study_id, trial, ended):
                    self.memory.keep(ended)

    def _release(self, number: int) -> None:
        """Gives a number back, without a checkpoint that was copied for it."""
        if self.clones is not None:
            self.clones.drop(number)
        self.storage.release(self.memory.study_id, number)

    def _suggested(self, reserved: Reserved, start: Start) -> Suggestion | None:
        """The arms are asked in turn, each about its own space and trials."""
        if start.params is not None:
            return Suggestion(start.params)
        memory, index = self.memory, reserved.index or 0
        arms = 1 if self.sampler.exhaustive else len(memory.study.arms)
        arm = None if arms == 1 else index % arms
        for _ in range(MOST_ASKS):
            known = memory.arm_history(arm, position=index // arms)
            history = self._as_seen(known, start)
            rng = trial_rng(memory.study, reserved.number)
            suggestion = self.sampler.ask(history, rng)
            if suggestion is None or not self.sampler.adaptive:
                break
            if not any(new.params == suggestion.params for new in memory.refresh()):
                break  # nobody else was given these params meanwhile
        return suggestion

    def _as_seen(self, known: History, start: Start) -> History:
        """What is known, as a sampler that learns from it is to see it."""
        if not self.sampler.adaptive:
            return known
        return leveled(known, self.scheduler.rungs(known), start.budget)

    def _written(
        self,
        reserved: Reserved,
        kind: Kind,
        start: Start,
        suggestion: Suggestion | None = None,
    ) -> Trial | None:
        """The new trial, None if another process has begun the same member since."""
        study = self.memory.study
        trial = Trial(
            number=reserved.number,
            params=start.params or {},
            kind=kind,
            index=reserved.index,
            budget=study.max_steps if start.budget is None else start.budget,
            parent=start.parent,
            first_step=self._first_step(start.parent),
            seed=trial_seed(study, kind, reserved.number),
            sampler_note=suggestion.note if suggestion else {},
            scheduler_note=start.note,
            started_s=time.time(),
            host=host(),
        )
        alone_since = self.memory.version if _is_unique(start) else None
        study_id = self.memory.study_id
        if not self.storage.fill(study_id, trial, alone_since=alone_since):
            return None
        self.memory.keep(trial)
        return trial

    def _first_step(self, parent: int | None) -> int:
        return 0 if parent is None else self.memory.trial(parent).step


def _is_unique(start: Start) -> bool:
    """Whether there may be one trial alone with this note: a member, or a child."""
    return start.parent is not None or "member" in start.note


def _searched(history: History) -> int:
    """How many search trials there are."""
    return sum(trial.kind is Kind.SEARCH for trial in history.trials)


def sampler_of(study: Study) -> Sampler:
    """The study's sampler, found by name where it is a name.

    A study with scientific hyperparameters explores (rule D11), which `auto` is told.
    """
    own = study.sampler
    if own == "auto":
        from .auto import Auto  # it imports the samplers

        return Auto(explores=bool(study.scientific))
    found = recipes.sampler(own) if isinstance(own, str) else own
    if not isinstance(found, Sampler):
        raise StudyError(f"a sampler is a Sampler or its name, got {found!r}")
    return found


def scheduler_of(study: Study) -> Scheduler:
    """The study's scheduler, found by name where it is a name."""
    own = study.scheduler
    found = recipes.scheduler(own) if isinstance(own, str) else own
    if not isinstance(found, Scheduler):
        raise StudyError(f"a scheduler is a Scheduler or its name, got {found!r}")
    return found


def trial_rng(study: Study, number: int) -> Generator:
    """The random generator for choices about the trial `number`."""
    return default_rng([study.seed, number])


def trial_seed(study: Study, kind: Kind, number: int) -> int:
    """The seed that a trial trains with; below 2**31, which every library takes."""
    sequence = SeedSequence([study.seed, _KIND_SEEDS[kind], number])
    return int(sequence.generate_state(1)[0] >> 1)
