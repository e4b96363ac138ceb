"""What becomes of each hyperparameter when training gets longer (playbook C6).

What was found with short trainings holds for long ones to a different degree: the
length of the warm-up and the initialization very likely, the architecture likely, the
optimizer, augmentation and regularization perhaps, the learning rate's schedule hardly.
Extra steps go to the phase of the high learning rate: a linear decay keeps its length
in steps, a cosine keeps its base rate and is stretched. Source: Google's Deep Learning
Tuning Playbook, "Determining the number of steps for each training run".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..analysis.names import (
    ARCHITECTURE,
    BATCH,
    DECAY,
    LENGTH,
    OPTIMIZER,
    RATE,
    REGULARIZER,
    SCHEDULE,
    fits,
)
from ..domain import Choice, Domain
from ..sentence import short
from ..space import Dimension, Params
from ..value import Value
from .narrow import around

# Of the range, in its own scale: an order of magnitude and a half of a learning rate
# from 1e-4 to 0.1.
NARROWED = 0.5


class Rule(StrEnum):
    """What becomes of a hyperparameter in longer training.

    >>> [rule.value for rule in Rule]
    ['fixed', 'narrowed', 'searched', 'stretched']
    """

    FIXED = "fixed"
    NARROWED = "narrowed"
    SEARCHED = "searched"
    STRETCHED = "stretched"


@dataclass(frozen=True)
class Row:
    """One hyperparameter in the table of what carries over.

    `value` is that of the short training's best params, `change` what becomes of it in
    the space, in the form of `Finding.evidence["change"]`; None where it is constant.
    """

    path: str
    rule: Rule
    value: Value
    reason: str
    change: Mapping[str, Any] | None = None


_WARMUP = r"(\w+_)?warm_?up(_\w+)?"
_INITIAL = r"(\w+_)?(init|initialization|initializer|gain)(_\w+)?"
_SHAPE = (
    rf"{SCHEDULE}|(\w+_)?(decay|cooldown|final|min|end)_(lr|factor|rate|steps|epochs|"
    r"fraction|share|power)|gamma|power|(\w+_)?lr_(decay|min|end)\w*|(\w+_)?restarts?|"
    r"t_0|t_mult"
)
_SHARE = r"\w+_(fraction|share|ratio|pct)"  # of the steps
_PHASE = r"(\w+_)?(warm_?up|decay|cooldown)_\w+"
_SPAN = rf"{LENGTH}|t_max|horizon"  # over which a schedule goes, in steps

_FLOOR = r"(final|min|end)_(lr|learning_rate)(_\w+)?"  # where a schedule ends
_HARDLY = "a schedule hardly carries over to another length"

# The first that fits counts: `lr_init` is a rate, `weight_decay` no schedule.
_RULES = (
    (_WARMUP, Rule.FIXED, "the length of a warm-up very likely carries over"),
    (_FLOOR, Rule.SEARCHED, _HARDLY),
    (RATE, Rule.NARROWED, "the base rate is kept, within half of its range"),
    (
        rf"{DECAY}|{REGULARIZER}",
        Rule.NARROWED,
        "regularization and augmentation may want to be stronger in longer training",
    ),
    (_INITIAL, Rule.FIXED, "the initialization very likely carries over"),
    (BATCH, Rule.FIXED, "the batch size is a matter of speed"),
    (ARCHITECTURE, Rule.FIXED, "the architecture likely carries over"),
    (_SHAPE, Rule.SEARCHED, _HARDLY),
    (OPTIMIZER, Rule.NARROWED, "the optimizer's settings may carry over"),
)


def row(dimension: Dimension, value: Value, factor: float) -> Row:
    """What becomes of a hyperparameter in training `factor` times as long.

    >>> from danlu import Dimension, Float
    >>> rate = row(Dimension("lr", "lr", Float(1e-4, 1.0, log=True)), 0.01, 10)
    >>> rate.rule.value, rate.change
    ('narrowed', {'low': 0.001, 'high': 0.1})
    """
    path, domain = dimension.path, dimension.domain
    rule, reason = _rule(dimension.name)
    if (
        rule is Rule.FIXED
        and fits(dimension.name, _PHASE)
        and _is_share(dimension.name)
    ):
        steps = "the same number of steps is a smaller share of a longer training"
        change = {"fixed": _divided(value, factor)}
        return Row(path, Rule.STRETCHED, value, steps, change)
    if rule is Rule.NARROWED and isinstance(domain, Choice):
        rule = Rule.FIXED
    return Row(path, rule, value, reason, _change(rule, domain, value))


def constants(fixed: Params, factor: float) -> tuple[Row, ...]:
    """What becomes of what was constant: lengths are stretched, phases are not.

    >>> [(own.path, own.change) for own in constants({"epochs": 9, "k": 3}, 2.0)]
    [('epochs', {'fixed': 18})]
    """
    rows = []
    for name, value in fixed.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if fits(name, _PHASE) and not fits(name, DECAY) and _is_share(name):
            reason, now = "the phase keeps its length in steps", _divided(value, factor)
        elif fits(name, _SPAN):
            reason, now = "the length of training", _times(value, factor)
        else:
            continue
        rows.append(Row(name, Rule.STRETCHED, value, reason, {"fixed": now}))
    return tuple(rows)


def becomes(own: Row, domain: Domain | None) -> str:
    """What a hyperparameter is afterward, in words."""
    change = own.change or {}
    if "fixed" in change:
        return short(change["fixed"])
    if "low" in change:
        return f"{change['low']:g}..{change['high']:g}"
    return str(domain)


def _rule(name: str) -> tuple[Rule, str]:
    for pattern, rule, reason in _RULES:
        if fits(name, pattern):
            return rule, reason
    return Rule.NARROWED, "nothing is known of how it depends on the length"


def _change(rule: Rule, domain: Domain, value: Value) -> dict[str, Any]:
    if rule is Rule.FIXED:
        return {"fixed": value}
    if rule is Rule.NARROWED and not isinstance(domain, Choice):
        return around(domain, value, NARROWED)
    return {}


def _is_share(name: str) -> bool:
    return fits(name, _SHARE)


def _divided(value: Value, factor: float) -> Value:
    return value / factor if isinstance(value, int | float) else value


def _times(value: int | float, factor: float) -> int | float:
    return round(value * factor) if isinstance(value, int) else value * factor
