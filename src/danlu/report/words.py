"""Numbers, times and sentences as the reports write them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from ..analysis.agreement import Agreement
from ..analysis.base import Finding, Level
from ..analysis.groups import Group
from ..analysis.summary import Arm, Axis, Row, Summary
from ..domain import LARGEST, Choice, Domain, Int
from ..sentence import plural
from ..trial import Kind, State
from ..value import Value

DIGITS, PARAM_DIGITS = 4, 3
SMALLEST_PLAIN, LARGEST_PLAIN = 1e-3, 1e6  # between them no exponent is written
EQUAL_ENOUGH = 1.2  # of the most trials of an arm to the fewest
MOST_NUMBERS = 12  # trial numbers listed in a line


def number(value: float | None, digits: int = DIGITS) -> str:
    """A number with a few significant digits: `0.0312`, `3e-4`, `12,345`.

    >>> [number(value) for value in (0.031249, 3e-4, 12345, 2.5e7, float("nan"))]
    ['0.03125', '3e-4', '12,345', '2.5e7', 'nan']
    """
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    real = float(value)
    if not math.isfinite(real):
        return str(real)
    if real == 0:
        return "0"
    if SMALLEST_PLAIN <= abs(real) < LARGEST_PLAIN:
        return _plain(real, digits)
    mantissa, exponent = f"{real:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def tick_text(value: float) -> str:
    """The label of a tick: three digits, whole numbers below a million in full.

    >>> [tick_text(value) for value in (0.05, 1500, 10**18, 10**400)]
    ['0.05', '1,500', '1e18', '1e400']
    """
    if isinstance(value, int) and abs(value) < LARGEST_PLAIN:
        return number(value)
    if abs(value) > LARGEST:  # a whole number that no float holds
        return f"{'-' * (value < 0)}1e{len(str(abs(value))) - 1}"
    return number(float(value), 3)


def _plain(real: float, digits: int) -> str:
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(real))))
    text = f"{real:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def value_text(value: Value) -> str:
    """A param's value as text: `adam`, `3e-4`, `yes`, `none`.

    >>> [value_text(value) for value in ("adam", 0.0003, 64, True, None)]
    ['adam', '3e-4', '64', 'yes', 'none']
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else number(value, PARAM_DIGITS)


def domain_text(domain: Domain) -> str:
    """A domain as text: `1e-4 to 1, log`, `1 to 4, whole`, `adam, sgd`.

    >>> from danlu.domain import Float
    >>> domain_text(Float(1e-4, 1.0, log=True))
    '1e-4 to 1, log'
    """
    if isinstance(domain, Choice):
        between = " < " if domain.ordered else ", "
        options = between.join(value_text(option) for option in domain.options)
        return f"{options}{_expected(domain)}"
    if domain.low == domain.high:
        return f"{number(domain.low)} only"
    whole = ", whole" if isinstance(domain, Int) else ""
    log = ", log" if domain.log else ""
    stretch = f"{number(domain.low)} to {number(domain.high)}"
    return f"{stretch}{whole}{log}{_expected(domain)}"


def _expected(domain: Domain) -> str:
    """What was believed of a hyperparameter: ` (3e-3 expected, 50% sure)`."""
    belief = domain.belief
    if belief is None:
        return ""
    return f" ({value_text(belief.center)} expected, {belief.confidence:.0%} sure)"


def printable(words: str) -> str:
    """`words` in one line, without what moves a terminal's cursor or breaks XML.

    >>> printable("nan\\nat step 3")
    'nan at step 3'
    """
    return "".join(mark if mark.isprintable() else " " for mark in words)


def duration(seconds: float | None) -> str:
    """A time span: `12 s`, `6 m 11 s`, `3 h 20 m`.

    >>> [duration(seconds) for seconds in (0.42, 371, 12000)]
    ['0.4 s', '6 m 11 s', '3 h 20 m']
    """
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} m"


def moment(unix_s: float | None) -> str:
    """A point in time, in this machine's time zone: `2026-03-01 21:17`."""
    if unix_s is None:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(unix_s))


def params_text(params: Mapping[str, Value]) -> str:
    """Params in one line: `lr=3e-4 optimizer=adam`."""
    return " ".join(f"{name}={value_text(value)}" for name, value in params.items())


def varying(summary: Summary, row: Row) -> dict[str, Value]:
    """The params of a row that the study varies, in the order of the space."""
    names = dict.fromkeys(axis.name for axis in summary.axes)
    return {name: row.params[name] for name in names if name in row.params}


