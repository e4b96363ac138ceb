"""A decision in words: the ruling, why, and what it looked at besides."""

from __future__ import annotations

from collections.abc import Iterator

from ..decide.decision import Decision, Guard, Runs
from ..sentence import plural
from .words import number, params_text


def ruling_text(decision: Decision) -> str:
    """A decision in a few words: `Decision: adopt`, `Decision: 3 more seeds needed`.

    >>> from danlu import Decision, Ruling
    >>> ruling_text(Decision("digits", Ruling.MORE, missing_seeds=3))
    'Decision: 3 more seeds needed'
    """
    if decision.ruling != "more":
        return f"Decision: {decision.ruling}"
    if not decision.missing_seeds:
        return "Decision: not yet"
    count = decision.missing_seeds
    return f"Decision: {count:,} more {'seed' if count == 1 else 'seeds'} needed"


def reason_text(decision: Decision) -> str:
    """Why it was decided so, as a sentence, with the words of who ruled by hand."""
    said = decision.reason[:1].upper() + decision.reason[1:]
    by_hand = f" {decision.who}: {decision.why}." if decision.why else ""
    return f"{said}.{by_hand}" if said else by_hand.strip()


def runs_texts(decision: Decision) -> Iterator[str]:
    """What fresh seeds came to, a line for each configuration, the baseline last.

    >>> from danlu import Decision, Ruling
    >>> from danlu.decide.decision import Runs
    >>> own = Runs({"lr": 0.1}, (7,), (9, 10), 2, 0.25, 0.01, 0)
    >>> made = Decision("s", Ruling.ADOPT, metric="err", candidate=own,
    ...                 candidates=(own,))
    >>> list(runs_texts(made))
    ['Trial #7, the candidate: err 0.25 (sd 0.01) on 2 fresh seeds, lr=0.1']
    """
    for own in decision.candidates:
        name = f"Trial #{own.trials[0]}" if own.trials else "Params"
        chosen = ", the candidate" if own == decision.candidate else ""
        yield f"{name}{chosen}: {_runs(own, decision.metric)}"
    if decision.baseline is not None:
        yield f"The baseline: {_runs(decision.baseline, decision.metric)}"


def _runs(own: Runs, metric: str) -> str:
    value = "no value" if own.mean is None else number(own.mean)
    spread = "" if own.spread is None else f" (sd {number(own.spread, 2)})"
    seeds = plural(own.seeds, "fresh seed")
    return f"{metric} {value}{spread} on {seeds}, {params_text(own.params)}"


def guard_text(own: Guard) -> str:
    """Whether a guard was kept.

    >>> guard_text(Guard("ms <= 20", 31.0, 20.0, kept=False))
    'ms <= 20 is broken: 31, where at most 20 was asked for.'
    """
    if own.value is None or own.limit is None:
        return f"{own.text} is broken: the metric was not reported."
    side = "at most" if "<=" in own.text else "at least"
    asked = f"{number(own.value)}, where {side} {number(own.limit)} was asked for"
    return f"{own.text} is {'kept' if own.kept else 'broken'}: {asked}."
