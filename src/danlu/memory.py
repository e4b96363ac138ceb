"""What one process knows of a study: it reads what is new, and nothing twice."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache

import numpy as np

from .errors import TrialError
from .history import History
from .storage.base import Changes, Storage
from .study import Study
from .trial import Curve, Kind, Report, State, Trial, add_reports, merge


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
        self._numbers: list[int] = []
        self._trials: list[Trial] = []
        self._arms: dict[int, int | None] = {}
        self._waiting: set[int] = set()
        self._running: set[int] = set()
        self._unsaved: dict[int, list[Report]] = {}

    def refresh(self) -> None:
        """Reads what is new."""
        changes = self._storage.changes(self.study_id, self._version)
        if changes.version != self._version:
            self._apply(changes)

    def trial(self, number: int) -> Trial:
        """The trial `number` as far as it is known.

        Raises:
            TrialError: there is none.
        """
        place = bisect_left(self._numbers, number)
        if place == len(self._numbers) or self._numbers[place] != number:
            known = f"0 to {self._numbers[-1]}" if self._numbers else "none yet"
            raise TrialError(
                f"no trial {number} in study {self.study.name!r}; it has {known}"
            )
        return self._trials[place]

    def keep(self, trial: Trial) -> None:
        """Takes note of a trial as this process has just written it."""
        place = bisect_left(self._numbers, trial.number)
        if place == len(self._numbers) or self._numbers[place] != trial.number:
            self._numbers.insert(place, trial.number)
            self._trials.insert(place, trial)
        else:
            self._trials[place] = trial
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
        own = [t for t in self._trials if self.arm_of(t.number) == arm]
        return self._history(own, arm, position)

    def arm_of(self, number: int) -> int | None:
        """The arm of a trial, None when its params are outside the space."""
        if number not in self._arms:
            self._arms[number] = self.study.arm_of(self.trial(number).params)
        return self._arms[number]

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
        place = bisect_left(self._numbers, number)
        known = place < len(self._numbers) and self._numbers[place] == number
        return self._trials[place].curves if known else {}


@lru_cache(maxsize=1024)
def arm_seed(seed: int, arm: int) -> int:
    """The seed of one arm of a study with this seed, the same in every process."""
    return int(np.random.SeedSequence([seed, arm]).generate_state(1)[0])
