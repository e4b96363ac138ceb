"""`danlu preflight`: is the training program sound, and what should be tuned first."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import click

from ..errors import StudyError
from .exits import GATE
from .options import JSON
from .words import say, show_json

MARKS = {"ok": "ok", "notice": "notice", "warning": "FAULT", "unknown": "unknown"}
FINDING = ("check", "level", "message", "advice", "evidence")
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("probe", metavar="FILE.py:NAME")
@click.option(
    "--steps",
    "most",
    type=click.IntRange(20),
    metavar="N",
    help="Also seek how many steps fit the training set, up to N.",
)
@click.option(
    "--trials",
    type=click.IntRange(1),
    metavar="N",
    help="Also plan a first study of N trials, with its steps.",
)
@click.option(
    "--output",
    "-o",
    type=_FILE,
    metavar="FILE",
    help="Where to write the study (default: shown).",
)
@click.option(
    "--picture",
    type=_FILE,
    metavar="FILE.svg",
    help="Where to draw the loss over the learning rate.",
)
@JSON
def preflight(
    probe: str,
    *,
    most: int | None,
    trials: int | None,
    output: Path | None,
    picture: Path | None,
    as_json: bool,
) -> int | None:
    """Check the `danlu.training.Probe` NAME in FILE.py, and find its learning rate.

    Exit code 3 says that a fault was found.
    """
    made = loaded(probe)
    before = made.preflight()
    steps, plan, updates = _planned(made, before, most, trials)
    is_faulty = bool(before.faults) or (steps is not None and steps.steps is None)
    if plan is not None and output is not None:
        output.write_text(plan.text(), "utf-8")
    if picture is not None and before.found is not None:
        picture.write_text(before.picture(), "utf-8")
    if as_json:
        show_json("preflight", _document(before, steps, plan, updates))
    else:
        _show(before, steps, plan if output is None else None, updates)
    if trials is not None and plan is None:
        say("No study is planned before the faults are gone and a rate is found.")
    return GATE if is_faulty else None


def loaded(reference: str) -> Any:
    """The probe that `train.py:probe` names.

    Raises:
        StudyError: there is no such file, name, or it is no probe.
    """
    path, _, name = reference.rpartition(":")
    if not path or not name.isidentifier():
        raise StudyError(
            f"preflight needs a file and a name in it, as train.py:probe; got "
            f"{reference!r}"
        )
    if not Path(path).is_file():
        raise StudyError(f"no such file: {path}")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise StudyError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(Path(path).resolve().parent))
    spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if not hasattr(found, "preflight") or not hasattr(found, "steps"):
        raise StudyError(
            f"{path} has no danlu.training.Probe called {name}: write "
            f"`{name} = training.Probe(...)` at its top level"
        )
    return found


def _planned(
    made: Any, before: Any, most: int | None, trials: int | None
) -> tuple[Any, Any, int]:
    """The steps and the plan that were asked for, and the updates of all tests."""
    rate = None if before.faults or before.found is None else before.found.suggestion
    if rate is None or (most is None and trials is None):
        return None, None, before.updates
    plan = None
    with made.counting() as count:
        steps = made.steps(rate) if most is None else made.steps(rate, most=most)
        if steps.steps is not None and trials is not None:
            plan = made.plan(trials=trials, found=before.found, steps=steps)
    return steps, plan, before.updates + count.updates


def _show(before: Any, steps: Any, plan: Any, updates: int) -> None:
    for own in before.findings:
        click.echo(f"{MARKS[own.level]:8} {own.check}: {own.message}")
        if own.advice and own.level != "ok":
            click.echo(f"{'':8} {own.advice}")
    for what, own in (("learning rate", before.found), ("steps", steps)):
        if own is not None:
            mark = "FAULT" if own.verdict in ("fault", "flat") else own.verdict
            click.echo(f"{mark:8} {what}: {own.message}")
    click.echo(f"{'':8} These tests made {updates} updates.")
    if plan is not None:
        click.echo(f"\n{plan.text()}", nl=False)


def _document(before: Any, steps: Any, plan: Any, updates: int) -> dict[str, Any]:
    said = ("verdict", "message")
    measured = {
        "spread_decades": "spread",
        "falls_from": "low",
        "diverges_from": "high",
    }
    return {
        "findings": [_fields(own, *FINDING) for own in before.findings],
        "updates": updates,
        "lr": _fields(before.found, *said, "suggestion", **measured),
        "steps": _fields(steps, *said, "steps", "rate", "best_at"),
        "plan": _fields(plan, "study", "training", "reasons"),
    }


def _fields(record: Any, *names: str, **named: str) -> dict[str, Any] | None:
    """Some fields of a record, `named` under other names; None where there is none."""
    if record is None:
        return None
    keys = dict.fromkeys(names) | named
    return {key: getattr(record, own or key) for key, own in keys.items()}
