"""`danlu ask`, `report-metric` and `tell`: single steps, for loops of one's own."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ReportError
from ..jsontext import json_to_number
from ..sentence import listed
from .exits import BUSY, NO_RESULT
from .options import OF_STUDY, PROJECT
from .place import existing, existing_or_new
from .words import quoted, say, short_list_text, show_json, study_state

if TYPE_CHECKING:
    from ..project import Project
    from ..study import Study
    from ..trial import Trial

_ALL_OUT = "all trials are given out"
_TOLD = ("completed", "stopped", "infeasible", "failed")
_NUMBER = click.argument("number", metavar="N", type=click.IntRange(0))


@click.command()
@click.argument("target", required=False, metavar="[STUDY | FILE]")
@click.option("--shell", is_flag=True, help="As lines that a shell can eval.")
@PROJECT
def ask(target: str | None, shell: bool, place: str | None) -> int:
    """Take the next trial, to run it yourself: its params as JSON.

    Given a study file the study is made first. Exit code 4: all trials are given out;
    75: ask again later.

    \b
    while eval "$(danlu ask --shell study.yaml)"; do
      loss=$(./train $DANLU_PARAM_LR)
      danlu report-metric $DANLU_TRIAL loss=$loss && danlu tell $DANLU_TRIAL
    done
    """
    try:
        return _ask(target, place, shell=shell)
    except Exception:
        if shell:
            click.echo("false")  # else the loop would go on without a trial
        raise


def _ask(target: str | None, place: str | None, *, shell: bool) -> int:
    is_file = target is not None and Path(target).is_file()
    with existing_or_new(place) if is_file else existing(place) as project:
        study = _planned(project, target) if is_file else project.study(target)
        trial = project.ask(study, holder=f"danlu ask on {socket.gethostname()}")
        if trial is None:
            if shell:
                click.echo("false")  # what eval returns, so that a loop ends
            running = study_state(study, project.history(study)) == "running"
            if running:
                say("no trial is free now")
                return BUSY
            say(": ".join(filter(None, [_ALL_OUT, short_list_text(study)])))
            return NO_RESULT
        if shell:
            click.echo(shell_text(project, study, trial))
            for warning in left_out(study, trial):
                say(warning)
        else:
            show_json("ask", ask_json(project, study, trial))
    return 0


@click.command("report-metric")
@_NUMBER
@click.argument("metrics", nargs=-1, required=True, metavar="NAME=VALUE...")
@click.option("--step", type=click.IntRange(0), metavar="S",
              help="At which step (default: one after the last).")  # fmt: skip
@OF_STUDY
@PROJECT
def report_metric(
    number: int,
    metrics: tuple[str, ...],
    step: int | None,
    study: str | None,
    place: str | None,
) -> None:
    """Report metrics of trial N; prints `continue`, or `stop` when it is to end."""
    values = _values(metrics)
    with existing(place) as project:
        found = project.study(study)
        if step is None:
            known = [t for t in project.history(found).trials if t.number == number]
            step = known[0].step + 1 if known else 1
        goes_on = project.report(found, number, step, **values)
    click.echo("continue" if goes_on else "stop")


@click.command()
@_NUMBER
@click.argument("state", default="completed", type=click.Choice(_TOLD))
@click.option("--reason", default="", metavar="TEXT", help="Why it ended so.")
@OF_STUDY
@PROJECT
def tell(
    number: int, state: str, reason: str, study: str | None, place: str | None
) -> None:
    """Say that trial N has ended: completed, stopped, infeasible or failed."""
    from ..trial import State

    with existing(place) as project:
        told = project.tell(project.study(study), number, State(state), reason)
    say(f"trial {number} is {told.state}")


def ask_json(project: Project, study: Study, trial: Trial) -> dict[str, Any]:
    """What one needs to run a trial oneself."""
    return {
        "study": study.name,
        "trial": trial.number,
        "kind": trial.kind.value,
        "params": dict(trial.params),
        "seed": trial.seed,
        "budget": trial.budget,
        "folder": str(project.trial_folder(study, trial.number)),
    }


def shell_text(project: Project, study: Study, trial: Trial) -> str:
    """The same as assignments of a shell, under the names that programs find.

    The params that this trial does not have are unset: a loop may hold those of the
    trial before.
    """
    import shlex

    from ..space import SearchSpace

    variables: dict[str, object] = {
        "DANLU_STUDY": study.name,
        "DANLU_TRIAL": trial.number,
        "DANLU_SEED": trial.seed,
        "DANLU_BUDGET": "" if trial.budget is None else trial.budget,
        "DANLU_FOLDER": project.trial_folder(study, trial.number),
    }
    for name, value in trial.params.items():
        if _is_variable(name):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            variables[_variable(name)] = text
    every = SearchSpace(study.search_space.domains).dimensions  # no pin leaves one out
    known = dict.fromkeys(_variable(d.name) for d in every if _is_variable(d.name))
    lines = [f"unset {name}" for name in known if name not in variables]
    lines += [f"{name}={shlex.quote(str(v))}" for name, v in variables.items()]
    return "\n".join(lines)


def left_out(study: Study, trial: Trial) -> list[str]:
    """What the assignments of a shell lack of a trial's params, and where it is.

    >>> import danlu
    >>> study = danlu.Study("s", "Which?", "err", {"a-b": danlu.Float(0, 1)}, trials=9)
    >>> left_out(study, danlu.Trial(3, {"a-b": 0.1}))
    ["no variable holds 'a-b': see `danlu trial show 3 --study s --json`"]
    """
    by_variable: dict[str, list[str]] = {}
    for name in filter(_is_variable, trial.params):
        by_variable.setdefault(_variable(name), []).append(name)
    odd = [repr(name) for name in trial.params if not _is_variable(name)]
    said = [f"no variable holds {listed(odd)}"] if odd else []
    said += [
        f"{variable} holds {names[-1]!r}, not {listed(list(map(repr, names[:-1])))}"
        for variable, names in by_variable.items()
        if len(names) > 1
    ]
    at = f"danlu trial show {trial.number} --study {quoted(study.name)} --json"
    return [f"{sentence}: see `{at}`" for sentence in said]


def _is_variable(name: str) -> bool:
    """Whether a shell takes a name in a variable's: letters, digits, underscores."""
    return name.isascii() and name.isidentifier()


def _variable(name: str) -> str:
    return f"DANLU_PARAM_{name.upper()}"


def _planned(project: Project, target: str | None) -> Study:
    from ..studyfile import load

    return project.plan(load(target or "").study)


def _values(metrics: tuple[str, ...]) -> dict[str, float]:
    """`name=value` words as numbers; nan and inf count."""
    values = {}
    for word in metrics:
        name, _, text = word.partition("=")
        number = _number(text)
        if not name or number is None:
            raise ReportError(f"{word!r} is no metric: write val_error=0.31")
        values[name] = number
    if "step" in values:
        raise ReportError(f"a step is no metric: write --step {values['step']:.0f}")
    return values


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return json_to_number(text)
