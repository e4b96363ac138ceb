"""Checkpoints of a training program, whole or not there; standard library only.

    saved = trial.checkpoints.latest()
    if saved is not None:
        state = torch.load(saved.path)
    ...
    trial.checkpoints.save(epoch, lambda path: torch.save(state, path))

A checkpoint `000007-step-12` is a file or a folder, and counts once a file beside it,
`000007-step-12.json`, says which bytes it consists of. That one is written last.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .places import NAME, PARTIAL, Entry, entry_of, order_of, place_of


@dataclass(frozen=True)
class Saved:
    """A checkpoint that is whole: its step, the metric there, and where it is.

    >>> from danlu import checkpoints
    >>> checkpoints.Saved(3, Path("checkpoint/000001-step-3"), metric=0.31).step
    3
    """

    step: int
    path: Path
    metric: float | None = None


class Checkpoints:
    """The checkpoints in a folder: the last ones, and the best ones by a metric.

    `folder` is a local one, or a URL that fsspec knows, such as `s3://bucket/name`.
    The last `keep_last` are kept, and the `keep_best` with the smallest metric (with
    `maximize` the largest). One program writes to a folder at a time.

    >>> import tempfile
    >>> from danlu import checkpoints
    >>> kept = checkpoints.Checkpoints(tempfile.mkdtemp(), keep_last=2)
    >>> for step in (1, 2, 3):
    ...     _ = kept.save(step, lambda path: path.write_text("weights"))
    >>> kept.steps(), kept.latest().path.read_text()
    ([2, 3], 'weights')

    Raises:
        ValueError: a setting is impossible.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        keep_last: int = 1,
        keep_best: int = 0,
        maximize: bool = False,
    ) -> None:
        if keep_last < 1 or keep_best < 0:
            raise ValueError(
                "keep_last is at least 1 and keep_best at least 0, got "
                f"keep_last={keep_last}, keep_best={keep_best}"
            )
        self._place = place_of(os.fspath(folder))
        self._keep_last = keep_last
        self._keep_best = keep_best
        self._sign = -1.0 if maximize else 1.0
        self._damaged: set[str] = set()
        self._swept = False

    def save(
        self,
        step: int,
        write: Callable[[Path], object],
        metric: float | None = None,
    ) -> str:
        """Where the new checkpoint is, after `write(path)` wrote a file or a folder.

        It counts from now on, whatever happens to this machine; before, nothing counts
        that is not whole. What need not be kept is removed afterwards.

        Raises:
            ValueError: `step` is no whole number from 0, or `write` left nothing.
            OSError: the disk is full, or the place is gone; earlier ones are untouched.
        """
        if type(step) is not int or step < 0:
            raise ValueError(f"a checkpoint's step is a whole number, got {step!r}")
        self._sweep()
        before = self._entries()
        order = 1 + max(map(order_of, self._place.names()), default=0)
        value = None if metric is None else float(metric)
        entry = Entry(f"{order:06d}-step-{step}", order, step, value)
        where = self._place.add(entry, write)
        self._prune([*before, entry])
        return where

    def latest(self) -> Saved | None:
        """The checkpoint saved last; one that is damaged is passed over."""
        return self._first_whole(reversed(self._entries()))

    def best(self) -> Saved | None:
        """The checkpoint with the best metric; one that is damaged is passed over."""
        return self._first_whole(self._by_metric(self._entries()))

    def at(self, step: int) -> Saved | None:
        """The checkpoint saved last of a step; None if none is kept and whole."""
        entries = reversed(self._entries())
        return self._first_whole(entry for entry in entries if entry.step == step)

    def steps(self) -> list[int]:
        """The steps of all checkpoints, in the order in which they were saved."""
        return [entry.step for entry in self._entries()]

    def _entries(self) -> list[Entry]:
        """What is there, in the order of saving; an entry that is unreadable is not."""
        found: list[Entry] = []
        for name in self._place.names():
            stem = name.removesuffix(".json")
            if stem != name and NAME.fullmatch(stem):
                entry = entry_of(stem, self._place.read(name))
                found += [] if entry is None else [entry]
        return sorted(found, key=lambda entry: entry.order)

    def _first_whole(self, entries: Iterable[Entry]) -> Saved | None:
        for entry in entries:
            path = self._place.get(entry)
            if path is not None:
                return Saved(entry.step, path, entry.metric)
            self._damaged.add(entry.name)
        return None

    def _by_metric(self, entries: Iterable[Entry]) -> list[Entry]:
        def loss(entry: Entry) -> tuple[float, int]:
            return self._sign * (entry.metric or 0.0), entry.order

        measured = [
            entry
            for entry in entries
            if entry.metric is not None and not math.isnan(entry.metric)
        ]
        return sorted(measured, key=loss)

    def _prune(self, entries: list[Entry]) -> None:
        """Removes what is neither among the last nor among the best."""
        whole = [entry for entry in entries if entry.name not in self._damaged]
        kept = {entry.name for entry in whole[-self._keep_last :]}
        kept |= {entry.name for entry in self._by_metric(whole)[: self._keep_best]}
        for entry in entries:
            if entry.name not in kept:
                self._place.remove(f"{entry.name}.json")
                self._place.remove(entry.name)

    def _sweep(self) -> None:
        """Removes what earlier programs began to save and never finished."""
        if self._swept:
            return
        whole = {entry.name for entry in self._entries()}
        self._swept = True
        for name in self._place.names():
            stem = name.removesuffix(".json")
            left_over = NAME.fullmatch(stem) and stem not in whole
            if left_over or name.startswith(PARTIAL):
                self._place.remove(name)
