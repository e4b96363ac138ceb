"""Freeze-thaw: the trial that may gain the most for the steps it needs goes on.

After K. Swersky, J. Snoek & R. P. Adams, "Freeze-Thaw Bayesian Optimization", 2014
(arXiv:1406.3896): train a little, forecast the curves, and thaw a frozen trial or start
a new one. A trial is thawed for its expected improvement, as in H. Rakotoarison et al.,
"In-Context Freeze-Thaw Bayesian Optimization" (ifBO), ICML 2024, here for each step
that is left; their model is a trained network, ours in `curves.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..history import History
from ..trial import State, Trial
from .base import Resume, Scheduler, Start, Verdict
from .curves import Curves, curves
from .families import grid
from .rungs import check_rungs, full_length, paused_at_budget, rungs

MOST_FORECAST = 64  # frozen trials, those with the best losses: each costs time
LEAST_CHANCE = 0.05  # of becoming the best, below which nobody goes on at the end
FACTOR = 3  # between the rungs that say how much new trials are worth


@dataclass(frozen=True)
class FreezeThaw(Scheduler):
    """Freezes trials after each piece of training and thaws the most promising one.

    Pieces end at steps that grow by the square root of 2, the first one where the
    lowest rung of `Asha` is. New trials are started as long as their first pieces have
    had less than an even share of all steps, as in successive halving, where every rung
    gets the same. Once no more are to come, those go on that have a chance of 5 % of
    becoming the best.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> def frozen(number, loss):
    ...     curve = danlu.Curve.of({1: 1.0, 2: loss})
    ...     return danlu.Trial(number, {"x": 0.5}, danlu.State.PAUSED, budget=2,
    ...                        curves={"loss": curve})
    >>> trials = [frozen(0, 0.9), frozen(1, 0.5), frozen(2, 0.8)]
    >>> history = danlu.History(space, danlu.Metric("loss"), trials, max_steps=9,
    ...                         planned=3)
    >>> danlu.schedulers.FreezeThaw().next(history, numpy.random.default_rng(0))
    Resume(number=1, budget=3)

    Raises:
        StudyError: a setting is impossible.
    """

    min_steps: int = 1

    def __post_init__(self) -> None:
        check_rungs("FreezeThaw", self.min_steps, FACTOR)

    def next(self, history: History, rng: Generator) -> Start | Resume | None:
        """The trial to go on, else a new one; None when no more are planned.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        steps = self.rungs(history)
        known = [trial for trial in history.trials if _takes_part(trial)]
        may_start = history.planned is None or len(known) < history.planned
        if may_start and self._is_turn_of_new(history, known):
            return Start(steps[0])
        is_surely = may_start or _nobody_done(known)
        found = _thawed(history, steps, is_surely=is_surely)
        if found is None and may_start:
            return Start(steps[0])
        return found

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To pause at the trial's budget, else to continue."""
        return paused_at_budget(trial, history)

    def rungs(self, history: History) -> tuple[int, ...]:
        """The steps at which trials are frozen, and the full length.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        full = full_length("FreezeThaw", history)
        return grid(full, rungs(full, self.min_steps, FACTOR)[0])

    def _is_turn_of_new(self, history: History, known: Sequence[Trial]) -> bool:
        """Whether first pieces had less than one rung's share of all steps so far."""
        full = full_length("FreezeThaw", history)
        levels = rungs(full, self.min_steps, FACTOR)
        spent = sum(max(trial.step, levels[0]) for trial in known)
        return len(known) < FACTOR or levels[0] * len(known) * len(levels) < spent


def _takes_part(trial: Trial) -> bool:
    return trial.kind.judged and trial.state is not State.FAILED


def _nobody_done(known: Sequence[Trial]) -> bool:
    """Whether no trial runs, and none was trained as far as it goes."""
    states = {trial.state for trial in known}
    return not states & {State.RUNNING, State.COMPLETED}


def _thawed(
    history: History, steps: Sequence[int], *, is_surely: bool
) -> Resume | None:
    """The frozen trial with the largest expected improvement for a step.

    None where nobody has a chance of becoming the best, unless one goes on `is_surely`.
    """
    seen = curves(history, tuple(steps)) if len(steps) > 1 else None
    if seen is None:
        return _first(history, steps) if is_surely else None
    trials = [history.trials[place] for place in seen.places]
    frozen = np.array([_is_frozen(trial, steps[-1]) for trial in trials])
    counts = np.array([_is_rival(trial) for trial in trials])
    if not frozen.any():
        return None
    last = seen.last
    (places,) = np.nonzero(frozen)
    places = places[np.argsort(last[places], kind="stable")][:MOST_FORECAST]
    chosen, chance = _most_promising(seen, places, float(last[counts].min()), trials)
    if chance < LEAST_CHANCE and not is_surely:
        return None
    return _resumed(trials[chosen], steps)


def _most_promising(
    seen: Curves, places: NDArray[np.intp], best: float, trials: Sequence[Trial]
) -> tuple[int, float]:
    """Whose improvement on `best` is the largest for a step, and how likely it is."""
    forecast = seen.forecast(places)
    left = np.array([seen.steps[-1] - trials[place].step for place in places])
    chosen = int(np.argmax(forecast.improvement(best) / left))
    return int(places[chosen]), float(forecast.below(best)[chosen])


def _first(history: History, steps: Sequence[int]) -> Resume | None:
    """The first frozen trial where the curves tell nothing apart."""
    for trial in history.trials:
        if _is_frozen(trial, steps[-1]):
            return _resumed(trial, steps)
    return None


def _is_frozen(trial: Trial, full: int) -> bool:
    rests = trial.state is State.PAUSED and not trial.waiting
    return rests and trial.kind.judged and trial.step < full


def _is_rival(trial: Trial) -> bool:
    """Whether a trial's loss is one to be improved on."""
    return _takes_part(trial) and trial.state is not State.INFEASIBLE


def _resumed(trial: Trial, steps: Sequence[int]) -> Resume:
    """The trial with the next piece of its training as its budget."""
    return Resume(trial.number, min(step for step in steps if step > trial.step))
