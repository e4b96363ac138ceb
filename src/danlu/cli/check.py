"""`danlu check`: validates a study and tries its program; nothing is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..sentence import plural
from .stated import WithProgram, stated, study_options
from .words import say, table

if TYPE_CHECKING:
    from ..study import Study
    from ..studyfile import Document, StudyFile
    from .rehearsal import Rehearsal


@click.command(cls=WithProgram)
@click.argument("target", required=False, metavar="[FILE | train.py:function]")
@click.option(
    "--explain", is_flag=True, help="Say where each value comes from; run nothing."
)
@click.option("--steps", default=3, metavar="N", help="Try the program for N steps.")
@click.option(
    "--patience",
    default=60.0,
    metavar="SECONDS",
    help="End the trial after this time, however far it is.",
)
@study_options
@click.pass_context
def check(
    ctx: click.Context,
    /,
    target: str | None,
    *,
    explain: bool,
    steps: int,
    patience: float,
    **options: Any,
) -> int:
    """Validate a study, then run one trial for a few steps; nothing is recorded."""
    from .programs import check_words

    file = stated(target, ctx.obj, options)
    check_words(file)
    if explain:
        click.echo(explained(file.document))
        return 0
    click.echo(described(file.study))
    show_findings(file.study)
    if not file.program.text:
        say("no command or function is named, so there is nothing to try")
        return 0
    return _tried(file, max(1, steps), patience)


def described(study: Study) -> str:
    """A study in words: its goal, and its space with the roles."""
    from ..analysis.design.finite import combinations
    from ..studyfile import domain_text

    lines = [f"study   {study.name}", f"goal    {study.goal}"]
    metric = study.objective
    direction = "larger" if metric.maximize else "smaller"
    lines.append(f"metric  {metric.name}, {direction} is better, at its {metric.at}")
    if study.limits:
        lines.append(f"limits  {', '.join(map(str, study.limits))}")
    if study.guards:
        lines.append(f"guards  {', '.join(study.guards)}")
    if study.learn_from:
        lines.append(f"learns  from {', '.join(study.learn_from)}")
    arms = f" in {len(study.arms)} arms" if len(study.arms) > 1 else ""
    space = plural(len(study.search_space), "hyperparameter")
    size = combinations(study.search_space.domains)
    shown = "" if size is None else f" with {plural(size, 'combination')}"
    lines.append(f"trials  {study.trials}{arms}, over {space}{shown}")
    rows = [
        (own.path, domain_text(own.domain), study.role(own.path))
        for own in study.search_space.dimensions
    ]
    rows += [(name, str(value), "fixed") for name, value in study.fixed.items()]
    return "\n".join([*lines, "", table(("name", "domain", "role"), rows)])


def show_findings(study: Study) -> None:
    """Says on stderr what the rules of thumb say about a design."""
    from ..analysis.design import design

    for finding in design(study):
        advice = f" {finding.advice}" if finding.advice else ""
        say(f"{finding.level}: {finding.message}{advice}")


def explained(document: Document) -> str:
    """Every value of a study, and where it was said."""
    from ..studyfile import DEFAULTS, KEYS

    rows = []
    for key in KEYS:
        value = document.get(key)
        if isinstance(value, dict):
            rows += [
                (f"{key}.{name}", str(own), document.origin((key, str(name))))
                for name, own in value.items()
            ]
        elif value is not None:
            rows.append((key, str(value), document.origin((key,))))
        elif key in DEFAULTS:
            rows.append((key, str(DEFAULTS[key]), "default"))
    return table(("key", "value", "from"), rows)


def _tried(file: StudyFile, steps: int, patience_s: float) -> int:
    """Runs one trial for a few steps and says what was seen."""
    from .rehearsal import rehearse

    say(f"\ntrying {file.program.text}")
    seen = rehearse(file, steps, patience_s)
    if not seen.ok:
        say(f"the program failed: {seen.reason}\n{seen.tail}".rstrip())
        return 1
    for complaint in seen.complaints:
        say(complaint)
    click.echo("")
    click.echo(f"metrics {', '.join(seen.metrics) or 'none'}")
    if file.study.objective.name not in seen.metrics:
        _say_missing(file.study, seen)
        return 1
    for limit in file.study.limits:
        if limit.metric not in seen.metrics:
            say(f"{limit.metric!r} was not reported yet: '{limit}' needs it in the end")
    click.echo(estimate(file, seen))
    return 0


def _say_missing(study: Study, seen: Rehearsal) -> None:
    from ..errors import did_you_mean

    name = study.objective.name
    if seen.metrics:
        say(f"no metric {name!r} was reported: {did_you_mean(name, seen.metrics)}")
    elif seen.cut_short:
        say("nothing was reported in time: give it more with --patience SECONDS")
    else:
        say(
            f"the program ended without reporting {name!r}: print `step=1 {name}=0.5`, "
            "or append JSON lines to $DANLU_REPORT"
        )


def estimate(file: StudyFile, seen: Rehearsal) -> str:
    """How long a trial and the study will take, as far as that can be told."""
    from ..analysis.design.finite import most_trials
    from ..studyfile.quantities import duration_text

    trial_s = seen.trial_s(file.study.max_steps)
    if trial_s is None:
        return (
            f"time    {plural(seen.steps, 'step')} in {duration_text(seen.seconds)}; "
            "max_steps is not set, so the whole cannot be estimated"
        )
    trials = most_trials(file.study)
    slots = min(file.program.slots, trials)
    total_s = trial_s * trials / slots
    many = f"{plural(trials, 'trial')} in {plural(slots, 'slot')}"
    return (
        f"time    {duration_text(trial_s)} a trial, so about {duration_text(total_s)} "
        f"for {many}; stopping early shortens this"
    )
