"""`danlu preflight`: is the training program sound, and what should be tuned first."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import click

from ..errors import StudyError
from .exits import GATE
from .options import JSON
from .words import say, show_json

MARKS = {"ok": "ok", "notice": "notice", "warning": "FAULT", "unknown": "unknown"}


@click.command()
@click.argument("probe", metavar="FILE.py:NAME")
@click.option("--trials", type=click.IntRange(1), metavar="N",
              help="Also plan a first study of N trials.")  # fmt: skip
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path),
              metavar="FILE", help="Where to write it (default: shown).")  # fmt: skip
@JSON
def preflight(
    probe: str, trials: int | None, output: Path | None, as_json: bool
) -> int | None:
    """Check the `danlu.training.Probe` NAME in FILE.py, and find its learning rate.

    Exit code 3 says that a fault was found.
    """
    made = loaded(probe)
    findings = made.check()
    found = None
    if not any(own.evidence.get("not_finite") for own in findings):
        found = made.lr_range()
    is_faulty = any(own.level == "warning" for own in findings) or (
        found is not None and found.verdict in ("fault", "flat")
    )
    plan = None
    if trials is not None and not is_faulty and found and found.suggestion:
        plan = made.plan(trials=trials, found=found)
        if output is not None:
            output.write_text(plan.text(), "utf-8")
    if as_json:
        show_json("preflight", _document(findings, found, plan))
    else:
        _show(findings, found, plan if output is None else None)
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
    if not hasattr(found, "check") or not hasattr(found, "lr_range"):
        raise StudyError(
            f"{path} has no danlu.training.Probe called {name}: write "
            f"`{name} = training.Probe(...)` at its top level"
        )
    return found


def _show(findings: Any, found: Any, plan: Any) -> None:
    for own in findings:
        click.echo(f"{MARKS[own.level]:8} {own.check}: {own.message}")
        if own.advice and own.level != "ok":
            click.echo(f"{'':8} {own.advice}")
    if found is not None:
        mark = "FAULT" if found.verdict in ("fault", "flat") else found.verdict
        click.echo(f"{mark:8} learning rate: {found.message}")
    if plan is not None:
        click.echo(f"\n{plan.text()}", nl=False)


def _document(findings: Any, found: Any, plan: Any) -> dict[str, Any]:
    return {
        "findings": [
            {
                "check": own.check,
                "level": own.level,
                "message": own.message,
                "advice": own.advice,
                "evidence": _plain(own.evidence),
            }
            for own in findings
        ],
        "lr": None
        if found is None
        else {
            "verdict": found.verdict,
            "message": found.message,
            "suggestion": found.suggestion,
            "spread_decades": found.spread,
            "falls_from": found.low,
            "diverges_from": found.high,
        },
        "plan": None
        if plan is None
        else {
            "study": dict(plan.study),
            "training": dict(plan.training),
            "reasons": dict(plan.reasons),
        },
    }


def _plain(value: Any) -> Any:
    """JSON has no nan and no infinity: they become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(own) for key, own in value.items()}
    return [_plain(own) for own in value] if isinstance(value, list | tuple) else value
