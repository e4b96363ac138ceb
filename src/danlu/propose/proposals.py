"""DECIDE what to run next: from findings to planned studies (playbook C4, C5).

What a check proposes as `evidence["change"]` becomes a study here, whatever check it
is. Changes that answer one question are joined: a study asks one (D1).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ..analysis.base import Finding
from ..analysis.noise import LEAST_DF
from ..analysis.repeats import trial_noise
from ..decide.weigh import best_params
from ..domain import Choice
from ..errors import SpaceError
from ..history import History
from ..metric import Metric
from ..sentence import listed
from ..study import Study
from ..trial import Kind, Trial
from .plans import Aim, Plan, expected, plans, reason_of
from .successor import free_names, successor
from .worth import doubling_gain, study_seconds

TEST_SEEDS = 3  # trials of the last look: a mean and how much it varies


@dataclass(frozen=True)
class Proposal:
    """A study that is worth running next: planned, with its reason and its price.

    `aim` says what it is for, `findings` are what it follows from, and `reason` says it
    in words. `gain` is by how much the metric is expected to become better (in its
    unit), None where that cannot be estimated; `expects` says it in words. `seconds` is
    what its new trials take together in one slot, None where nothing was timed.
    `carried` trials of the study before count as its own, once `Project.carry` has
    taken them over; `learned` ones its sampler learns from. `needs` is what the program
    must be able to do that it need not before; empty for nothing.

    >>> import danlu
    >>> study = danlu.Study("s-2", "Which x?", "loss", {"x": danlu.Float(0, 1)}, 10)
    >>> Proposal(study, Aim.MORE, "10 trials are few.").study.name
    's-2'
    """

    study: Study
    aim: Aim
    reason: str
    findings: tuple[Finding, ...] = ()
    expects: str = ""
    gain: float | None = None
    seconds: float | None = None
    carried: int = 0
    learned: int = 0
    needs: str = ""


def propose(
    study: Study,
    history: History,
    findings: Sequence[Finding],
    taken: Collection[str] = (),
) -> tuple[Proposal, ...]:
    """The studies worth running after `study`, the most worth first.

    `findings` are those of `analysis.checks.analyze`; `taken` are names that other
    studies have. A proposal whose expected gain is below the noise between seeds is
    left out (C5); when nothing else is left, a last look at the test set is proposed.

    >>> import danlu
    >>> study = danlu.Study(name="rates", goal="Which rate?", metric="err", trials=20,
    ...                     space={"lr": danlu.Float(1e-3, 1.0, log=True)})
    >>> edge = danlu.Finding("boundary", danlu.Level.WARNING, "The best is at 1.",
    ...     evidence={"change": {"space": {"lr": {"high": 10.0}}}})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> next_one, = propose(study, history, [edge])
    >>> next_one.study.name, str(next_one.study.space.domains["lr"])
    ('rates-2', '0.001..10 log')
    """
    names = free_names(study.name, {study.name, *taken})
    noise = noise_of(history)
    made = []
    for plan in plans(study, history, findings):
        gain = _gain(plan, history)
        if gain is not None and noise is not None and gain < noise:
            continue
        with suppress(SpaceError):  # a change that does not fit this space
            made.append(_proposal(plan, study, history, names))
    if made or history.best is None:
        return tuple(made)
    return _last_look(study, history, next(names), noise)


def without_planned(
    proposals: Sequence[Proposal], studies: Sequence[Study]
) -> tuple[Proposal, ...]:
    """The proposals that none of the project's studies is, but for its name."""
    return tuple(
        own
        for own in proposals
        if not any(_is_like(own.study, study) for study in studies)
    )


def noise_of(history: History) -> float | None:
    """The standard deviation between seeds of the same params, None if hardly known."""
    found = trial_noise(history)
    return None if found is None or found.df < LEAST_DF else found.sd


def _is_like(planned: Study, study: Study) -> bool:
    if planned.name == study.name:
        return False
    own = replace(study, name=planned.name, note=planned.note, trials=planned.trials)
    return own == planned


def _gain(plan: Plan, history: History) -> float | None:
    """What a check expects; else, of more trials nearby, what the last half brought."""
    said = [finding.evidence.get("gain") for finding in plan.findings]
    known = [float(gain) for gain in said if isinstance(gain, int | float)]
    if known:
        return max(known)
    return doubling_gain(history) if plan.aim in (Aim.MORE, Aim.NARROW) else None


def _proposal(
    plan: Plan, study: Study, history: History, names: Iterator[str]
) -> Proposal:
    gain = _gain(plan, history)
    name = study.name if plan.aim is Aim.MORE else next(names)
    next_one = successor(plan, study, history, name)
    to_train = replace(next_one.study, trials=next_one.new)
    return Proposal(
        study=next_one.study,
        aim=plan.aim,
        reason=reason_of(plan, study),
        findings=plan.findings,
        expects=expected(plan, study, gain),
        gain=gain,
        seconds=study_seconds(to_train, history, study),
        carried=next_one.carried,
        learned=next_one.learned,
        needs=_needs(study, next_one.study),
    )


def _needs(before: Study, after: Study) -> str:
    """What is new to the program: params that it was not given before."""
    names = _names(before)
    new = [name for name in _names(after) if name not in names]
    return f"the program takes {listed(new)}" if new else ""


def _names(study: Study) -> list[str]:
    free = (dimension.name for dimension in study.search_space.dimensions)
    return [*dict.fromkeys([*free, *study.fixed])]


def _last_look(
    study: Study, history: History, name: str, noise: float | None
) -> tuple[Proposal, ...]:
    """The best params on the test set; none where that has been looked at already."""
    metric, params = study.objective, best_params(history)
    if params is None or any(_is_of_a_test(trial) for trial in history.trials):
        return ()
    test = f"test_{re.sub(r'^(val|valid|validation|dev)_', '', metric.name)}"
    first, *rest = params
    planned = Study(
        name=name,
        goal=f"What is {test} of the best params of {study.name}, looked at once?",
        metric=Metric(test, metric.maximize, at="last"),
        space={first: Choice([params[first]])},
        fixed={other: params[other] for other in rest},
        trials=TEST_SEEDS,
        sampler="random",
        max_steps=study.max_steps,
        seed=study.seed + 1,
        note=f"After {study.name}: a last look at the test set.",
    )
    why = "The checks ask for nothing but a last look at the test set."
    if noise:
        why = (
            "A last look at the test set: what further trials are expected to bring is "
            f"below the noise between seeds ({noise:.2g})."
        )
    if not any(trial.kind is Kind.CONFIRM for trial in history.trials):
        why += " Confirm the best params on fresh seeds before (danlu confirm)."
    return (
        Proposal(
            study=planned,
            aim=Aim.TEST,
            reason=why,
            expects="nothing better: an honest number to report",
            needs=f"the program reports {test}, of data that no study has looked at",
            seconds=study_seconds(planned, history, study),
        ),
    )


def _is_of_a_test(trial: Trial) -> bool:
    """Whether it reported a metric of a test set."""
    return any(name.startswith("test") for name in trial.curves)
