"""Population-based training (Jaderberg et al., 2017).

M. Jaderberg et al., "Population Based Training of Neural Networks", arXiv:1711.09846.
Exploit by truncation selection or by binary tournaments, explore by perturbing
(section 4.1.1), in step with one another: members share one architecture, so that none
has to wait long.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from ..errors import StudyError
from ..history import History
from ..trial import Trial
from .base import Resume, Scheduler, Start, Verdict
from .explore import explored
from .population import Population, Replacement
from .rungs import paused_at_budget


@dataclass(frozen=True)
class Pbt(Scheduler):
    """Copies good members over bad ones, with other params, as all train on.

    After every `interval` steps (None: a twentieth of the study's `max_steps`) each of
    the last `share` of the `population` is replaced by a child of one of the first
    `share`: a new trial, which goes on from its parent's checkpoint with params that
    are perturbed or, with the chance `resample`, drawn again. So the result is a
    schedule of params: `danlu.analysis.schedule_of`.

    With `exploit="tournament"` each member meets one other by chance instead, and is
    replaced by a child of that one if it is worse; `share` does not count then.

    Every child counts among the study's `trials`. When these are used up, all members
    train on to the end as they are.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"lr": danlu.Float(1e-4, 1.0, log=True)})
    >>> def member(number, loss):
    ...     return danlu.Trial(number, {"lr": 0.01}, danlu.State.PAUSED, budget=5,
    ...                        scheduler_note={"member": number, "step": 0},
    ...                        curves={"loss": danlu.Curve.of({5: loss})})
    >>> history = danlu.History(space, danlu.Metric("loss"),
    ...                         [member(0, 0.9), member(1, 0.2)], max_steps=100)
    >>> scheduler = danlu.schedulers.Pbt(population=2)
    >>> child = scheduler.next(history, numpy.random.default_rng(0))
    >>> child.parent, child.params, child.budget
    (1, {'lr': 0.012}, 10)

    Raises:
        StudyError: a setting is impossible.
    """

    population: int = 20  # with 10 the paper's results vary more (figure 5, left)
    interval: int | None = None
    share: float = 0.2  # section 4.1.1
    resample: float = 0.25  # the paper has no number; this is Ray Tune's
    exploit: str = "truncation"

    def __post_init__(self) -> None:
        if self.exploit not in ("truncation", "tournament"):
            raise StudyError(
                "Pbt needs exploit to be 'truncation' or 'tournament', got "
                f"{self.exploit!r}"
            )
        if not 0 <= self.resample <= 1:
            raise StudyError(f"Pbt needs 0 <= resample <= 1, got {self.resample!r}")
        self._population()

    def next(self, history: History, rng: Generator) -> Start | Resume | None:
        """A member to begin, a child to replace one, or a member to go on.

        Raises:
            StudyError: the study does not say how long a full training is.
        """
        found = self._population().next(history)
        if not isinstance(found, Replacement):
            return found
        parent = found.parents[rng.integers(len(found.parents))]
        params = explored(history.space, parent.params, rng, self.resample)
        return Start(found.budget, params, parent.number, found.note)

    def judge(self, trial: Trial, history: History) -> Verdict:
        """To pause at the end of a generation, else to continue."""
        return paused_at_budget(trial, history)

    def _population(self) -> Population:
        return Population(
            "Pbt",
            self.population,
            self.interval,
            self.share,
            tournament=self.exploit == "tournament",
        )
