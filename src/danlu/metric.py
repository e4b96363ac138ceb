"""The number that a study is about, and the loss that it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .errors import StudyError
from .jsontext import is_name
from .trial import Curve


@dataclass(frozen=True)
class Metric:
    """The number that a study makes small, or large with `maximize=True`.

    `at="best"` takes the best value over the steps (the checkpoint that one would
    keep); `at="last"` the one at the last step.

    >>> import danlu
    >>> error = danlu.Metric("val_error")
    >>> error.loss(danlu.Curve.of({1: 0.5, 2: 0.3, 3: 0.4}))
    0.3

    Raises:
        StudyError: the name is empty, `maximize` is no bool, or `at` neither of the
            two.
    """

    name: str
    maximize: bool = False
    at: Literal["best", "last"] = "best"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise StudyError(f"a metric needs a name, got {self.name!r}")
        if not is_name(self.name):
            raise StudyError(f"a metric's name is valid Unicode, got {self.name!r}")
        if not isinstance(self.maximize, bool):
            raise StudyError(
                f"Metric(maximize=...) is True or False, got {self.maximize!r}"
            )
        if self.at not in ("best", "last"):
            raise StudyError(f"Metric(at=...) is 'best' or 'last', got {self.at!r}")

    def loss(self, curve: Curve | None) -> float | None:
        """The curve as one number of which smaller is better, None where it has none.

        A value that is not finite is no value: the trial that has one is infeasible.
        """
        if curve is None:
            return None
        values = curve.values[np.isfinite(curve.values)]
        if not len(values):
            return None
        signed = -values if self.maximize else values
        return float(signed[-1] if self.at == "last" else signed.min())

    def step(self, curve: Curve | None) -> int | None:
        """The step at which the loss was taken, None where there is no loss."""
        loss = self.loss(curve)
        if curve is None or loss is None:
            return None
        (places,) = np.nonzero(curve.values == self.value(loss))
        return int(curve.steps[places[-1 if self.at == "last" else 0]])

    def value(self, loss: float) -> float:
        """The metric as the user knows it, from the loss."""
        return -loss if self.maximize else loss
