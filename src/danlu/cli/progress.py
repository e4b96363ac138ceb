"""What is seen while a study runs: a live block on a terminal, lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ..sentence import plural
from ..studyfile.quantities import duration_text
from ..trial import State, Trial
from .curves import BestAtStep, compared
from .words import (
    best_text,
    counts_text,
    cut,
    number,
    params_text,
    progress_counts,
    say,
    screen_width,
)

if TYPE_CHECKING:
    from ..loop import Progress

REDRAW_S = 0.5
_BAR = 24  # columns


def watcher(*, plain: bool, quiet: bool, verbose: bool) -> Callable[[Progress], None]:
    """What shows the progress here: a terminal gets a live block."""
    if quiet:
        return Messages()
    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if plain or not live or os.environ.get("CI"):
        return Lines(verbose=verbose)
    return Screen(verbose=verbose)


class Messages:
    """Says what went wrong, and nothing else."""

    def __call__(self, progress: Progress) -> None:
        """Writes the new messages."""
        for message in progress.messages:
            say(message)


class Lines:
    """Writes one line a trial when it ends, and every message."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._ended = Ended()
        self._stopping = False

    def __call__(self, progress: Progress) -> None:
        """Writes what is new."""
        for message in progress.messages:
            say(message)
        for trial in self._ended.new(progress):
            say(ended_line(progress, trial, verbose=self._verbose))
        if progress.stopping and not self._stopping and progress.running:
            self._stopping = True
            say(stopping_text(progress))


class Screen:
    """Redraws a block of lines at the bottom of a terminal twice a second."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._ended = Ended()
        self._best = BestAtStep()
        self._drawn = 0
        self._drawn_s = 0.0
        self._last: Progress | None = None
        self._at_start: int | None = None

    def __call__(self, progress: Progress) -> None:
        """Draws the block anew if it is time to, or if there is something to say."""
        self._last = progress
        if self._at_start is None:
            self._at_start = progress_counts(progress.study, progress.history)[0]
        now = time.monotonic()
        if now - self._drawn_s >= REDRAW_S or progress.messages:
            self._drawn_s = now
            self._draw(progress)

    def close(self) -> None:
        """Takes the block away; what was said above it stays."""
        if self._last is not None:
            self._last = None
            self._clear()

    def _draw(self, progress: Progress) -> None:
        self._best.learn(progress.history)
        self._clear()
        for message in progress.messages:
            say(message)
        if self._verbose:
            for trial in self._ended.new(progress):
                say(ended_line(progress, trial, verbose=True))
        room = screen_width() - 1
        lines = [cut(line, room) for line in self._block(progress)]
        click.echo("\n".join(lines), err=True)
        self._drawn = len(lines)

    def _block(self, progress: Progress) -> list[str]:
        running = [running_line(progress, t, self._best) for t in progress.running]
        stopping = [stopping_text(progress)] if progress.stopping else []
        return [
            head_line(progress, self._at_start or 0),
            *running,
            f"best {best_text(progress.study, progress.history)}",
            counts_text(progress.history.trials),
            *stopping,
        ]

    def _clear(self) -> None:
        if self._drawn:
            # up to the first line of the block, then erase to the end of the screen
            sys.stderr.write(f"\x1b[{self._drawn}F\x1b[J")
            sys.stderr.flush()
            self._drawn = 0


class Ended:
    """Tells which trials have ended since it was last asked."""

    def __init__(self) -> None:
        self._known: set[tuple[int, int]] | None = None

    def new(self, progress: Progress) -> list[Trial]:
        """The trials that ended since the last call, or since this loop began."""
        ended = [trial for trial in progress.history.trials if trial.state.ended]
        if self._known is None:
            before = [t for t in ended if (t.ended_s or 0.0) < progress.started_s]
            self._known = {(trial.number, trial.attempt) for trial in before}
        new = [t for t in ended if (t.number, t.attempt) not in self._known]
        self._known |= {(trial.number, trial.attempt) for trial in new}
        return new


def head_line(progress: Progress, at_start: int) -> str:
    """The study's name, a bar, and the time left."""
    ended, total = progress_counts(progress.study, progress.history)
    filled = min(_BAR, _BAR * ended // total)
    bar = "#" * filled + "-" * (_BAR - filled)
    parts = [progress.study.name, bar, f"{ended}/{total}"]
    done = ended + sum(map(share_done, progress.running))
    left_s = time_left_s(progress, done - at_start, total - done)
    if left_s is not None:
        parts.append(f"eta {duration_text(left_s)}")
    parts.append(f"{len(progress.running)} running")
    return "  ".join(parts)


def share_done(trial: Trial) -> float:
    """How much of a running trial is done, 0 where its length is unknown."""
    if not trial.budget or trial.kind != "search":
        return 0.0
    return min(1.0, trial.step / trial.budget)


def time_left_s(progress: Progress, done: float, left: float) -> float | None:
    """Seconds until the study is done, None before there is something to go by."""
    if done <= 0 or left <= 0:
        return None
    return (time.time() - progress.started_s) / done * left


def running_line(progress: Progress, trial: Trial, best: BestAtStep) -> str:
    """One running trial: its step, its latest value, and how that compares."""
    name = progress.study.objective.name
    curve = trial.curves.get(name)
    budget = f"/{trial.budget}" if trial.budget is not None else ""
    parts = [f" #{trial.number}", f"step {trial.step}{budget}"]
    if curve is not None and len(curve):
        parts.append(f"{name} {number(curve.last)}")
        parts.append(compared(progress.study.objective, trial, best))
    elif trial.kind != "search":
        parts.append(trial.kind.value)
    return "  ".join(part for part in parts if part)


def ended_line(progress: Progress, trial: Trial, *, verbose: bool) -> str:
    """One ended trial: state, value, time, and the best so far."""
    study, history = progress.study, progress.history
    ended, total = progress_counts(study, history)
    loss = history.loss(trial)
    parts = [f"[{ended}/{total}]", f"#{trial.number} {trial.state}"]
    if trial.kind != "search":
        parts.append(trial.kind.value)
    parts.append(f"step {trial.step}")
    if loss is not None and trial.state is not State.INFEASIBLE:
        parts.append(f"{study.objective.name} {number(study.objective.value(loss))}")
    if trial.reason and trial.state is not State.FAILED:  # the loop has said that
        parts.append(cut(trial.reason.splitlines()[0], 80))
    if trial.seconds is not None:
        parts.append(duration_text(trial.seconds))
    if history.best is not None:
        best = study.objective.value(history.loss(history.best) or 0.0)
        parts.append(f"best {number(best)} (#{history.best.number})")
    if verbose:
        parts.append(params_text(trial.params, without=study.fixed))
    return "  ".join(parts)


def stopping_text(progress: Progress) -> str:
    """What is waited for after Ctrl-C, and what another one does."""
    running = plural(len(progress.running), "trial")
    return f"stopping: waiting for {running} to finish; Ctrl-C again ends them now"