def numbers_text(numbers: Sequence[int]) -> str:
    """Trial numbers: `#3, #7 and 40 more`."""
    shown = ", ".join(f"#{number}" for number in numbers[:MOST_NUMBERS])
    more = len(numbers) - MOST_NUMBERS
    return f"{shown} and {more:,} more" if more > 0 else shown


def standing(summary: Summary) -> str:
    """How far the study is: `58 of 60 trials ended, 2 running`."""
    planned = summary.study.trials
    parts = [f"{summary.ended:,} of {planned:,} trials ended"]
    for state in (State.RUNNING, State.PAUSED):
        if summary.states.get(state):
            parts.append(f"{summary.states[state]:,} {state}")
    return ", ".join(parts)


def timing(summary: Summary) -> str:
    """When the study ran and how long its trials trained, empty before it began."""
    if summary.started_s is None:
        return ""
    begun = f"begun {moment(summary.started_s)}"
    trained = f"{duration(summary.training_s)} of training"
    if summary.ended_s is None:
        return f"{begun}, {trained}"
    wall = duration(max(0.0, summary.ended_s - summary.started_s))
    return f"{begun}, took {wall} ({trained})"


def direction(summary: Summary) -> str:
    """Which way is better, and what a trial must keep to: `lower is better`."""
    better = "higher is better" if summary.metric.maximize else "lower is better"
    return ", ".join([better, *(f"with {limit}" for limit in summary.study.limits)])


def measured(summary: Summary) -> str:
    """What the best trial has of each constraint's metric: `, latency_ms 12`."""
    if not summary.leading:
        return ""
    best, metric = summary.leading[0], summary.metric
    step = metric.step(best.curves.get(metric.name))
    said = ((own.metric, own.value(best.curves, step)) for own in summary.study.limits)
    return "".join(f", {name} {number(value)}" for name, value in said)


def caveat(summary: Summary) -> str:
    """What the best value is worth before it is confirmed; empty afterwards."""
    if summary.best is None or summary.decision is not None:
        return ""
    if summary.valued == 1:
        return "The only trial with a value, on one seed: run more before comparing."
    return (
        f"Best of {summary.valued:,}, one seed each: selected, so expect it to be "
        "worse when trained again. Train it again on other seeds before you rely on it."
    )


def nothing_yet(summary: Summary) -> str:
    """Why there is no best trial."""
    name = summary.metric.name
    if not summary.rows:
        return "No trial has begun yet. Run the study to get a result."
    if not summary.ended:
        return f"No trial has ended yet; {plural(len(summary.rows), 'trial')} begun."
    states = {row.state for row in summary.rows if row.state.ended}
    if states == {State.INFEASIBLE} and summary.study.limits:
        return (
            f"All {plural(summary.ended, 'trial')} that ended are infeasible: they "
            "could not be trained, or broke a constraint. See the reasons below; if no "
            "params can keep to it, loosen the limit."
        )
    if states == {State.INFEASIBLE}:
        return (
            f"All {plural(summary.ended, 'trial')} that ended are infeasible: none of "
            "their params could be trained. See the reasons below, and try lower "
            "learning rates or a smaller model."
        )
    if states == {State.FAILED}:
        return (
            f"All {plural(summary.ended, 'trial')} that ended have failed: look at the "
            "reasons below and at the output of one of them."
        )
    return f"No trial that ended has a value of {name!r}: see the reasons below."


def against_baseline(summary: Summary) -> str:
    """The baseline's value and how the best one compares, empty without a baseline."""
    baseline = summary.baseline
    if baseline is None:
        ended = [row.state for row in summary.others if row.kind is Kind.BASELINE]
        lost = [str(state) for state in dict.fromkeys(ended) if state.ended]
        return f"Baseline: no value, it ended {' and '.join(lost)}." if lost else ""
    spread = "" if baseline.sd is None else f", sd {number(baseline.sd, 2)}"
    count = len(baseline.values)
    how = "one seed" if count == 1 else f"mean of {count} seeds{spread}"
    said = f"Baseline: {number(baseline.mean)} ({how})."
    if summary.gain is None:
        return said
    if summary.gain == 0:
        return f"{said} The best is equal to it."
    way = "better" if summary.gain > 0 else "worse"
    gain = f"The best is {number(abs(summary.gain), 3)} {way}"
    if summary.confirmed is not None:
        return f"{said} {gain} in a single run."
    return f"{said} {gain}, unconfirmed."


