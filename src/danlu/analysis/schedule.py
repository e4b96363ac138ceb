"""The schedule of params behind a trial that began from another one's checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import TrialError
from ..history import History
from ..space import Params
from ..trial import Trial


@dataclass(frozen=True)
class Stretch:
    """The steps after `from_step` up to `to_step`, trained by one trial.

    >>> import danlu
    >>> danlu.analysis.Stretch(0, 5, 3, {"lr": 0.1}).params
    {'lr': 0.1}
    """

    from_step: int
    to_step: int
    trial: int
    params: Params

    def to_json(self) -> dict[str, Any]:
        """The stretch as JSON, which `Scheduled` reads."""
        return {
            "from_step": self.from_step,
            "to_step": self.to_step,
            "trial": self.trial,
            "params": dict(self.params),
        }


def lineage(history: History, number: int) -> tuple[Trial, ...]:
    """The trial and those that it descends from, the first one first.

    >>> import danlu
    >>> space = danlu.SearchSpace({"lr": danlu.Float(0, 1)})
    >>> trials = [danlu.Trial(0, {"lr": 0.1}),
    ...           danlu.Trial(1, {"lr": 0.2}, parent=0, first_step=5)]
    >>> history = danlu.History(space, danlu.Metric("loss"), trials)
    >>> [trial.number for trial in danlu.analysis.lineage(history, 1)]
    [0, 1]

    Raises:
        TrialError: there is no such trial.
    """
    by_number: Mapping[int, Trial] = {own.number: own for own in history.trials}
    if number not in by_number:
        raise TrialError(f"no trial {number} in this study")
    found = [by_number[number]]
    while (parent := found[-1].parent) is not None and parent in by_number:
        found.append(by_number[parent])
    return tuple(reversed(found))


def schedule_of(history: History, number: int) -> tuple[Stretch, ...]:
    """By which params the checkpoint of a trial was trained, from step 0 on.

    Ancestors that added no step of their own are left out.

    >>> import danlu
    >>> space = danlu.SearchSpace({"lr": danlu.Float(0, 1)})
    >>> trials = [danlu.Trial(0, {"lr": 0.1}),
    ...           danlu.Trial(1, {"lr": 0.2}, parent=0, first_step=5,
    ...                       curves={"loss": danlu.Curve.of({9: 0.3})})]
    >>> history = danlu.History(space, danlu.Metric("loss"), trials)
    >>> for stretch in danlu.analysis.schedule_of(history, 1):
    ...     print(stretch.from_step, stretch.to_step, stretch.params)
    0 5 {'lr': 0.1}
    5 9 {'lr': 0.2}

    Raises:
        TrialError: there is no such trial.
    """
    line = lineage(history, number)
    begins = [trial.first_step for trial in line]
    ends = [*begins[1:], line[-1].step]
    return tuple(
        Stretch(begin, end, trial.number, trial.params)
        for trial, begin, end in zip(line, begins, ends, strict=True)
        if end > begin or trial is line[-1]
    )
