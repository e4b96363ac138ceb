"""What the confirming trials say: by configuration, and in pairs of seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..analysis.gain import (
    Array,
    Posterior,
    paired_gain,
    unpaired_gain,
    with_more_seeds,
)
from ..history import History
from ..space import Params
from ..study import Study
from ..trial import Kind, State, Trial
from .confirm import SEEDS
from .decision import Runs, identity

_FEWEST = 2  # seeds: one alone says nothing about how seeds differ


@dataclass(frozen=True)
class Group:
    """The confirming trials of one configuration, and its losses by seed."""

    params: Params
    trials: tuple[Trial, ...]
    losses: Mapping[int, float]

    @property
    def infeasible(self) -> int:
        """How many of its runs diverged or broke a constraint."""
        return sum(trial.state is State.INFEASIBLE for trial in self.trials)


@dataclass(frozen=True, eq=False)
class Weight:
    """What is known of the best candidate: its gain, seed by seed and in all.

    `gains` (n,) are those on the seeds that count, `spread` their standard deviation;
    without a baseline they are losses with their sign turned.
    """

    best: Group
    known: Posterior
    gains: Array
    spread: float
    paired: bool = True


def groups_of(history: History) -> list[Group]:
    """The confirming trials by configuration, in the order of their first runs."""
    found: dict[object, list[Trial]] = {}
    for trial in history.trials:
        if trial.kind is Kind.CONFIRM:
            found.setdefault(identity(trial.params), []).append(trial)
    return [_group(history, own) for own in found.values()]


def best_params(history: History) -> Params | None:
    """The params to go on with; None before a trial has a value.

    Where some were run on fresh seeds, those of the best mean over them: the best of
    many single runs is lucky. Params that are infeasible on a fresh seed, or outside of
    the space, are left out.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> def trial(number, x, loss, kind=danlu.Kind.CONFIRM):
    ...     return danlu.Trial(number, {"x": x}, danlu.State.COMPLETED, kind,
    ...                        seed=number % 2,
    ...                        curves={"loss": danlu.Curve.of({1: loss})})
    >>> lucky, other = trial(0, 0.1, 0.1, danlu.Kind.SEARCH), trial(1, 0.2, 0.3)
    >>> again = [trial(2, 0.1, 0.5), trial(3, 0.1, 0.4), trial(4, 0.2, 0.2)]
    >>> history = danlu.History(space, danlu.Metric("loss"), [lucky, other, *again])
    >>> best_params(history)
    {'x': 0.2}
    """
    groups = [
        group
        for group in groups_of(history)
        if not group.infeasible and group.params in history.space
    ]
    if (weight := weighed(groups, None)) is not None:
        return weight.best.params
    ranked = (trial.params for trial in history.ranked())
    return next((params for params in ranked if params in history.space), None)


def runs_of(group: Group, study: Study, history: History) -> Runs:
    """A configuration's runs as they are written into a decision."""
    key, metric = identity(group.params), study.objective
    same = (
        trial.number
        for trial in history.trials
        if trial.kind is Kind.SEARCH and identity(trial.params) == key
    )
    values = [metric.value(loss) for loss in group.losses.values()]
    return Runs(
        params=group.params,
        trials=tuple(same),
        confirmed=tuple(trial.number for trial in group.trials),
        seeds=len(values),
        mean=float(np.mean(values)) if values else None,
        spread=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        infeasible=group.infeasible,
    )


def weighed(rivals: Sequence[Group], baseline: Group | None) -> Weight | None:
    """What is known of the best of `rivals`; None where there are too few seeds.

    In pairs of one seed where candidate and baseline share at least two, else as two
    independent samples. Without a baseline, what is known of minus its loss.
    """
    counted = [own for own in rivals if len(own.losses) >= _FEWEST]
    if not counted:
        return None
    if baseline is None:
        return _paired(counted, None)
    if len(baseline.losses) < _FEWEST:
        return None
    sharing = [own for own in counted if len(_shared([own, baseline])) >= _FEWEST]
    return _paired(sharing, baseline) if sharing else _apart(counted, baseline)


def _group(history: History, trials: Sequence[Trial]) -> Group:
    losses = {}
    for trial in trials:
        loss = history.loss(trial)
        if trial.state is State.COMPLETED and loss is not None:
            losses[trial.seed] = loss
    return Group(trials[0].params, tuple(trials), losses)


def _paired(rivals: Sequence[Group], baseline: Group | None) -> Weight:
    """From the seeds that all share, and those that the best one has besides."""
    reference = [] if baseline is None else [baseline]
    counts = [len(_shared([own, *reference])) for own in rivals]
    enough = min(max(counts), SEEDS)  # who has fewer would cost the others theirs
    rivals = [own for own, n in zip(rivals, counts, strict=True) if n >= enough]
    together = _shared([*rivals, *reference])
    if len(together) < _FEWEST:  # all on seeds of their own
        rivals = [max(rivals, key=lambda own: len(_shared([own, *reference])))]
        together = _shared([*rivals, *reference])
    own_seeds = [_shared([own, *reference]) for own in rivals]
    gains = [
        _gains(own, baseline, seeds)
        for own, seeds in zip(rivals, own_seeds, strict=True)
    ]
    best = int(np.argmax([own.mean() for own in gains]))
    losses = np.array([[own.losses[seed] for seed in together] for own in rivals])
    known = paired_gain(losses, _losses(baseline, together), best)
    more = [seed for seed in own_seeds[best] if seed not in together]
    if more:
        earlier = _gains(rivals[best], baseline, together)
        later = _gains(rivals[best], baseline, more)
        known = with_more_seeds(known, later, earlier)
    spread = float(gains[best].std(ddof=1))
    return Weight(rivals[best], known, gains[best], spread)


def _apart(rivals: Sequence[Group], baseline: Group) -> Weight:
    """From seeds that are all different."""
    losses = [np.array(list(own.losses.values())) for own in rivals]
    reference = np.array(list(baseline.losses.values()))
    best = int(np.argmin([own.mean() for own in losses]))
    known = unpaired_gain(losses, reference, best)
    gains = reference.mean() - losses[best]
    spread = float(np.hypot(losses[best].std(ddof=1), reference.std(ddof=1)))
    return Weight(rivals[best], known, gains, spread, paired=False)


def _shared(groups: Sequence[Group]) -> list[int]:
    """The seeds on which all of them have a loss, in the order of the first."""
    first, *others = groups
    return [seed for seed in first.losses if all(seed in own.losses for own in others)]


def _gains(own: Group, baseline: Group | None, seeds: Sequence[int]) -> Array:
    gains: Array = _losses(baseline, seeds) - _losses(own, seeds)
    return gains


def _losses(baseline: Group | None, seeds: Sequence[int]) -> Array:
    """The baseline's losses, zeros where there is none."""
    if baseline is None:
        return np.zeros(len(seeds))
    return np.array([baseline.losses[seed] for seed in seeds])
