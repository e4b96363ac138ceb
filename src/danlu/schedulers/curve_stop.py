"""Stops a trial whose curve says that it will hardly become the best.

As T. Domhan, J. T. Springenberg & F. Hutter, "Speeding up Automatic Hyperparameter
Optimization of Deep Neural Networks by Extrapolation of Learning Curves", IJCAI 2015,
section 4: a training ends when the probability that it gets better than the best one
falls below 5 %. The model of the curves is that of `curves.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import StudyError
from ..history import History
from ..number import is_count
from ..trial import State, Trial
from .base import StoppingRule, Verdict
from .curves import curves
from .families import grid
from .rungs import full_length


@dataclass(frozen=True)
class CurveStop(StoppingRule):
    """Stops a trial with less than `chance` of ending among the `top` of its study.

    It is looked at where the steps have grown by the square root of 2, from `min_steps`
    on, and not before `min_trials` others have come as far. Many looks need no
    correction: by the optional stopping of a martingale, what it would have become is
    better with a probability below `chance` at whichever of them a trial is stopped, as
    far as the model of the curves is true.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> def trial(number, low, steps):
    ...     curve = danlu.Curve.of({t: low + 0.5 / t for t in range(1, steps + 1)})
    ...     return danlu.Trial(number, {"x": 0.5}, curves={"loss": curve})
    >>> others = [trial(number, 0.1 * number, 27) for number in range(1, 7)]
    >>> good, bad = trial(7, 0.1, 10), trial(8, 0.9, 10)
    >>> history = danlu.History(space, danlu.Metric("loss"), others, max_steps=27)
    >>> rule = danlu.schedulers.CurveStop()
    >>> rule.judge(good, history).value, rule.judge(bad, history).value
    ('continue', 'stop')

    Raises:
        StudyError: a setting is impossible.
    """

    chance: float = 0.05
    top: int = 1
    min_steps: int = 1
    min_trials: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.chance < 1:
            raise StudyError(f"CurveStop needs 0 < chance < 1, got {self.chance}")
        if not all(map(is_count, (self.top, self.min_steps, self.min_trials))):
            raise StudyError(
                "CurveStop needs top, min_steps and min_trials >= 1, whole numbers, "
                f"got {self.top!r}, {self.min_steps!r} and {self.min_trials!r}"
            )

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To stop, or to continue.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        steps = self.rungs(history)
        if not _is_look(trial, history, steps):
            return Verdict.CONTINUE
        return self._at_look(trial, history, steps)

    def rungs(self, history: History) -> tuple[int, ...]:
        """The steps at which trials are looked at, and the full length.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        return grid(full_length("CurveStop", history), self.min_steps)

    def _at_look(
        self, trial: Trial, history: History, steps: tuple[int, ...]
    ) -> Verdict:
        seen = curves(history, steps, trial)
        if seen is None:
            return Verdict.CONTINUE
        known = [history.trials[place] for place in seen.places[:-1]]
        others = np.array([_is_rival(own) for own in known], dtype=bool)
        as_far = others & (seen.counts[:-1] >= seen.counts[-1])
        if as_far.sum() < max(self.min_trials, self.top):
            return Verdict.CONTINUE
        bound = np.sort(seen.last[:-1][others])[self.top - 1]
        (chance,) = seen.forecast(np.array([len(known)])).below(bound)
        return Verdict.STOP if chance < self.chance else Verdict.CONTINUE


def _is_look(trial: Trial, history: History, steps: tuple[int, ...]) -> bool:
    """Whether the latest report of the metric is the first at or beyond a step."""
    curve = trial.curves.get(history.metric.name)
    if curve is None or not len(curve) or curve.steps[-1] != trial.step:
        return False
    before = int(curve.steps[-2]) if len(curve) > 1 else -1
    return any(before < step <= trial.step for step in steps[:-1]) and (
        trial.step < steps[-1]
    )


def _is_rival(trial: Trial) -> bool:
    """Whether a trial's loss is one to be improved on."""
    is_bad = trial.state in (State.FAILED, State.INFEASIBLE)
    return trial.kind.judged and not is_bad
