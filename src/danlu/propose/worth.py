"""What further trials would bring and cost, as far as the trials so far tell."""

from __future__ import annotations

import math

import numpy as np

from ..history import History
from ..space import Array
from ..study import Study
from ..trial import Trial

LEAST_TRIALS = 8  # with a value, below which half of them says nothing of the others


def doubling_gain(history: History) -> float | None:
    """By how much the loss of the best fell when the number of trials doubled last.

    The expected best of half of the search trials, drawn without replacement, less the
    best of all. Of sorted losses y_1 <= ... <= y_n the best of m is y_i with the
    probability C(n - i, m - 1) / C(n, m). Each doubling brings less than the one
    before, so this bounds what the next one is expected to bring. Adaptive samplers
    learn, so that for them it is a guess. None with fewer than 8 trials.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> trials = [danlu.Trial(n, {"x": 0.5}, danlu.State.COMPLETED, curves={
    ...     "loss": danlu.Curve.of({1: float(n)})}) for n in range(9)]
    >>> round(doubling_gain(danlu.History(space, danlu.Metric("loss"), trials)), 6)
    1.0
    """
    ranked = [trial for trial in history.ranked() if trial.kind.judged]
    losses = [loss for t in ranked if (loss := history.loss(t)) is not None]
    count = len(losses)
    if count < LEAST_TRIALS:
        return None
    half = count // 2
    chances = _best_of(count, half)
    return float(chances @ np.array(losses[: len(chances)]) - losses[0])


def study_seconds(study: Study, history: History, earlier: Study) -> float | None:
    """How long `study` takes in one slot, judged by the trials of an `earlier` one.

    None where nothing has been timed. Trials are taken to be ended as early as those of
    the earlier study were, if the scheduler is the same, and to run to the end if not.
    """
    timed = [t for t in history.trials if _timed(t)]
    if not timed:
        return None
    trial_s = float(np.mean([trial.seconds or 0.0 for trial in timed]))
    if study.max_steps is None or earlier.max_steps is None:
        return trial_s * study.trials
    steps = float(np.mean([trial.step - trial.first_step for trial in timed]))
    if steps <= 0:
        return trial_s * study.trials
    same = study.scheduler == earlier.scheduler
    share = steps / earlier.max_steps if same else 1.0
    return trial_s / steps * share * study.max_steps * study.trials


def _timed(trial: Trial) -> bool:
    return trial.kind.judged and trial.state.ended and bool(trial.seconds)


def _best_of(count: int, drawn: int) -> Array:
    """The chance that the i-th of `count` is the best of `drawn` of them."""
    whole = _log_choose(count, drawn)
    places = range(1, count - drawn + 2)
    logs = [_log_choose(count - i, drawn - 1) - whole for i in places]
    chances: Array = np.exp(np.array(logs))
    return chances


def _log_choose(of: int, drawn: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(drawn + 1) - math.lgamma(of - drawn + 1)
