"""Trials in order of number, and what is worked out from each of them, once.

A history of 10,000 trials is asked for the same arrays with every new trial. Here an
entry is worked out again only when its own trial has changed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike

from .space import Array
from .trial import Trial

Part = TypeVar("Part", "_Column", "_Ranking", "_Grouping")

# Columns, rankings and groupings that are kept up to date; the one asked for longest
# ago goes first. Successive halving asks for one or two a rung, and has about ten.
MOST_KEPT = 64


class Ledger(Sequence[Trial]):
    """Trials as a list, with columns, rankings and groups of them that stay current.

    Only `keep` changes it. Whoever reads it gives the function of a trial that a column
    or ranking is made with; under one key it must always be the same function. Groups
    have their function as their key.

    >>> from danlu.trial import Trial
    >>> ledger = Ledger([Trial(0, {}, seed=7)])
    >>> ledger.keep(Trial(1, {}, seed=3))
    >>> ledger.column("seed", lambda trial: [trial.seed], width=1).tolist()
    [[7.0], [3.0]]
    >>> [trial.number for trial in ledger.ranking("seed", lambda trial: trial.seed)]
    [1, 0]
    """

    def __init__(self, trials: Iterable[Trial] = ()) -> None:
        self._trials: list[Trial] = list(trials)
        self._columns: dict[Hashable, _Column] = {}
        self._rankings: dict[Hashable, _Ranking] = {}
        self._groupings: dict[Hashable, _Grouping] = {}

    def __len__(self) -> int:
        return len(self._trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._trials)

    @overload
    def __getitem__(self, place: int) -> Trial: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Trial]: ...
    def __getitem__(self, place: int | slice) -> Trial | Sequence[Trial]:
        return self._trials[place]

    def __reduce__(self) -> tuple[type[Ledger], tuple[list[Trial]]]:
        # without the columns: their keys may name objects of this process
        return Ledger, (self._trials,)

    def find(self, number: int) -> Trial | None:
        """The trial `number`, None when it is not known."""
        place = self._place(number)
        return self._trials[place] if self._is_at(place, number) else None

    def keep(self, trial: Trial) -> None:
        """Adds a trial, or puts it in the place of what was known of it."""
        place = self._place(trial.number)
        if self._is_at(place, trial.number):
            known, self._trials[place] = self._trials[place], trial
            for column in self._columns.values():
                column.change(place, known, trial)
        else:
            self._trials.insert(place, trial)
            for column in self._columns.values():
                column.insert(place, len(self._trials))
        for ranking in self._rankings.values():
            ranking.change(trial)
        for grouping in self._groupings.values():
            grouping.change(trial)

    def column(
        self,
        key: Hashable,
        of: Callable[[Trial], ArrayLike],
        *,
        width: int,
        reads: Callable[[Trial], object] | None = None,
    ) -> Array:
        """An array (n, width) of `of(trial)` for every trial, to be read only.

        `reads` gives what `of` looks at, None where that is the whole trial: a trial
        for which this is the same has the same row.
        """
        found = self._columns.pop(key, None)
        if found is None:
            found = _Column(of, reads, np.empty((len(self._trials), width)))
        _put_last(self._columns, key, found)
        return found.refreshed(self._trials)

    def ranking(
        self, key: Hashable, of: Callable[[Trial], float | None]
    ) -> Sequence[Trial]:
        """The trials by `of(trial)` and then by number; without those that have None.

        The numbers that `of` gives are finite.
        """
        found = self._rankings.pop(key, None)
        if found is None:
            found = _Ranking(of, self._trials)
        _put_last(self._rankings, key, found)
        return found.refreshed()

    def groups(
        self, of: Callable[[Trial], Hashable]
    ) -> Mapping[Hashable, Mapping[int, Trial]]:
        """The trials by number in groups by `of(trial)`, in no order, none in None."""
        found = self._groupings.pop(of, None)
        if found is None:
            found = _Grouping(of, self._trials)
        _put_last(self._groupings, of, found)
        return found.refreshed()

    def _place(self, number: int) -> int:
        if self._is_at(number, number):
            return number  # as long as no number before it is missing
        return bisect_left(self._trials, number, key=attrgetter("number"))

    def _is_at(self, place: int, number: int) -> bool:
        return place < len(self._trials) and self._trials[place].number == number


class _Column:
    """One row for each trial; those that may have changed are known by their place."""

    def __init__(
        self,
        of: Callable[[Trial], ArrayLike],
        reads: Callable[[Trial], object] | None,
        rows: Array,
    ) -> None:
        self._of = of
        self._reads = reads
        self._rows = rows  # later with room at the end
        self._changed = set(range(len(rows)))

    def change(self, place: int, before: Trial, after: Trial) -> None:
        if self._reads is None or self._reads(before) != self._reads(after):
            self._changed.add(place)

    def insert(self, place: int, count: int) -> None:
        """Makes room at `place`, where a trial came in; there are `count` now."""
        if count > len(self._rows):
            room = np.empty((2 * count, self._rows.shape[1]))
            room[: len(self._rows)] = self._rows
            self._rows = room
        if place < count - 1:
            self._rows[place + 1 : count] = self._rows[place : count - 1]
            self._changed = {known + (known >= place) for known in self._changed}
        self._changed.add(place)

    def refreshed(self, trials: Sequence[Trial]) -> Array:
        for place in self._changed:
            self._rows[place] = self._of(trials[place])
        self._changed.clear()
        return self._rows[: len(trials)]


class _Ranking:
    """Trials in order of a number; those that changed are moved when it is read."""

    def __init__(
        self, of: Callable[[Trial], float | None], trials: Sequence[Trial]
    ) -> None:
        self._of = of
        ranked = []
        for trial in trials:
            value = of(trial)
            if value is not None:
                ranked.append((value, trial.number, trial))
        ranked.sort(key=itemgetter(0, 1))
        self._keys = [(value, number) for value, number, _ in ranked]
        self._trials = [trial for _, _, trial in ranked]
        self._values = {number: value for value, number in self._keys}
        self._changed: dict[int, Trial] = {}
        self._shown = tuple(self._trials)

    def change(self, trial: Trial) -> None:
        self._changed[trial.number] = trial

    def refreshed(self) -> tuple[Trial, ...]:
        if not self._changed:
            return self._shown
        for trial in self._changed.values():
            self._remove(trial.number)
            self._add(trial)
        self._changed.clear()
        self._shown = tuple(self._trials)
        return self._shown

    def _remove(self, number: int) -> None:
        value = self._values.pop(number, None)
        if value is not None:
            place = bisect_left(self._keys, (value, number))
            del self._keys[place], self._trials[place]

    def _add(self, trial: Trial) -> None:
        value = self._of(trial)
        if value is None:
            return
        key = (value, trial.number)
        self._values[trial.number] = value
        self._trials.insert(bisect_left(self._keys, key), trial)
        insort(self._keys, key)


class _Grouping:
    """Trials by their group; those that changed are moved when it is read."""

    def __init__(
        self, of: Callable[[Trial], Hashable], trials: Sequence[Trial]
    ) -> None:
        self._of = of
        self._groups: dict[Hashable, dict[int, Trial]] = {}
        self._places: dict[int, Hashable] = {}
        self._changed = {trial.number: trial for trial in trials}

    def change(self, trial: Trial) -> None:
        self._changed[trial.number] = trial

    def refreshed(self) -> Mapping[Hashable, Mapping[int, Trial]]:
        for number, trial in self._changed.items():
            before, group = self._places.get(number), self._of(trial)
            if before is not None and before != group:
                del self._groups[before][number]
            self._places[number] = group
            if group is not None:
                self._groups.setdefault(group, {})[number] = trial
        self._changed.clear()
        return self._groups


def _put_last(kept: dict[Hashable, Part], key: Hashable, part: Part) -> None:
    """Notes that `part` was asked for now, and forgets what was longest ago."""
    if len(kept) == MOST_KEPT:
        del kept[next(iter(kept))]
    kept[key] = part
