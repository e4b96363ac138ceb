"""Every trial runs to its end."""

from __future__ import annotations

from dataclasses import dataclass

from ..history import History
from ..trial import Trial
from .base import StoppingRule, Verdict


@dataclass(frozen=True)
class Full(StoppingRule):
    """Starts a trial in every free slot and lets it run to the full length.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> history = danlu.History(space, danlu.Metric("loss"))
    >>> danlu.schedulers.Full().next(history, numpy.random.default_rng(0))
    Start(budget=None, params=None, parent=None, note={})
    """

    def judge(self, trial: Trial, history: History) -> Verdict:
        """Always to continue."""
        return Verdict.CONTINUE
