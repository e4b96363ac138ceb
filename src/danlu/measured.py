"""What was measured of a training program before it is tuned, put into its study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from .domain import Float
from .errors import StudyError
from .study import Study

RATE = "lr"  # as a `training.Probe` hands the learning rate to its program


class Preflight(Protocol):
    """What tuning asks of a pre-flight, such as that of `training.Probe.preflight`."""

    @property
    def faults(self) -> Sequence[str]:
        """What must be put right before anything is tuned, a sentence each."""

    @property
    def rates(self) -> tuple[float, float] | None:
        """The lowest and the highest learning rate worth searching, None if unknown."""

    @property
    def message(self) -> str:
        """What is known of the rate, in one sentence."""

    @property
    def updates(self) -> int:
        """How many updates were made."""

    @property
    def trainings(self) -> float | None:
        """The same in full trainings, None where nobody knows."""

    @property
    def seconds(self) -> float:
        """What it took."""


@dataclass(frozen=True)
class Measured:
    """A pre-flight as plain values: to be kept, or measured by other means.

    >>> Measured(rates=(1e-3, 0.1), message="0.03 is usable.", updates=300).faults
    ()
    """

    rates: tuple[float, float] | None
    message: str
    faults: Sequence[str] = ()
    updates: int = 0
    trainings: float | None = 0.0
    seconds: float = 0.0


def around(study: Study, preflight: Preflight) -> Study:
    """The study with its learning rate searched where it was measured to be usable.

    The reason stands in its note. A study whose space has no `lr` comes back as it is,
    with a note that says so, as does one for which no rate was found.

    >>> import danlu
    >>> study = danlu.Study("s", "Which rate?", "loss", trials=9,
    ...                     space={"lr": danlu.Float(1e-6, 1, log=True)})
    >>> moved = around(study, Measured((1e-3, 4e-2), "A rate of 0.01 is usable."))
    >>> str(moved.search_space.domains["lr"])
    '0.001..0.04 log'

    Raises:
        StudyError: the program has a fault.
    """
    if preflight.faults:
        raise StudyError(
            f"the program has a fault: {' '.join(preflight.faults)} Tuning would find "
            "the best way to live with it: put it right first"
        )
    space = study.search_space
    domain = space.domains.get(RATE)
    if preflight.rates is None or not isinstance(domain, Float):
        why = preflight.message if preflight.rates is None else f"no {RATE} is searched"
        return _noted(study, f"Pre-flight: the space stays as it is: {why}")
    low, high = (float(f"{rate:.2g}") for rate in preflight.rates)
    moved = replace(space, domains={**space.domains, RATE: Float(low, high, log=True)})
    note = f"Pre-flight: {RATE} {low:g}..{high:g} instead of {domain}."
    return _noted(replace(study, space=moved), f"{note} {preflight.message}")


def _noted(study: Study, text: str) -> Study:
    return replace(study, note=f"{study.note} {text}".strip())
