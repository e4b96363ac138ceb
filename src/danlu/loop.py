"""Ask, run, report, tell, until the study is done."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from . import settle
from .ask import Asker
from .errors import ExecutorError, StorageError, StudyHalted
from .executors.base import Event, Executor, Exited, Launch, Outcome, Reported
from .executors.clones import Clones
from .folders import last_sign_s
from .history import History
from .interrupts import END, Interrupts
from .memory import Memory
from .owner import is_dead, retire, this_owner
from .storage.base import Claim, Holding, Storage
from .study import Study
from .trial import State, Trial

LEASE_S = 60.0  # a loop that is silent for longer has lost its trials
POLL_S = 0.1  # how long to wait for news before looking at everything else
WAIT_S = 0.5  # between looks at trials that other loops run, when nothing else is left
SAVE_S = 0.2  # how long reports may wait, so that many are saved in one transaction
KILL_S = 5.0  # how long killed programs may take to disappear
SAME_FAILURES = 3  # different trials in a row: the fault is not in the params


@dataclass(frozen=True)
class Progress:
    """How a study is going, for whoever watches it.

    `started_s` is when this loop began, in seconds since 1970. `messages` are new.

    >>> import danlu
    >>> seen = []
    >>> with danlu.open(":memory:") as project:
    ...     study = danlu.Study("s", "Where is the minimum?", "loss",
    ...                         {"x": danlu.Float(-1, 1)}, trials=3)
    ...     _ = project.run(study, lambda trial: trial.params["x"] ** 2,
    ...                     watch=seen.append)
    >>> len(seen[-1].history.trials)
    3
    """

    study: Study
    history: History
    running: tuple[Trial, ...]
    slots: int
    started_s: float
    stopping: bool
    messages: tuple[str, ...]


class Loop:
    """Keeps every slot of an executor busy with trials of one study."""

    def __init__(
        self,
        memory: Memory,
        storage: Storage,
        executor: Executor,
        *,
        folder: Callable[[int], Path],
        watch: Callable[[Progress], None] | None = None,
    ) -> None:
        self._memory = memory
        self._storage = storage
        self._executor = executor
        self._folder = folder
        self._watch = watch
        self._claim = Claim(this_owner(uuid4().hex), LEASE_S)
        self._asker = Asker(memory, storage, self._claim, Clones(folder))
        self._running: dict[int, Trial] = {}
        self._ending: dict[int, tuple[State, str]] = {}
        self._interrupted: set[int] = set()
        self._interrupts = Interrupts()
        self._messages: list[str] = []
        self._failures: list[tuple[int, str]] = []
        self._halted = ""
        self._started_s = time.time()
        self._saved_s = self._renewed_s = time.monotonic()  # the clock may jump
        self._reached_s = time.time()  # the storage; this clock goes on in our sleep
        self._lenient_until_s = -math.inf

    def run(self) -> History:
        """The study's history once nothing is left to start.

        Raises:
            StudyHalted: three different trials in a row failed in the same way.
            KeyboardInterrupt: after Ctrl-C; everything is saved.
            SystemExit: after SIGTERM; everything is saved.
        """
        with self._interrupts:
            try:
                self._executor.open()
                self._memory.refresh()
                self._recover(self._holdings())
                while self._fill_slots() or self._running or self._wait_for_others():
                    self._executor.poll(self._on_event, POLL_S)
                    self._keep_up()
            except StorageError:
                self._running.clear()  # nothing can be saved: the next loop recovers
                raise
            finally:
                try:
                    self._abandon()
                finally:
                    retire(self._claim.owner)
        if self._halted:
            raise StudyHalted(self._halted)
        self._interrupts.raise_if_any()
        return self._memory.history()

    def _fill_slots(self) -> bool:
        """Starts trials in free slots; whether any was started."""
        before = len(self._running)
        while len(self._running) < self._executor.slots and not self._is_stopping:
            trial = self._asker.ask()
            if trial is None:
                break
            self._start(trial)
        return len(self._running) > before

    def _wait_for_others(self) -> bool:
        """Whether other loops run trials of the study: they may die and leave them."""
        if self._is_stopping or not self._memory.running:
            return False
        holdings = self._holdings()
        if not any(holding.leased for holding in holdings):
            return False
        self._recover(holdings)
        time.sleep(WAIT_S)
        self._keep_up()
        return True

    def _holdings(self) -> Sequence[Holding]:
        """Who holds what; after an outage each holder has a lease's time to say so."""
        found = self._storage.holdings(self._memory.study_id, LEASE_S)
        self._note_silence()
        return found

    @property
    def _is_stopping(self) -> bool:
        return bool(self._interrupts.stage or self._halted)

    def _start(self, trial: Trial) -> None:
        self._running[trial.number] = trial
        try:
            self._executor.start(self._launch(trial))
        except ExecutorError:
            del self._running[trial.number]
            self._write(trial, settle.queued(trial, "could not be started"))
            raise

    def _launch(self, trial: Trial) -> Launch:
        study = self._memory.study
        folder = self._folder(trial.number)
        names = tuple(own.name for own in study.search_space.dimensions)
        return Launch(study.name, trial, study.objective.name, folder, names)

    def _recover(self, holdings: Sequence[Holding]) -> None:
        """Takes over the trials of loops that are gone."""
        for holding in holdings:
            if holding.owner == self._claim.owner:
                continue
            is_over = holding.lapsed and time.monotonic() > self._lenient_until_s
            if not (is_over or is_dead(holding.owner)):
                continue
            if not self._storage.take(self._memory.study_id, holding, self._claim):
                continue
            if not holding.filled:
                refilled = self._asker.refill(holding)
                if refilled is not None:
                    self._queue(refilled, "its process ended before it began")
                continue
            self._memory.refresh()
            self._recover_trial(self._memory.trial(holding.number), holding.attempt)

    def _recover_trial(self, trial: Trial, attempt: int) -> None:
        """Saves what a trial left behind, and puts it back in the queue."""
        trial = replace(trial, ended_s=last_sign_s(self._folder(trial.number)))
        self._memory.keep(trial)  # so that the time without a process is idle
        self._running[trial.number] = trial
        left_behind = self._launch(replace(trial, attempt=attempt))
        for event in self._executor.recover(left_behind):
            self._on_event(event)
        if self._running.pop(trial.number, None) is None:
            return
        known = self._memory.trial(trial.number)
        ending = self._ending.pop(trial.number, None)
        if ending is None:
            self._queue(known, "its process had ended")
        else:
            self._write(known, settle.closed(known, *ending))

    def _queue(self, trial: Trial, reason: str) -> None:
        self._say(f"trial {trial.number} goes on: {reason}")
        self._write(trial, settle.queued(trial, reason))

    def _on_event(self, event: Event) -> None:
        if event.number not in self._running:
            return  # late news of a trial that is no longer ours
        if isinstance(event, Reported):
            self._on_reports(event)
        else:
            self._on_exit(event)

    def _on_reports(self, event: Reported) -> None:
        if self._is_lost(event.number):  # else its new holder's attempt became ours
            self._say(f"trial {event.number} was ended from outside")
            self._lose(event.number)
            return
        for complaint in event.complaints:
            self._say(f"trial {event.number}: {complaint}")
        if event.reports:
            trial = self._memory.hold(event.number, event.reports)
            self._running[event.number] = trial
            if event.number not in self._ending:
                scheduler = self._asker.scheduler
                ending = settle.ending(trial, self._memory, scheduler, event.reports)
                if ending is not None:
                    self._ending[event.number] = ending
                    self._executor.stop(event.number)
        self._act_on_interrupts()
        self._save_if_due()

    def _on_exit(self, event: Exited) -> None:
        trial = self._running.pop(event.number)
        after = self._after_exit(trial, event)
        if not self._write(trial, after):
            return
        if after.state is State.RUNNING:
            self._say(f"trial {trial.number} failed, tried again: {after.reason}")
            self._start(after)
        self._count_failures(after, event.tail)

    def _after_exit(self, trial: Trial, event: Exited) -> Trial:
        ending = self._ending.pop(trial.number, None)
        if ending is not None:
            return settle.closed(trial, *ending)
        if trial.number in self._interrupted:
            self._interrupted.discard(trial.number)
            # A program that heeds SIGTERM also exits with 0: its steps tell.
            unfinished = trial.budget is None or trial.step < trial.budget
            if event.outcome is not Outcome.DONE or unfinished:
                return settle.queued(trial, "interrupted")
        return settle.ended(trial, event, self._memory.study)

    def _write(self, before: Trial, after: Trial) -> bool:
        """Saves a trial with the reports that wait; False if it is no longer ours."""
        reports = self._memory.take_unsaved(before.number)
        claim = self._claim if after.state is State.RUNNING else None
        study_id = self._memory.study_id
        won = self._storage.move(study_id, before, after, reports=reports, claim=claim)
        if won:
            self._memory.keep(after)
        else:
            self._memory.refresh()
        return won

    def _count_failures(self, trial: Trial, tail: str) -> None:
        """Halts the study when different trials in a row failed in the same way."""
        if trial.state is State.RUNNING:
            return
        if trial.state is not State.FAILED:
            self._failures.clear()
            return
        self._say(f"trial {trial.number} failed: {trial.reason}")
        alike = "".join(char for char in trial.reason if not char.isdigit())
        if self._failures and self._failures[-1][1] != alike:
            self._failures.clear()
        self._failures.append((trial.number, alike))
        if len(self._failures) >= SAME_FAILURES:
            numbers = ", ".join(str(number) for number, _ in self._failures)
            self._halted = (
                f"study {self._memory.study.name!r} stopped: trials {numbers} failed "
                f"in the same way: {trial.reason}\n{tail}".rstrip()
            )

    def _keep_up(self) -> None:
        """What is due between polls: saving, leases, other processes' news."""
        self._act_on_interrupts()
        self._save_if_due()
        self._memory.refresh()
        self._note_silence()
        for number in [n for n in self._running if self._is_lost(n)]:
            self._say(f"trial {number} was ended from outside")
            self._lose(number)
        now = time.monotonic()
        if self._running and now - self._renewed_s > LEASE_S / 4:
            self._storage.renew(self._claim.owner, LEASE_S)
            self._recover(self._holdings())
            self._renewed_s = now
        self._show()

    def _note_silence(self) -> None:
        """Gives the others a lease's time to come back when we were away ourselves.

        They may have been cut off by the same network, or asleep on this machine.
        """
        now_s = time.time()
        if abs(now_s - self._reached_s) > LEASE_S / 2:
            self._lenient_until_s = time.monotonic() + LEASE_S
        self._reached_s = now_s

    def _is_lost(self, number: int) -> bool:
        """Whether somebody else has ended or taken a trial that runs here."""
        known, ours = self._memory.trial(number), self._running[number]
        return known.state is not State.RUNNING or known.attempt != ours.attempt

    def _lose(self, number: int) -> None:
        self._memory.take_unsaved(number)
        self._running.pop(number)
        self._ending.pop(number, None)
        self._interrupted.discard(number)
        self._executor.kill(number)

    def _act_on_interrupts(self) -> None:
        if self._interrupts.stage < END and not self._halted:
            return
        for number in self._running:
            if number not in self._ending and number not in self._interrupted:
                self._interrupted.add(number)
                self._executor.stop(number)

    def _save_if_due(self) -> None:
        now = time.monotonic()
        if now - self._saved_s < SAVE_S:
            return
        self._saved_s = now
        for number in self._memory.unsaved:
            reports = self._memory.take_unsaved(number)
            attempt = self._running[number].attempt
            study_id = self._memory.study_id
            state = self._storage.report(study_id, number, attempt, reports)
            if state is not State.RUNNING:
                self._say(f"trial {number} was ended from outside")
                self._lose(number)

    def _abandon(self) -> None:
        """Leaves a study that can be continued, whatever happened."""
        for number in self._running:
            self._interrupted.add(number)
            self._executor.kill(number)
        deadline_s = time.monotonic() + KILL_S
        while self._running and time.monotonic() < deadline_s:
            self._executor.poll(self._on_event, POLL_S)
        for trial in list(self._running.values()):
            self._write(trial, settle.queued(trial, "interrupted"))
        self._running.clear()
        self._show()

    def _say(self, message: str) -> None:
        self._messages.append(message)

    def _show(self) -> None:
        messages, self._messages = tuple(self._messages), []
        if self._watch is None:
            return
        self._watch(
            Progress(
                study=self._memory.study,
                history=self._memory.history(),
                running=tuple(self._running.values()),
                slots=self._executor.slots,
                started_s=self._started_s,
                stopping=self._is_stopping,
                messages=messages,
            )
        )
