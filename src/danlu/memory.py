"""What one process knows of a study: it reads what is new, and nothing twice."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cached_property, lru_cache

import numpy as np

from .codec import study_from_json
from .errors import StudyError, TrialError, did_you_mean
from .history import History
from .ledger import Ledger
from .level import leveled
from .metric import Metric
from .storage.base import Changes, Storage
from .study import Study
from .trial import Curve, Kind, Report, State, Trial, add_reports, merge

LEVELS_APART = 3  # trainings of an earlier study are compared at 1, 1/3, 1/9, ...
FOLLOW_S = 1.0  # how old may be what need not be new: following others costs the most


class Memory:
    """The trials of one study, kept up to date from `Storage.changes`.

    Reports can be held here before they are saved, so that they are judged at once and
    written in batches.
    """

    def __init__(self, study: Study, storage: Storage, study_id: int) -> None:
        self.study = study
        self.study_id = study_id
        self._storage = storage
        self._version = 0
        self._read_s = -math.inf
        self._trials = Ledger()
        self._arms: dict[int, int | None] = {}
        self._arm_trials: Sequence[Ledger] = ()  # made when an arm is first asked for
        self._waiting: set[int] = set()
        self._running: set[int] = set()
        self._unsaved: dict[int, list[Report]] = {}

    def refresh(self) -> Sequence[Trial]:
        """Reads what is new; the trials that are."""
        changes = self._storage.changes(self.study_id, self._version)
        self._read_s = time.monotonic()
        if changes.version != self._version:
            self._apply(changes)
        return changes.trials

    def refresh_after(self, seconds: float) -> None:
        """Reads what is new, unless that was done less than `seconds` ago."""
        if time.monotonic() - self._read_s >= seconds:
            self.refresh()

    def reread(self, number: int) -> Trial:
        """The trial `number` as it is now; what else is new is left for later.

        Raises:
            TrialError: there is none.
        """
        trial = self._storage.trial(self.study_id, number)
        if trial is None:
            self.refresh()
            raise self._no_trial(number)
        reports = self._unsaved.get(number, ())
        self.keep(trial.with_curves(add_reports(trial.curves, reports)))
        return self.trial(number)

    def trial(self, number: int) -> Trial:
        """The trial `number` as far as it is known.

        Raises:
            TrialError: there is none.
        """
        trial = self._trials.find(number)
        if trial is None:
            raise self._no_trial(number)
        return trial

    def keep(self, trial: Trial) -> None:
        """Takes note of a trial as this process has just written it."""
        self._trials.keep(trial)
        if self._arm_trials:
            self._keep_in_arm(trial)
        if trial.state is State.RUNNING:
            self._running.add(trial.number)
        else:
            self._running.discard(trial.number)
        if trial.waiting and trial.state is State.PAUSED:
            self._waiting.add(trial.number)
        else:
            self._waiting.discard(trial.number)

    def hold(self, number: int, reports: Sequence[Report]) -> Trial:
        """Adds reports that are not saved yet; the trial as it is with them."""
        trial = self.trial(number)
        self._unsaved.setdefault(number, []).extend(reports)
        grown = trial.with_curves(add_reports(trial.curves, reports))
        self.keep(grown)
        return grown

    def take_unsaved(self, number: int) -> Sequence[Report]:
        """The reports held for a trial, which the caller now saves."""
        return self._unsaved.pop(number, ())

    @property
    def unsaved(self) -> Sequence[int]:
        """The numbers of the trials for which reports are held."""
        return list(self._unsaved)

    @property
    def version(self) -> int:
        """The storage's version up to which everything is known."""
        return self._version

    @property
    def running(self) -> AbstractSet[int]:
        """The numbers of the trials that run, here or elsewhere."""
        return self._running

    def waiting(self) -> Iterator[Trial]:
        """The trials that are to be started before any new one, oldest first."""
        return (self.trial(number) for number in sorted(self._waiting))

    def has(self, kind: Kind) -> bool:
        """Whether there is a trial of this kind."""
        return any(trial.kind is kind for trial in self._trials)

    def history(self) -> History:
        """All trials of the study."""
        return self._history(self._trials, None, 0)

    def arm_history(self, arm: int | None, position: int = 0) -> History:
        """The trials of one arm, in the arm's space; None is the whole study."""
        if arm is None or len(self.study.arms) == 1:
            return self._history(self._trials, arm, position)
        if not self._arm_trials:
            self._arm_trials = [Ledger() for _ in self.study.arms]
            for trial in self._trials:
                self._keep_in_arm(trial)
        return self._history(self._arm_trials[arm], arm, position)

    def arm_of(self, number: int) -> int | None:
        """The arm of a trial, None when its params are outside the space."""
        if number not in self._arms:
            self._arms[number] = self.study.arm_of(self.trial(number).params)
        return self._arms[number]

    def _no_trial(self, number: int) -> TrialError:
        last = self._trials[-1].number if self._trials else None
        known = "none yet" if last is None else f"0 to {last}"
        return TrialError(
            f"no trial {number} in study {self.study.name!r}; it has {known}"
        )

    def _keep_in_arm(self, trial: Trial) -> None:
        arm = self.arm_of(trial.number)
        if arm is not None:
            self._arm_trials[arm].keep(trial)

    def _history(
        self, trials: Sequence[Trial], arm: int | None, position: int
    ) -> History:
        study = self.study
        return History(
            space=study.search_space if arm is None else study.arm_spaces[arm],
            metric=study.objective,
            trials=trials,
            seed=arm_seed(study.seed, arm or 0),
            position=position,
            max_steps=study.max_steps,
            constraints=study.limits,
            earlier=self._earlier,
        )

    @cached_property
    def _earlier(self) -> tuple[History, ...]:
        """Read once: what a running study learns from does not change under it."""
        return tuple(
            _earlier_history(study_id, study, self._storage)
            for study_id, study in earlier_studies(self.study, self._storage)
        )

    def _apply(self, changes: Changes) -> None:
        fresh = {trial.number: trial for trial in changes.trials}
        grown: dict[int, dict[str, Curve]] = {}
        for number in fresh.keys() | self._unsaved.keys():
            grown[number] = dict(self._curves(number))
        for number, stretch in changes.stretches:
            curves = grown.setdefault(number, dict(self._curves(number)))
            for name, curve in stretch.items():
                curves[name] = merge(curves.get(name), curve)
        for number, reports in self._unsaved.items():
            grown[number] = add_reports(grown[number], reports)
        for number in sorted(grown):
            trial = fresh[number] if number in fresh else self.trial(number)
            self.keep(trial.with_curves(grown[number]))
        self._version = changes.version

    def _curves(self, number: int) -> Mapping[str, Curve]:
        """What is known of a trial's curves, nothing if it is new."""
        known = self._trials.find(number)
        return {} if known is None else known.curves


