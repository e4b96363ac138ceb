"""DECIDE whether to adopt what a study found, from runs on fresh seeds alone.

The search result itself counts for nothing here: the best of many is lucky. A candidate
is adopted if its gain on fresh seeds is above what it costs with a high probability,
kept waiting if a few more seeds could show that, and rejected otherwise: certainty is
not asked for, and a gain too small to be seen is not worth the change.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from ..analysis.gain import seeds_needed
from ..errors import StudyError
from ..guard import limit_of
from ..history import History
from ..study import Study
from ..trial import Kind, State
from .confirm import SEEDS
from .decision import Baseline, Decision, Gain, Guard, Ruling, identity
from .guard import guard
from .weigh import Group, Weight, groups_of, runs_of, weighed

WRONG_ADOPTIONS = 0.05  # at most, of candidates that are no better, over all looks
MOST_SEEDS = 20  # a gain that needs more is seldom worth its trainings
MOST_DECIMALS = 12
_OUTSIDE = 0.05  # of the probability, on each side of the interval of 90 %


@dataclass(frozen=True)
class Terms:
    """What is asked of a candidate besides being better.

    `complexity` is what its adoption costs, in units of the metric (code to maintain, a
    slower model): the gain must be above it. `guards` are conditions on other metrics,
    such as `test_error <= baseline + 0.005`, in the place of those that the study
    states; None for these. A gain that needs more than `most_seeds` seeds to be shown
    is given up.

    >>> import danlu
    >>> danlu.Terms(complexity=0.002, guards=("test_error <= baseline",)).most_seeds
    20

    Raises:
        StudyError: a cost that is not a number from 0, or less than 2 seeds.
    """

    complexity: float = 0.0
    guards: tuple[str, ...] | None = None
    most_seeds: int = MOST_SEEDS

    def __post_init__(self) -> None:
        if not (math.isfinite(self.complexity) and self.complexity >= 0):
            raise StudyError(
                "complexity is a number from 0, in units of the metric, got "
                f"{self.complexity!r}"
            )
        if self.most_seeds < 2:
            raise StudyError(f"most_seeds is 2 or more, got {self.most_seeds!r}")


def decide(
    study: Study,
    history: History,
    baseline: Baseline | None = None,
    *,
    terms: Terms = Terms(),
    earlier: Sequence[Decision] = (),
) -> Decision:
    """What the confirming trials say: adopt, reject, or run more seeds.

    `earlier` are the decisions about this study before: every look at more seeds is one
    more chance to be lucky, so each asks for a higher probability than the one before.

    >>> import danlu
    >>> study = danlu.Study("s", "Which x?", "loss", {"x": danlu.Float(0, 1)}, 3)
    >>> decide(study, danlu.History(study.search_space, study.objective)).ruling.value
    'more'
    """
    groups = groups_of(history)
    own = None if baseline is None else identity(baseline.params)
    rivals = [group for group in groups if identity(group.params) != own]
    reference = next((g for g in groups if identity(g.params) == own), None)
    look = _look(rivals, earlier)
    draft = Decision(
        study=study.name,
        ruling=Ruling.MORE,
        metric=study.objective.name,
        candidates=tuple(runs_of(group, study, history) for group in rivals),
        baseline=None if reference is None else runs_of(reference, study, history),
        baseline_from="" if baseline is None else baseline.origin,
        complexity=terms.complexity,
        certainty=certainty(look),
        look=look,
        caveats=caveats(study, history, groups),
    )
    stable = [group for group in rivals if not group.infeasible]
    waiting = _waiting(draft, history, baseline, stable)
    if waiting is not None:
        return waiting
    if reference is not None and not reference.losses:
        if not reference.infeasible:  # failed runs say nothing
            return _more(draft, "the baseline has no result on fresh seeds", SEEDS)
        reference = None  # it diverged on every seed
    weight = weighed(stable, reference)
    if weight is None:
        reason = "there are too few fresh seeds to know how much seeds differ"
        counts = [len(group.losses) for group in (*stable, *filter(None, [reference]))]
        return _more(draft, reason, SEEDS - min(counts))
    return _Case(study, history, draft, weight, reference, terms).ruled()


def certainty(look: int) -> float:
    """The probability of a gain that the `look`-th look at the seeds asks for.

    The errors allowed are as 1, 1/4, 1/9 ...: over all looks they add up to
    `WRONG_ADOPTIONS`, however many there are.

    >>> [round(certainty(look), 4) for look in (1, 2, 3)]
    [0.9696, 0.9924, 0.9966]
    """
    return 1 - WRONG_ADOPTIONS * 6 / (math.pi * look) ** 2


@dataclass(frozen=True)
class _Case:
    """All that a ruling about a candidate with enough seeds rests on."""

    study: Study
    history: History
    draft: Decision
    weight: Weight
    reference: Group | None
    terms: Terms

    def ruled(self) -> Decision:
        """The decision, with its reason."""
        draft = replace(
            self.draft,
            candidate=runs_of(self.weight.best, self.study, self.history),
            gain=self._gain(),
            guards=self._guards(),
            caveats=(*self.draft.caveats, *self._unlooked()),
        )
        broken = [own.text for own in draft.guards if not own.kept]
        if broken:
            reason = f"{_named(draft)} breaks the guard {broken[0]!r}"
            return replace(draft, ruling=Ruling.REJECT, reason=reason)
        if draft.gain is None:
            return replace(draft, ruling=Ruling.ADOPT, reason=self._alone(draft))
        return self._compared(draft, draft.gain)

    def _compared(self, draft: Decision, gain: Gain) -> Decision:
        asked, cost = certainty(draft.look), self.terms.complexity
        says = _gain_text(draft, gain)
        if gain.probability >= asked:
            reason = f"{says}: that is enough to adopt it"
            return replace(draft, ruling=Ruling.ADOPT, reason=reason)
        if gain.seeds < SEEDS and gain.high > cost:
            return _more(draft, f"{says}, not enough to tell", SEEDS - gain.seeds)
        needed = seeds_needed(
            gain.value - cost,
            self.weight.spread,
            certainty(draft.look + 1),
            self.terms.most_seeds,
        )
        if gain.high > cost and needed is not None:
            missing = max(needed - gain.seeds, 1)
            return _more(draft, f"{says}, not the {_percent(asked)} asked for", missing)
        reason = f"{says}: {self._hopeless(gain)}"
        return replace(draft, ruling=Ruling.REJECT, reason=reason)

    def _hopeless(self, gain: Gain) -> str:
        cost = self.terms.complexity
        what = "its cost" if cost else "zero"
        if gain.high <= cost:
            return f"the gain is below {what}"
        if gain.value <= cost:
            return f"a gain above {what} is not in sight"
        return (
            f"a gain this small would need more than {self.terms.most_seeds} seeds "
            "to be shown"
        )

    def _gain(self) -> Gain | None:
        if self.reference is None:
            return None
        known = self.weight.known
        return Gain(
            value=known.quantile(0.5),
            low=known.quantile(_OUTSIDE),
            high=known.quantile(1 - _OUTSIDE),
            observed=float(self.weight.gains.mean()),
            probability=known.above(self.terms.complexity),
            seeds=len(self.weight.gains),
            paired=self.weight.paired,
        )

    def _guards(self) -> tuple[Guard, ...]:
        baseline = () if self.reference is None else self.reference.trials
        return tuple(
            guard(text, self.study, self.weight.best.trials, baseline)
            for text in self._stated()
            if baseline or not limit_of(text).relative
        )

    def _unlooked(self) -> Iterator[str]:
        """The guards that take a baseline, where there is none."""
        for text in self._stated():
            if self.reference is None and limit_of(text).relative:
                yield f"The guard {text!r} takes a baseline, and there is none."

    def _stated(self) -> Sequence[str]:
        """The guards of the terms, or those of the study."""
        own = self.terms.guards
        return self.study.guards if own is None else own

    def _alone(self, draft: Decision) -> str:
        known, value = self.weight.known, self.study.objective.value
        ends = (value(-known.quantile(share)) for share in (_OUTSIDE, 1 - _OUTSIDE))
        low, high = sorted(ends)
        return (
            f"{_named(draft)} has {draft.metric} {value(-known.quantile(0.5)):.4g} "
            f"(90 % interval {low:.4g} to {high:.4g}) on {len(self.weight.gains)} "
            f"fresh seeds, and {self._unbeaten()}: it becomes the baseline"
        )

    def _unbeaten(self) -> str:
        if self.draft.baseline is None:
            return "there is no baseline to beat"
        return "the baseline diverged or broke a limit on every seed"


def caveats(study: Study, history: History, groups: Sequence[Group]) -> tuple[str, ...]:
    """What limits the conclusion: what was fixed (rule D3), left out, or not looked at.

    >>> import danlu
    >>> study = danlu.Study("s", "Which x?", "loss", {"x": danlu.Float(0, 1)}, 3,
    ...                     fixed={"epochs": 3})
    >>> caveats(study, danlu.History(study.search_space, study.objective), [])[0]
    'It holds for epochs=3, which was fixed.'
    """
    said = []
    if study.fixed:
        fixed = ", ".join(f"{name}={value}" for name, value in study.fixed.items())
        were = "was" if len(study.fixed) == 1 else "were"
        said.append(f"It holds for {fixed}, which {were} fixed.")
    for group in groups:
        said += _shortfalls(group, history)
    if groups and all(map(_ignores_seeds, groups)):
        said.append(
            f"No seed makes any difference to {study.objective.name}: the program may "
            "not use the seed that it is given, and then fresh seeds confirm nothing."
        )
    said.append(
        f"The fresh seeds give {study.objective.name} on the data that the search "
        "looked at, not on a test set."
    )
    return tuple(said)


def _ignores_seeds(group: Group) -> bool:
    """Whether several seeds have come to the very same loss."""
    return len(group.losses) > 1 and len(set(group.losses.values())) == 1


def _shortfalls(group: Group, history: History) -> Iterator[str]:
    """What went wrong with the runs of one configuration."""
    name, count = _first(group, history), len(group.trials)
    if group.infeasible:
        yield f"{name} was infeasible on {group.infeasible} of {count} fresh seeds."
    failed = sum(trial.state is State.FAILED for trial in group.trials)
    if failed:
        yield (
            f"{failed} of {count} runs of {name} failed and do not count: `danlu "
            "resume --retry-failed` runs them again."
        )
    key = identity(group.params)
    if any(
        trial.parent is not None and identity(trial.params) == key
        for trial in history.trials
        if trial.kind is Kind.SEARCH
    ):
        yield f"{name} began with other params; these alone were confirmed."


def _first(group: Group, history: History) -> str:
    """A configuration by the first search trial that has it."""
    key = identity(group.params)
    for trial in history.trials:
        if trial.kind is Kind.SEARCH and identity(trial.params) == key:
            return f"trial {trial.number}"
    return "the baseline"


def _waiting(
    draft: Decision,
    history: History,
    baseline: Baseline | None,
    stable: Sequence[Group],
) -> Decision | None:
    """The decision where there is nothing to compare yet."""
    unended = [
        trial
        for trial in history.trials
        if trial.kind is Kind.CONFIRM and not trial.state.ended
    ]
    if unended:
        return replace(
            draft, reason=f"{len(unended)} of the confirming runs have not ended"
        )
    if not draft.candidates and history.best is None:
        return replace(draft, reason="no trial has a result that could be confirmed")
    if not draft.candidates and not _others(history, baseline):
        reason = "no params but the baseline's have a result"
        return replace(draft, ruling=Ruling.REJECT, reason=reason)
    if not draft.candidates:
        return _more(draft, "nothing was run on fresh seeds yet", SEEDS)
    if baseline is not None and draft.baseline is None:
        return _more(draft, "the baseline was not run on fresh seeds yet", SEEDS)
    if not stable:
        reason = "every candidate diverged or broke a limit on a fresh seed"
        return replace(draft, ruling=Ruling.REJECT, reason=reason)
    return None


def _others(history: History, baseline: Baseline | None) -> bool:
    """Whether a search trial with a result has other params than the baseline."""
    own = None if baseline is None else identity(baseline.params)
    searched = (t.params for t in history.ranked() if t.kind is Kind.SEARCH)
    fixed = history.space.fixed
    return any(identity({**fixed, **params}) != own for params in searched)


def _look(rivals: Sequence[Group], earlier: Sequence[Decision]) -> int:
    """How many times different seeds of these candidates were looked at, this one too.

    Since the last adoption: after it there is another baseline to beat.
    """
    seen: set[frozenset[int]] = set()
    for decision in earlier:
        if decision.ruling in (Ruling.ADOPT, Ruling.ROLLBACK):
            seen.clear()
        elif decision.gain is not None:
            runs = (runs.confirmed for runs in decision.candidates)
            seen.add(frozenset(chain.from_iterable(runs)))
    now = frozenset(trial.number for group in rivals for trial in group.trials)
    return 1 + len(seen - {now})


def _more(draft: Decision, reason: str, missing: int) -> Decision:
    return replace(
        draft, ruling=Ruling.MORE, reason=reason, missing_seeds=max(missing, 1)
    )


def _named(draft: Decision) -> str:
    trials = () if draft.candidate is None else draft.candidate.trials
    return f"trial {trials[0]}" if trials else "the candidate"


def _gain_text(draft: Decision, gain: Gain) -> str:
    better = "better" if gain.value >= 0 else "worse"
    above = f" than {draft.complexity:.4g}" if draft.complexity else ""
    seeds = "seeds" if gain.paired else "seeds of its own"
    value, low, high = _numbers((abs(gain.value), gain.low, gain.high))
    return (
        f"{_named(draft)} is {better} by {value} in {draft.metric} (90 % interval "
        f"{low} to {high}, {gain.seeds} {seeds}); better{above} with a probability of "
        f"{_percent(gain.probability)}"
    )


def _numbers(values: tuple[float, float, float]) -> list[str]:
    """A value and its interval, with as many digits as the interval has a say in.

    >>> _numbers((0.39312, 0.3917, 0.3946))
    ['0.3931', '0.3917', '0.3946']
    """
    width = values[2] - values[1]
    if not (width > 1e-4 * abs(values[0]) and math.isfinite(width)):
        return [f"{value:.4g}" for value in values]
    decimals = max(1 - math.floor(math.log10(width)), 0)
    if decimals > MOST_DECIMALS:
        return [f"{value:.4g}" for value in values]
    return [f"{value:.{decimals}f}" for value in values]


def _percent(share: float) -> str:
    """A probability in percent, never rounded to certainty."""
    return f"{min(max(100 * share, 0.1), 99.9):.1f} %"
