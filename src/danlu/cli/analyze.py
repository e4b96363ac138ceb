"""`danlu analyze`: what the checks found in a study's results."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

import click

from .exits import GATE
from .options import JSON, PROJECT, STUDY
from .place import existing
from .words import quoted, say, screen_width, show_json

if TYPE_CHECKING:
    from ..analysis.base import Finding
    from ..history import History
    from ..study import Study

_LEVELS = ("warning", "notice", "unknown")
_WIDEST = 100  # columns of a sentence that one still reads


@click.command()
@STUDY
@click.option("--metric", metavar="NAME",
              help="Read it under another of its metrics.")  # fmt: skip
@click.option("--goal", type=click.Choice(["min", "max"]),
              help="Of that metric, where its name does not say.")  # fmt: skip
@click.option("--at", type=click.Choice(["best", "last"]),
              help="Which step of each trial counts.")  # fmt: skip
@click.option("--all", "show_all", is_flag=True, help="Also what is in order.")
@click.option("--fail-on", type=click.Choice(_LEVELS),
              help="Exit code 3 if a finding has this level or above.")  # fmt: skip
@JSON
@PROJECT
def analyze(
    study: str | None,
    *,
    metric: str | None,
    goal: str | None,
    at: Literal["best", "last"] | None,
    show_all: bool,
    fail_on: str | None,
    as_json: bool,
    place: str | None,
) -> int:
    """What was learned from STUDY, and what is wrong with it, the weightiest first.

    \b
    danlu analyze
    danlu analyze digits --metric train_loss --at last
    danlu analyze --fail-on warning
    """
    from ..analysis.checks import analyze as checked

    with existing(place) as project:
        found = project.study(study)
        history = project.history(found)
    findings: Sequence[Finding] = ()
    if metric or goal or at:
        found, history, findings = _reread(found, history, metric, goal, at)
    findings = (*findings, *checked(found, history))
    if as_json:
        about = {"study": found.name, "metric": found.objective.name}
        listed = [asdict(finding) for finding in findings]
        show_json("analyze", {**about, "at": found.objective.at, "findings": listed})
    else:
        _show(found, findings, show_all=show_all)
    return GATE if fail_on and _reaches(findings, fail_on) else 0


def _reread(
    study: Study,
    history: History,
    metric: str | None,
    goal: str | None,
    at: Literal["best", "last"] | None,
) -> tuple[Study, History, Sequence[Finding]]:
    """The study under another metric, and what to keep in mind with it."""
    from ..analysis.reread import caveat, reread
    from ..metric import Metric

    own: Metric | str | None = metric
    if goal is not None:
        name = study.objective.name if metric is None else metric
        own = Metric(name, maximize=goal == "max", at=study.objective.at)
    again, known = reread(study, history, metric=own, at=at)
    return again, known, (caveat(study, history, again.objective),)


def _reaches(findings: Sequence[Finding], level: str) -> bool:
    bad = _LEVELS[: _LEVELS.index(level) + 1]
    return any(finding.level.value in bad for finding in findings)


def _show(study: Study, findings: Sequence[Finding], *, show_all: bool) -> None:
    """The answer to what is compared, what matters, and the rest in one line."""
    metric = study.objective
    click.echo(f"{study.name}  {study.goal}")
    click.echo(f"read by {metric.name} at its {metric.at}")
    answers = [own for own in findings if study.scientific and own.check == "isolation"]
    others = [own for own in findings if own not in answers]
    matter = [own for own in others if show_all or own.level.value in _LEVELS[:2]]
    shown = [*answers, *matter]
    for finding in shown:
        click.echo(f"\n{finding.level.value}  {finding.check}")
        for text in (finding.message, finding.advice):
            for line in _wrapped(text):
                click.echo(f"  {line}")
    named = {own.check for own in shown}
    rest = [own for own in others if own.check not in named]
    for level, means in (("unknown", "cannot be told yet"), ("ok", "in order")):
        checks = dict.fromkeys(own.check for own in rest if own.level.value == level)
        if checks:
            click.echo(f"\n{means}: {', '.join(checks)}")
    if len(shown) < len(findings):
        say(f"all in full: danlu analyze {quoted(study.name)} --all")
    say(f"what to run next: danlu next {quoted(study.name)}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, min(screen_width(), _WIDEST) - 2)
