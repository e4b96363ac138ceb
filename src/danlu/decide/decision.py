"""What is decided about a study: a record that nothing changes afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..space import Params


class Ruling(StrEnum):
    """What a decision says: adopt the candidate, keep the baseline, or run more seeds.

    >>> import danlu
    >>> [ruling.value for ruling in danlu.Ruling]
    ['adopt', 'reject', 'more', 'rollback']
    """

    ADOPT = "adopt"
    REJECT = "reject"
    MORE = "more"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Baseline:
    """Params to beat, and where they come from: this study, or one adopted before."""

    params: Params
    origin: str


@dataclass(frozen=True)
class Runs:
    """One configuration as it was trained on fresh seeds.

    `trials` are the search trials with these params, `confirmed` those that were run to
    confirm them, `mean` and `spread` (standard deviation) of the study's metric over
    the `seeds` seeds with a result; `infeasible` counts those that diverged or broke a
    constraint.
    """

    params: Params
    trials: tuple[int, ...]
    confirmed: tuple[int, ...]
    seeds: int
    mean: float | None
    spread: float | None
    infeasible: int


@dataclass(frozen=True)
class Gain:
    """By how much the candidate is better, in units of the metric; more is better.

    `low` and `high` enclose the true gain with a probability of 90 %; `value` is in the
    middle of what is likely, and `observed` the plain mean over `seeds` seeds, of which
    nothing is taken off for having chosen the best. `probability` is that the true gain
    is above the cost. `paired`: candidate and baseline were trained on the same seeds.
    """

    value: float
    low: float
    high: float
    observed: float
    probability: float
    seeds: int
    paired: bool


@dataclass(frozen=True)
class Guard:
    """What the candidate must keep to, and whether it does by its mean over seeds."""

    text: str
    value: float | None
    limit: float | None
    kept: bool


@dataclass(frozen=True)
class NextStudy:
    """A study that could follow, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """What was concluded of a study, by whom, when, and on which evidence.

    `candidate` is the configuration that it is about, chosen as the best of
    `candidates`; `baseline` the one that it was compared with, which `baseline_from`
    explains. `complexity` is what the candidate costs besides, in units of the metric:
    its gain must be above it. `certainty` is the probability that was asked for, and
    `look` how many times the confirmed seeds were looked at. `missing_seeds` says how
    many more are needed. `by_hand`: a person ruled so, whatever the numbers say.
    `number` counts the decisions of a project, `rolls_back` names the one taken back.

    >>> import danlu
    >>> decision = danlu.Decision("digits", danlu.Ruling.REJECT, reason="No better.")
    >>> decision.ruling.value
    'reject'
    """

    study: str
    ruling: Ruling
    reason: str = ""
    metric: str = ""
    candidate: Runs | None = None
    candidates: tuple[Runs, ...] = ()
    baseline: Runs | None = None
    baseline_from: str = ""
    gain: Gain | None = None
    complexity: float = 0.0
    certainty: float | None = None
    look: int = 1
    missing_seeds: int | None = None
    guards: tuple[Guard, ...] = ()
    caveats: tuple[str, ...] = ()
    next_studies: tuple[NextStudy, ...] = ()
    why: str = ""
    who: str = ""
    by_hand: bool = False
    rolls_back: int | None = None
    number: int | None = None
    written_s: float | None = None

    @property
    def params(self) -> Params | None:
        """The candidate's params, None where there is none."""
        return None if self.candidate is None else self.candidate.params

    @property
    def total_seeds(self) -> int | None:
        """How many seeds to confirm with in all, None where no more are needed.

        >>> Decision("s", Ruling.MORE, missing_seeds=5).total_seeds
        5
        """
        if self.missing_seeds is None:
            return None
        counted = self.candidates if self.candidate is None else (self.candidate,)
        have = max((len(own.confirmed) for own in counted), default=0)
        if have and self.baseline is None and self.baseline_from:
            return have  # it is the baseline alone that is missing
        return have + self.missing_seeds


def standing(decisions: Iterable[Decision]) -> Decision | None:
    """The adoption that holds now: the last one that was not rolled back.

    >>> first = Decision("s", Ruling.ADOPT, number=1)
    >>> second = Decision("s", Ruling.ADOPT, number=2)
    >>> back = Decision("s", Ruling.ROLLBACK, rolls_back=2, number=3)
    >>> standing([first, second, back]).number
    1
    """
    adopted: list[Decision] = []
    for decision in decisions:
        if decision.ruling is Ruling.ADOPT:
            adopted.append(decision)
        elif decision.ruling is Ruling.ROLLBACK:
            adopted = [own for own in adopted if own.number != decision.rolls_back]
    return adopted[-1] if adopted else None


def same_params(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether two sets of params are one configuration.

    >>> same_params({"x": 1.0, "y": True}, {"y": True, "x": 1})
    True
    """
    return identity(one) == identity(other)


def identity(params: Mapping[str, object]) -> tuple[tuple[str, str, object], ...]:
    """What tells one configuration from another; 1 and 1.0 are one, 1 and True two."""
    return tuple(
        (name, "truth" if isinstance(params[name], bool) else "", params[name])
        for name in sorted(params)
    )