@lru_cache(maxsize=1024)
def arm_seed(seed: int, arm: int) -> int:
    """The seed of one arm of a study with this seed, the same in every process."""
    return int(np.random.SeedSequence([seed, arm]).generate_state(1)[0])


def earlier_studies(study: Study, storage: Storage) -> list[tuple[int, Study]]:
    """The studies that `study` learns from, in its order, with their ids.

    Raises:
        StudyError: there is no study of that name, or it has another metric.
    """
    if not study.learn_from:
        return []
    records = {record.name: record for record in storage.studies()}
    found = []
    for name in study.learn_from:
        if name not in records:
            hint = did_you_mean(name, records)
            raise StudyError(f"learn_from names {name!r}, no study here: {hint}")
        earlier = study_from_json(records[name].statement)
        _check_alike(study, earlier)
        found.append((records[name].id, earlier))
    return found


def _earlier_history(study_id: int, study: Study, storage: Storage) -> History:
    """What an earlier study knows, without what it had learned from others itself.

    Where trials were stopped, at the longest training that enough of them came to.
    """
    memory = Memory(replace(study, learn_from=()), storage, study_id)
    memory.refresh()
    history = memory.history()
    is_cut = any(trial.state is State.STOPPED for trial in history.trials)
    if not is_cut or history.max_steps is None:
        return history
    from .schedulers.rungs import rungs  # a study is read without schedulers

    return leveled(history, rungs(history.max_steps, min_steps=1, factor=LEVELS_APART))


def _check_alike(study: Study, earlier: Study) -> None:
    """Raises unless the losses of both are the same quantity."""
    own, other = study.objective, earlier.objective
    if (own.name, own.maximize) != (other.name, other.maximize):
        raise StudyError(
            f"study {study.name!r} cannot learn from {earlier.name!r}: its metric is "
            f"{_goal(other)}, not {_goal(own)}"
        )


def _goal(metric: Metric) -> str:
    return f"{metric.name!r} made {'large' if metric.maximize else 'small'}"
