"""What every trial's learning curve does, and how many do so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..history import History
from .curve_classes import ALPHA, improving, overfits, rises, saturates, unstable
from .curve_cycles import cycling
from .looked import Looked, look


@dataclass(frozen=True)
class Classes:
    """The trials that were trained to their end, by what their curves do.

    `read` are the numbers of those whose curves are long enough to be read, best first.
    `trials` maps each class to numbers among them: `overfitting`, `still improving`,
    `saturated`, `unstable`, `rising` (its training metric) and `periodic`. A trial may
    be in several, or in none. `best_steps` are the steps of their best reports.

    >>> Classes((3, 1), {"saturated": (1,)}, {3: 9, 1: 4}).share("saturated")
    0.5
    """

    read: tuple[int, ...]
    trials: Mapping[str, tuple[int, ...]]
    best_steps: Mapping[int, int]

    def share(self, name: str) -> float:
        """The share of the trials that are in a class, 0 without trials."""
        return len(self.trials[name]) / len(self.read) if self.read else 0.0


def classes(history: History) -> Classes:
    """What the curves of the search trials do, each looked at alone.

    A flat curve is a false member of a class once in a hundred times; of one that falls
    under a decaying learning rate it is less certain, alone, whether it still improves.
    What the checks say of a study rests on its better trials together.

    >>> import danlu
    >>> values = {step: 1.0 if step < 3 else 0.0 for step in range(1, 41)}
    >>> trial = danlu.Trial(0, {"x": 0.5}, danlu.State.COMPLETED,
    ...                     curves={"loss": danlu.Curve.of(values)})
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> history = danlu.History(space, danlu.Metric("loss"), [trial])
    >>> found = classes(history)
    >>> found.trials["saturated"], found.best_steps
    ((0,), {0: 3})
    """
    looked = look(history)
    curves = looked.validation
    flags = {
        "overfitting": overfits(looked, ALPHA),
        "still improving": looked.flags(curves, improving),
        "saturated": saturates(looked),
        "unstable": looked.flags(looked.trained, unstable),
        "rising": rises(looked),
        "periodic": looked.flags(curves, lambda own: cycling(own, ALPHA)),
    }
    return Classes(
        tuple(looked.numbers(looked.read)),
        {name: tuple(looked.numbers(own)) for name, own in flags.items()},
        _best_steps(looked),
    )


def _best_steps(looked: Looked) -> dict[int, int]:
    return {
        looked.trials[row].number: int(step)
        for own in looked.validation
        for row, step in zip(
            own.rows,
            own.steps[np.arange(len(own.rows)), own.raw.argmin(axis=1)],
            strict=True,
        )
    }
