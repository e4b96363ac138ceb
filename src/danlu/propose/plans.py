"""From findings to changes of a study, joined where they answer one question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..analysis.base import Finding, Level
from ..analysis.design.scale import practice
from ..ask import sampler_of
from ..auto import Auto
from ..domain import Choice, Domain
from ..history import History
from ..sentence import listed
from ..space import Dimension
from ..study import Study
from .narrow import LEAST_TRIALS, narrowed


class Aim(StrEnum):
    """What a proposed study is for, in the order in which they are worth running.

    What makes all later results doubtful comes first: a model limited by instability or
    by overfitting, a space that may not hold the best, a training of the wrong length.

    >>> [aim.value for aim in Aim]
    ['add', 'move', 'steps', 'method', 'more', 'narrow', 'test']
    """

    ADD = "add"
    MOVE = "move"
    STEPS = "steps"
    METHOD = "method"
    MORE = "more"
    NARROW = "narrow"
    TEST = "test"


AIMS = tuple(Aim)
_OF_THE_SPACE = ("boundary", "coverage", "infeasible")
_NEW = object()  # equal to nothing that a study has
LEVELS = (Level.WARNING, Level.NOTICE, Level.OK, Level.UNKNOWN)


@dataclass(frozen=True)
class Plan:
    """Changes of a study that answer one question, and the findings behind them."""

    aim: Aim
    change: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()

    @property
    def level(self) -> Level:
        """That of the most serious finding."""
        levels = (finding.level for finding in self.findings)
        return min(levels, key=LEVELS.index, default=Level.OK)

    @property
    def unsettled(self) -> bool:
        """Whether it is in doubt that the space, as it is, holds the best."""
        return self.level is Level.WARNING and self.aim in (Aim.ADD, Aim.MOVE)

    @property
    def paths(self) -> tuple[str, ...]:
        """The hyperparameters that are changed, by path."""
        return tuple(self.change.get("space", {}))


def plans(
    study: Study, history: History, findings: Sequence[Finding]
) -> tuple[Plan, ...]:
    """Every plan that the findings and the trials give rise to, the most worth first.

    Once nothing casts doubt on the space, exploration is handed over to exploitation
    (D11): the region of the best, without what need not vary.
    """
    every = [_plan(finding, study) for finding in findings]
    every += _missing(study, history, findings)
    made = _joined(plan for plan in every if plan.change)
    settled = not any(plan.unsettled for plan in made)
    if settled and (exploit := _exploit(study, history, made)):
        made = [plan for plan in made if plan.aim is not Aim.NARROW] + [exploit]
    order = sorted(
        made, key=lambda plan: (LEVELS.index(plan.level), AIMS.index(plan.aim))
    )
    return tuple(order)


def goal_of(plan: Plan, study: Study) -> str:
    """The one question that the planned study answers."""
    metric = study.objective.name
    if plan.aim is Aim.STEPS:
        steps = plan.change["max_steps"]
        return f"What is {metric} after {steps:,} steps instead of {study.max_steps}?"
    if plan.aim is Aim.NARROW:
        return f"How good does {metric} get close to the best of {study.name}?"
    if plan.aim is Aim.ADD:
        added = [p for p in plan.paths if "add" in plan.change["space"][p]]
        return f"Is {metric} better with {listed(added)}?"
    if plan.paths:
        return f"Is {metric} better with another range of {listed(plan.paths)}?"
    return f"{study.goal} (with another {listed(list(plan.change))})"


def reason_of(plan: Plan, study: Study) -> str:
    """Why the planned study is worth running: what the checks said."""
    if plan.findings:
        return " ".join(finding.message for finding in plan.findings)
    return (
        f"The checks leave the space of {study.name} as it is, and its points were "
        "chosen without looking at the results: what is best is close to the best so "
        "far, and Bayesian optimization finds it with few trials."
    )


def expected(plan: Plan, study: Study, gain: float | None) -> str:
    """What the planned study is expected to bring, in words."""
    metric = study.objective.name
    if gain is not None:
        return f"{metric} better by about {gain:.2g}"
    if plan.aim is Aim.STEPS and study.max_steps:
        share = plan.change["max_steps"] / study.max_steps
        if share < 1:
            return f"the same {metric} in {share:.0%} of the time"
    if plan.aim is Aim.MOVE and not _goes_beyond(plan, study):
        return f"the same {metric}, with no trials spent on what is left out"
    if plan.aim is Aim.MOVE:
        # On planted studies the surface of `boundary` has a lowest point in few, and
        # what it then promises is five to eight times what moving the bound gains.
        return f"cannot be estimated: nothing beyond it was tried in {study.name}"
    return f"cannot be estimated: nothing like it was tried in {study.name}"


def _goes_beyond(plan: Plan, study: Study) -> bool:
    """Whether a range is to hold what it did not hold before."""
    return any(
        _is_wider(fields, own.domain)
        for own in study.search_space.dimensions
        if (fields := plan.change.get("space", {}).get(own.path))
    )


def _is_wider(fields: Mapping[str, Any], domain: Domain) -> bool:
    if isinstance(domain, Choice):
        known = tuple(domain.options)
        return any(option not in known for option in fields.get("options", ()))
    low, high = fields.get("low", domain.low), fields.get("high", domain.high)
    return bool(low < domain.low or high > domain.high)


def explores(study: Study) -> bool:
    """Whether the study's trials were chosen without looking at the results."""
    sampler = sampler_of(study)
    return sampler.explores if isinstance(sampler, Auto) else not sampler.adaptive


