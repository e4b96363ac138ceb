"""A study as the text of a study file, which reads back as the same study."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import codec
from ..domain import Choice, Domain
from ..study import Study
from .domains import domain_text
from .program import Program

_WORD = re.compile(r"[A-Za-z_][\w./-]*$")
_NO_WORDS = ("true", "false", "null", "yes", "no", "on", "off")
_INDENT = "  "


def study_text(
    study: Study, program: Program | None = None, folder: Path = Path()
) -> str:
    """The text of a study file in `folder` that states the study.

    >>> import danlu
    >>> space = {"lr": danlu.Float(0.1, 1)}
    >>> study = danlu.Study("rates", "Which rate?", "err", space, trials=9)
    >>> print(study_text(study))
    study: rates
    goal: "Which rate?"
    metric: err
    space:
      lr: 0.1..1.0
    trials: 9
    <BLANKLINE>
    """
    lines = [f"study: {_scalar(study.name)}", f"goal: {_scalar(study.goal)}"]
    lines += [f"{key}: {value_text(v)}" for key, v in _program(program, folder).items()]
    lines += [f"metric: {value_text(_metric(study))}", "space:"]
    lines += _domains(study.search_space.domains, _INDENT)
    lines += [f"{key}: {value_text(value)}" for key, value in _rest(study).items()]
    return "\n".join(lines) + "\n"


def value_text(value: Any) -> str:
    """A value on one line, which `read_value` reads back with the type of each key.

    >>> value_text({"choice": {8: {"lr": "0.1..1.0"}, True: None, "8": [1, "a b"]}})
    '{choice: {8: {lr: "0.1..1.0"}, true: null, "8": [1, "a b"]}}'
    """
    if isinstance(value, Mapping):
        inside = (f"{_scalar(key)}: {value_text(own)}" for key, own in value.items())
        return f"{{{', '.join(inside)}}}"
    if isinstance(value, list):
        return f"[{', '.join(value_text(own) for own in value)}]"
    return _scalar(value)


def _metric(study: Study) -> Any:
    metric = study.objective
    goal = {"goal": "max"} if metric.maximize else {}
    at = {"at": metric.at} if metric.at != "best" else {}
    return {"name": metric.name, **goal, **at} if goal or at else metric.name


def _rest(study: Study) -> dict[str, Any]:
    """What is said of a study beside its name, goal, metric and space."""
    said = {
        "fixed": dict(study.fixed),
        "scientific": list(study.scientific),
        "baseline": dict(study.baseline or {}),
        "trials": study.trials,
        "max_steps": study.max_steps,
        "sampler": codec.part_to_json(study.sampler),
        "scheduler": codec.part_to_json(study.scheduler),
        "seed": study.seed,
        "note": study.note,
        "constraints": [constraint.text for constraint in study.limits],
        "learn_from": list(study.learn_from),
        "guards": list(study.guards),
    }
    usual = {"sampler": "auto", "scheduler": "full", "seed": 0}
    return {k: v for k, v in said.items() if v not in ({}, [], None, "", usual.get(k))}


def _program(program: Program | None, folder: Path) -> dict[str, Any]:
    """How the trials are started, where that is known."""
    if program is None or not program.text:
        return {}
    limits = {
        "time": program.time_s,
        "memory": program.memory_bytes,
        "output": program.output_bytes,
        "grace": program.grace_s,
    }
    said = {
        "command": list(program.command),
        "function": program.function,
        "slots": program.slots,
        "gpus": list(program.gpus),
        "gpus_per_trial": program.gpus_per_trial,
        "limits": {k: v for k, v in limits.items() if v is not None},
        "pattern": program.pattern,
        "checkpoints": program.checkpoints,
    }
    usual = {"slots": 1, "gpus_per_trial": 1.0}
    return {k: v for k, v in said.items() if v not in ({}, [], None, "", usual.get(k))}


def _domains(domains: Mapping[str, Domain], indent: str) -> Iterator[str]:
    for name, domain in domains.items():
        yield from _domain(_scalar(name), domain, indent)


def _domain(name: str, domain: Domain, indent: str) -> Iterator[str]:
    if not isinstance(domain, Choice):
        yield f"{indent}{name}: {domain_text(domain)}"
        return
    belief = domain.belief
    about = {"ordered": True} if domain.ordered else {}
    if belief is not None:
        own = {"center": belief.center, "confidence": belief.confidence}
        about = {**about, "belief": own}  # type: ignore[dict-item]
    options = list(domain.options)
    if not domain.branches:
        said: Any = {"choice": options, **about} if about else options
        yield f"{indent}{name}: {value_text(said)}"
        return
    yield f"{indent}{name}:"
    yield from (f"{indent}{_INDENT}{key}: {value_text(v)}" for key, v in about.items())
    yield f"{indent}{_INDENT}choice:"
    for option in options:
        yield f"{indent}{_INDENT * 2}{_scalar(option)}:"
        yield from _domains(domain.branches.get(option, {}), indent + _INDENT * 3)


def _scalar(value: Any) -> str:
    """A value as YAML reads it: in quotes, but for a plain word."""
    plain = isinstance(value, str) and _WORD.match(value)
    if plain and value.lower() not in _NO_WORDS:
        return str(value)
    return json.dumps(value, ensure_ascii=False)
