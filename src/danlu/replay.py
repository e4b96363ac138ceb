"""What another scheduler would have done on a study whose trials were trained.

The trials are played back in the order in which they were, by the loop itself with an
executor that only simulates; nothing is trained and nothing is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .codec import study_to_json
from .errors import StudyError
from .executors.base import Outcome
from .executors.simulated import Recording, Simulated
from .history import History
from .loop import Loop
from .memory import Memory
from .samplers.fixed import Fixed
from .schedulers.base import Scheduler
from .study import Study
from .trial import Kind, State, Trial


@dataclass(frozen=True)
class Replay:
    """How a study would have gone.

    `steps` were trained in `seconds` by the clock, `trained` trials to their end.
    `best` is the number that the best trial had when it was recorded, `loss` what is
    known of it; None when no trial has a loss.

    >>> Replay(steps=9, seconds=9.0, trained=1, best=4, loss=0.1).best
    4
    """

    steps: int
    seconds: float
    trained: int
    best: int | None
    loss: float | None


def replay(
    study: Study, history: History, scheduler: Scheduler | str, *, slots: int = 1
) -> Replay:
    """How the study would have gone with this scheduler and so many slots.

    Params are those that were recorded: what a sampler would have learned from fewer
    steps is not asked. Only trials whose whole curve is known take part (`replayable`).

    >>> import danlu
    >>> def train(trial):
    ...     for step in range(1, 10):
    ...         trial.report(step, loss=trial.params["x"] + 1 / step)
    >>> with danlu.open(":memory:") as project:
    ...     study = danlu.Study("s", "Where is the minimum?", "loss",
    ...                         {"x": danlu.Float(0, 1)}, trials=10, max_steps=9,
    ...                         sampler="quasi_random")
    ...     history = project.run(study, danlu.executors.Inline(train))
    >>> whole = replay(study, history, "full")
    >>> thinned = replay(study, history, "asha")
    >>> whole.steps, thinned.steps < 40, thinned.best == whole.best
    (90, True, True)

    Raises:
        StudyError: no trial was trained to its end, or the scheduler cannot be used.
    """
    recorded = replayable(study, history)
    if not recorded:
        raise StudyError(
            f"study {study.name!r} has no trial that was trained to its end, so there "
            "is nothing to replay: run some with the scheduler full"
        )
    executor = Simulated(lambda trial: _recording(recorded[trial.index or 0]), slots)
    played = _run(_restated(study, recorded, scheduler), executor)
    best = played.best
    return Replay(
        steps=executor.steps,
        seconds=executor.clock_s,
        trained=sum(trial.state is State.COMPLETED for trial in played.trials),
        best=None if best is None else recorded[best.index or 0].number,
        loss=None if best is None else played.loss(best),
    )


def replayable(study: Study, history: History) -> Sequence[Trial]:
    """The search trials whose whole curve is known: trained to the end, or infeasible.

    Those that a scheduler or a person had stopped are not, and neither are failed ones.
    """
    whole = (State.COMPLETED, State.INFEASIBLE)
    return [
        trial
        for trial in history.trials
        if trial.kind is Kind.SEARCH and trial.state in whole
        if trial.params in study.search_space
    ]


def _restated(
    study: Study, recorded: Sequence[Trial], scheduler: Scheduler | str
) -> Study:
    """The study of the recorded trials alone, in their order."""
    points = [trial.params for trial in recorded]
    return replace(
        study,
        sampler=Fixed(points),
        scheduler=scheduler,
        trials=len(points),
        baseline=None,
        learn_from=(),
        max_steps=study.max_steps or max(trial.step for trial in recorded),
    )


def _recording(trial: Trial) -> Recording:
    """What a trial reported, at even steps of the time that it took."""
    step_s = (trial.seconds or 0.0) / max(1, trial.step) or 1.0
    reports = trial.reports
    seconds = tuple(step_s * report.step for report in reports)
    for outcome in (Outcome.OUT_OF_MEMORY, Outcome.OUT_OF_TIME):
        if trial.state is State.INFEASIBLE and trial.reason.startswith(outcome.value):
            reason = trial.reason.removeprefix(f"{outcome.value}: ")
            return Recording(reports, seconds, outcome, reason)
    is_finite = all(math.isfinite(v) for r in reports for v in r.metrics.values())
    if trial.state is State.INFEASIBLE and is_finite:  # a person said so, or a limit
        # Any outcome that makes it infeasible; the reason is its own.
        return Recording(reports, seconds, Outcome.OUT_OF_MEMORY, trial.reason)
    return Recording(reports, seconds)


def _run(study: Study, executor: Simulated) -> History:
    from .storage.sql import open_storage  # 0.2 s to import

    storage = open_storage(":memory:")
    try:
        kept = storage.add_study(study.name, study_to_json(study))
        memory = Memory(study, storage, kept.id)
        folder = Path(study.name)  # nothing is written there
        loop = Loop(memory, storage, executor, folder=lambda n: folder / str(n))
        return loop.run()
    finally:
        storage.close()