def _plan(finding: Finding, study: Study) -> Plan:
    change = _change(finding, study)
    return Plan(_aim(change), change, (finding,))


def _change(finding: Finding, study: Study) -> Mapping[str, Any]:
    """What a finding changes of the study, without what is so already.

    Then two findings about one range go together where they are about its two ends.
    """
    change = finding.evidence.get("change")
    if not isinstance(change, Mapping):
        return {}
    known = {own.path: own for own in study.search_space.dimensions}
    space = {
        path: {k: v for k, v in fields.items() if v != _now(known.get(path), k)}
        for path, fields in change.get("space", {}).items()
    }
    space = {p: _in_practice(fields, known.get(p)) for p, fields in space.items()}
    space = {path: fields for path, fields in space.items() if fields}
    rest = {k: v for k, v in change.items() if v != getattr(study, k, _NEW)}
    rest.pop("space", None)
    return {**rest, "space": space} if space else rest


def _missing(study: Study, history: History, findings: Sequence[Finding]) -> list[Plan]:
    """More trials where there are too few to tell whether the space is right."""
    ended = sum(trial.kind.judged and trial.state.ended for trial in history.trials)
    made = []
    for finding in findings:
        missing = finding.evidence.get("missing")
        if finding.level is not Level.UNKNOWN or finding.check not in _OF_THE_SPACE:
            continue
        if isinstance(missing, int) and ended + missing > study.trials:
            change = {"trials": ended + missing}
            made.append(Plan(Aim.MORE, change, (finding,)))
    return made


def _now(dimension: Dimension | None, field_name: str) -> object:
    return _NEW if dimension is None else getattr(dimension.domain, field_name, _NEW)


def _in_practice(
    fields: Mapping[str, Any], dimension: Dimension | None
) -> dict[str, Any]:
    """New bounds that go no further than anybody searches, unless the old ones do."""
    kept = dict(fields)
    if dimension is None or isinstance(dimension.domain, Choice):
        return kept
    domain, (least, most) = dimension.domain, practice(dimension.name)
    if kept.get("high", domain.high) > max(most, domain.high):
        kept["high"] = max(most, domain.high)
    if kept.get("low", domain.low) < min(least, domain.low):
        kept["low"] = min(least, domain.low)
    unchanged = [k for k in ("low", "high") if kept.get(k) == getattr(domain, k)]
    return {k: v for k, v in kept.items() if k not in unchanged}


def _aim(change: Mapping[str, Any]) -> Aim:
    """What a change is for: what weighs most in it."""
    spaces = change.get("space", {}).values()
    if any("add" in fields for fields in spaces):
        return Aim.ADD
    if "max_steps" in change:
        return Aim.STEPS
    if any("fixed" not in fields for fields in spaces):
        return Aim.MOVE
    if spaces:
        return Aim.NARROW
    return Aim.MORE if set(change) == {"trials"} else Aim.METHOD


def _joined(plans: Iterable[Plan]) -> list[Plan]:
    """One plan for each aim; of two changes of one field the first one stands.

    What is added stays apart, so that each addition is a question of its own, unless
    one check adds several.
    """
    made: dict[tuple[Aim, str], Plan] = {}
    for plan in plans:
        apart = plan.findings[0].check if plan.aim is Aim.ADD else ""
        before = made.get((plan.aim, apart))
        made[plan.aim, apart] = plan if before is None else _both(before, plan)
    return list(made.values())


def _both(first: Plan, second: Plan) -> Plan:
    space = {**second.change.get("space", {})}
    for path, fields in first.change.get("space", {}).items():
        space[path] = {**space.get(path, {}), **fields}
    change = {**second.change, **first.change}
    if space:
        change["space"] = space
    if "trials" in first.change and "trials" in second.change:
        change["trials"] = max(first.change["trials"], second.change["trials"])
    return Plan(first.aim, change, (*first.findings, *second.findings))


def _exploit(study: Study, history: History, made: Sequence[Plan]) -> Plan | None:
    """The region of the best, searched by Bayesian optimization.

    A study whose sampler learns is there already: then None, unless something need not
    vary any more. None too while there are too few trials to go by.
    """
    fixing = [plan for plan in made if plan.aim is Aim.NARROW]
    ready = explores(study) and len(history.ranked()) >= LEAST_TRIALS
    if not ready and not fixing:
        return None
    region = narrowed(study, history) if ready else {}
    space = {**region}
    for plan in fixing:
        space |= plan.change["space"]
    change = {"space": space, "sampler": "auto", "scientific": ()}
    found = [finding for plan in fixing for finding in plan.findings]
    return Plan(Aim.NARROW, change, tuple(found))