def confirmed_text(summary: Summary) -> str:
    """What fresh seeds said of the best trial, empty before they were run."""
    runs = summary.confirmed
    if runs is None or runs.mean is None:
        return ""
    spread = "" if runs.spread is None else f" (sd {number(runs.spread, 2)})"
    return (
        f"Trained again on {plural(runs.seeds, 'fresh seed')}: "
        f"{number(runs.mean)}{spread} in the mean."
    )


def finding_text(own: Finding) -> str:
    """What a finding says and advises, in one line.

    >>> finding_text(Finding("trials", Level.WARNING, "12 trials are few.", "Run 30."))
    '12 trials are few. Run 30.'
    """
    return f"{own.message} {own.advice}".strip()


def unraised(summary: Summary) -> str:
    """Which checks found nothing wrong, and which had too few trials to tell."""
    fine = _checks(summary.found(Level.OK))
    unknown = _checks(summary.found(Level.UNKNOWN))
    parts = [f"Nothing wrong with: {fine}." if fine else ""]
    parts += [f"Too early to tell: {unknown}." if unknown else ""]
    return " ".join(part for part in parts if part)


def _checks(findings: Sequence[Finding]) -> str:
    names = dict.fromkeys(own.check.replace("-", " ") for own in findings)
    return ", ".join(names)


def agreement_text(own: Agreement) -> str:
    """Whether a short run tells who is best, in a sentence or two.

    >>> own = Agreement(3, 27, 40, 0.62, 0.45, 0.75, selected=False)
    >>> agreement_text(own).partition(" (")[0]
    'At step 3 of 27 the better of two trials was ahead in 81 % of the pairs'
    """
    ahead = f"the better of two trials was ahead in {100 * own.in_order:.0f} %"
    span = f"95 % {number(own.low, 2)} to {number(own.high, 2)}"
    facts = f"Kendall tau {number(own.tau, 2)}, {span}, {plural(own.trials, 'trial')}"
    said = f"At step {own.step:,} of {own.full:,} {ahead} of the pairs ({facts})."
    if own.told:
        return said
    return (
        f"{said} That cannot be told from chance: do not conclude from runs so short."
    )


def agreement_caveat(summary: Summary) -> str:
    """Which trials the agreement is of, empty where it is of all."""
    if not any(own.selected for own in summary.agreements):
        return ""
    return (
        "These are the trials that were let go on, so they are alike: among all trials "
        "the order is likely to be told better."
    )


def arm_text(arm: Arm) -> str:
    """What an arm holds: `optimizer=adam`."""
    return ", ".join(f"{path}={value_text(value)}" for path, value in arm.held.items())


def unequal(summary: Summary) -> str:
    """A remark when the arms were not searched equally, else empty."""
    counts = [arm.valued for arm in summary.arms]
    if not counts or max(counts) <= EQUAL_ENOUGH * min(counts):
        return ""
    return (
        f"The arms have {min(counts):,} to {max(counts):,} trials with a value: the "
        "best of more is better by luck alone."
    )


def group_text(group: Group) -> str:
    """A group in one line: `7 infeasible: val_error is nan (#3, #9)`."""
    reason = group.reason or "no reason given"
    count = len(group.numbers)
    return f"{count:,} {group.state}: {reason} ({numbers_text(group.numbers)})"


def tried_text(axis: Axis) -> str:
    """What was tried of a hyperparameter: `2e-4 to 0.7`, `adam 30, sgd 28`."""
    if axis.options:
        counts = (f"{value_text(option)} {count:,}" for option, count in axis.options)
        return ", ".join(counts)
    if axis.tried is None:
        return "-"
    low, high = axis.tried
    first, last = (number(value, PARAM_DIGITS) for value in (low, high))
    return first if low == high else f"{first} to {last}"


def method(summary: Summary) -> str:
    """How the study was made: sampler, scheduler, seed, what counts as the value."""
    study = summary.study
    at = {"best": "best value over the steps", "last": "value at the last step"}
    why = f" ({summary.why})" if summary.why else ""
    parts = [
        f"Value of a trial: {at[summary.metric.at]} of {summary.metric.name}",
        f"sampler {_made_by(study.sampler)}{why}",
        f"scheduler {_made_by(study.scheduler)}",
        f"seed {study.seed}",
    ]
    if study.max_steps is not None:
        parts.append(f"full training {study.max_steps:,} steps")
    if study.learn_from:
        parts.append(f"learned from {', '.join(study.learn_from)}")
    others = (f"{n:,} {kind}" for kind, n in summary.kinds.items() if n)
    return f"{', '.join(parts)}. Trials: {', '.join(others) or 'none'}."


def _made_by(method_used: object) -> str:
    if isinstance(method_used, str):
        return method_used
    return type(method_used).__name__
