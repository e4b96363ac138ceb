"""From what was said to a study: every value checked, every error with its place."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DanluError, StudyError, did_you_mean
from ..metric import Metric
from ..study import Study
from ..value import Value, plain
from .build_program import build_program
from .document import Document, Key
from .domains import domains
from .keys import DEFAULTS, KEYS, check_known, or_default
from .program import Program

_METRIC = ("name", "goal", "at")
_GOALS = ("min", "max")


@dataclass(frozen=True)
class StudyFile:
    """A study, how its trials are started, and where each value was said."""

    study: Study
    program: Program
    document: Document


def build(document: Document, folder: Path) -> StudyFile:
    """The study that a document states; commands are started in `folder`.

    Raises:
        StudyError, SpaceError: a value is faulty; the message names file, line and key.
    """
    check_known(document, (), document.content, KEYS)
    program = build_program(document, folder)
    return StudyFile(_study(document), program, document)


def _study(document: Document) -> Study:
    space = domains(document, ("space",), _needed(document, "space"))
    settings = {
        "name": _text(document, "study"),
        "goal": _text(document, "goal"),
        "metric": _metric(document),
        "space": space,
        "trials": _needed(document, "trials"),
        "scientific": _names(document, "scientific"),
        "fixed": _params(document, "fixed"),
        **_methods(document),
        "max_steps": document.get("max_steps"),
        "seed": or_default(document, "seed"),
        "note": _text(document, "note") if document.get("note") else "",
        "constraints": _names(document, "constraints"),
        "learn_from": _names(document, "learn_from"),
        "guards": _names(document, "guards"),
    }
    try:
        study = Study(**settings)
    except DanluError as error:
        raise document.error(_key_in(str(error)), error) from None
    if document.get("baseline") is None:
        return study
    baseline = {**study.fixed, **_params(document, "baseline")}
    try:
        baseline = study.search_space.admit(baseline)
    except DanluError as error:
        raise document.error(("baseline",), error) from None
    return dataclasses.replace(study, baseline=baseline)


def _needed(document: Document, key: str) -> Any:
    value = document.get(key)
    if value is None:
        raise document.error((), f"the key {key!r} is missing: {_EXAMPLES[key]}")
    return value


_EXAMPLES = {
    "study": "name the study, as in `study: digits`",
    "goal": "say in one sentence which question the study answers",
    "metric": "name the number to make small, as in `metric: val_error`",
    "space": "say what may vary, as in `space: {lr: 1e-4..1e-1:log}`",
    "trials": "say how many search trials there are in total, as in `trials: 50`",
}


def _text(document: Document, key: str) -> str:
    value = _needed(document, key)
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)  # a study may well be called 7
    raise document.error((key,), f"needs text, got {value!r}")


def _metric(document: Document) -> Metric:
    stated = _needed(document, "metric")
    table = {"name": stated} if isinstance(stated, str) else stated
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise document.error(
            ("metric",), f"needs a name, or {{name, goal, at}}, got {stated!r}"
        )
    check_known(document, ("metric",), table, _METRIC)
    goal = table.get("goal", "min")
    if goal not in _GOALS:
        hint = did_you_mean(str(goal), _GOALS)
        raise document.error(("metric", "goal"), f"is min or max, got {goal!r}: {hint}")
    try:
        at: Any = table.get("at", "best")
        return Metric(table["name"], goal == "max", at)
    except DanluError as error:
        raise document.error(("metric",), error) from None


def _params(document: Document, key: str) -> dict[str, Value]:
    table = document.get(key)
    if table is None:
        return {}
    if not isinstance(table, Mapping):
        raise document.error((key,), f"needs `name: value` lines, got {table!r}")
    params = {}
    for name, value in table.items():
        try:
            params[str(name)] = plain(value)
        except DanluError as error:
            raise document.error((key, str(name)), error) from None
    return params


def _names(document: Document, key: str) -> list[str]:
    stated = document.get(key)
    if stated is None:
        return []
    names = [stated] if isinstance(stated, str) else stated
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise document.error((key,), f"needs a list of texts, got {stated!r}")
    return names


def _method(document: Document, key: str) -> Any:
    """A sampler's or scheduler's name, or the object where settings are given."""
    stated = document.get(key)
    if stated is None:
        return DEFAULTS[key]
    named = {"name": stated} if isinstance(stated, str) else stated
    if not isinstance(named, Mapping) or not isinstance(named.get("name"), str):
        raise document.error(
            (key,), f"needs a name, or {{name, settings}}, got {stated!r}"
        )
    from .. import codec  # imports every method there is: only where one is named

    made = {"sampler": codec.sampler_from_json, "scheduler": codec.scheduler_from_json}
    try:
        _check_settings(key, **named)
        return made[key](stated)
    except DanluError as error:
        raise document.error((key,), error) from None


def _methods(document: Document) -> dict[str, Any]:
    """The sampler and the scheduler: each by itself, or both by a recipe's name."""
    keys, recipe = ("sampler", "scheduler"), document.get("recipe")
    if recipe is None:
        return {key: _method(document, key) for key in keys}
    for key in keys:
        if document.get(key) is not None:
            raise document.error(
                (key,), f"is also said by the recipe {recipe!r}: leave one of them out"
            )
    from .. import recipes

    try:
        return dict(recipes.recipe(recipe))
    except DanluError as error:
        raise document.error(("recipe",), error) from None


def _check_settings(key: str, name: str, **settings: object) -> None:
    """Raises where a sampler or scheduler has no such setting."""
    if not settings:
        return
    from .. import recipes

    found = {"sampler": recipes.sampler_class, "scheduler": recipes.scheduler_class}
    own: Any = found[key](name)
    known = [field.name for field in dataclasses.fields(own)]
    for setting in settings:
        if setting not in known:
            hint = did_you_mean(setting, known)
            raise StudyError(f"no setting {setting!r} of {name}: {hint}")


_LISTED = {"constraint": "constraints", "guard": "guards"}


def _key_in(message: str) -> Key:
    """The key that an error is about: one of its first words, where that is a key."""
    words = re.findall(r"\w+", message)[:4]
    words = [_LISTED.get(word, word) for word in words]
    return next(((word,) for word in words if word in KEYS), ())
