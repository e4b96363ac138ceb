"""Records to JSON and back, in one place.

A domain is `{"float": [low, high], "log": true}`, `{"int": [...]}` or
`{"choice": [...]}`; a choice with branches is `{"choice": {option: {name: domain}}}`.
A domain may have a `"belief": {"center": value, "confidence": share}`.
A sampler or scheduler is its name, or `{"name": ..., setting: value}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any

from . import recipes
from .decide.decision import Decision, Gain, Guard, NextStudy, Ruling, Runs
from .domain import Belief, Choice, Domain, Float, Int
from .errors import SpaceError, StudyError
from .jsontext import json_to_number, number_to_json
from .metric import Metric
from .recipes import Part
from .samplers.base import Sampler
from .schedulers.base import Scheduler
from .study import Study
from .trial import Curve, Kind, State, Trial
from .value import plain

_PLAIN_FIELDS = ("name", "goal", "trials", "max_steps", "seed", "note")


def study_to_json(study: Study) -> dict[str, Any]:
    """The study as JSON.

    >>> import danlu
    >>> study = danlu.Study("s", "Which lr?", "loss", {"lr": danlu.Float(0, 1)}, 10)
    >>> study_to_json(study)["space"]
    {'lr': {'float': [0.0, 1.0]}}
    >>> study_from_json(study_to_json(study)) == study
    True
    """
    metric = study.objective
    return {
        **{name: getattr(study, name) for name in _PLAIN_FIELDS},
        "metric": {
            "name": metric.name,
            "maximize": metric.maximize,
            "at": metric.at,
        },
        "space": _domains_to_json(study.search_space.domains),
        "fixed": dict(study.fixed),
        "scientific": list(study.scientific),
        "baseline": None if study.baseline is None else dict(study.baseline),
        "sampler": part_to_json(study.sampler),
        "scheduler": part_to_json(study.scheduler),
        **_if_any("constraints", [constraint.text for constraint in study.limits]),
        **_if_any("learn_from", list(study.learn_from)),
        **_if_any("guards", list(study.guards)),
    }


def study_from_json(document: Mapping[str, Any]) -> Study:
    """The study that JSON stands for.

    Raises:
        StudyError: a field is missing or unknown, or has an impossible value.
    """
    known = {*_PLAIN_FIELDS, "metric", "space", "fixed", "scientific"}
    known |= {"baseline", "sampler", "scheduler", "constraints", "learn_from", "guards"}
    unknown = sorted(set(document) - known)
    if unknown:
        raise StudyError(f"a study has no field {unknown[0]!r}")
    own: dict[str, Any] = dict(document)
    try:
        own["metric"] = Metric(**own["metric"])
        own["space"] = domains_from_json(own["space"])
        own["sampler"] = sampler_from_json(own.get("sampler", "auto"))
        own["scheduler"] = scheduler_from_json(own.get("scheduler", "full"))
        return Study(**own)
    except (KeyError, TypeError) as error:
        raise StudyError(f"a study's JSON lacks something: {error}") from error


def domain_to_json(domain: Domain) -> dict[str, Any]:
    """A domain as JSON.

    >>> import danlu
    >>> domain_to_json(danlu.Int(8, 64, log=True))
    {'int': [8, 64], 'log': True}
    """
    if isinstance(domain, Choice):
        return {**_choice_to_json(domain), **_belief_to_json(domain)}
    kind = "float" if isinstance(domain, Float) else "int"
    log = {"log": True} if domain.log else {}
    return {kind: [domain.low, domain.high], **log, **_belief_to_json(domain)}


def domain_from_json(document: Mapping[str, Any]) -> Domain:
    """The domain that JSON stands for.

    Raises:
        SpaceError: it stands for none.
    """
    own = dict(document)
    log, ordered = own.pop("log", False), own.pop("ordered", False)
    branches = own.pop("branches", [])
    belief = Belief(**own.pop("belief")) if "belief" in own else None
    if len(own) == 1 and "choice" in own:
        pairs = [(option, domains_from_json(inner)) for option, inner in branches]
        return Choice(tuple(own["choice"]), ordered, dict(pairs), belief)
    if len(own) == 1 and own.keys() <= {"float", "int"}:
        name, (low, high) = own.popitem()
        kind = Float if name == "float" else Int
        return kind(low, high, log, belief)
    raise SpaceError(f"no domain: {dict(document)!r}")


def domains_from_json(document: Mapping[str, Any]) -> dict[str, Domain]:
    """A mapping of name to domain from its JSON."""
    return {name: domain_from_json(own) for name, own in document.items()}


def part_to_json(part: Sampler | Scheduler | str) -> str | dict[str, Any]:
    """A sampler or scheduler as JSON: its name, with the settings that differ.

    >>> import danlu
    >>> part_to_json(danlu.schedulers.Median(min_steps=3))
    {'name': 'median', 'min_steps': 3}
    """
    if isinstance(part, str):
        return part
    settings = {}
    for setting in fields(part):  # type: ignore[arg-type]  # a dataclass, by contract
        value = getattr(part, setting.name)
        if setting.default is MISSING or value != setting.default:
            settings[setting.name] = value
    name = recipes.name_of(part)
    return {"name": name, **_plain(settings)} if settings else name


def sampler_from_json(document: str | Mapping[str, Any]) -> Sampler | str:
    """The sampler that JSON stands for; a bare name stays a name.

    Raises:
        StudyError: no sampler goes by that name, or not with these settings.
    """
    return _part_from_json(document, recipes.sampler, recipes.sampler_class)


def scheduler_from_json(document: str | Mapping[str, Any]) -> Scheduler | str:
    """The scheduler that JSON stands for; a bare name stays a name.

    Raises:
        StudyError: no scheduler goes by that name, or not with these settings.
    """
    return _part_from_json(document, recipes.scheduler, recipes.scheduler_class)


def trial_to_json(trial: Trial) -> dict[str, Any]:
    """The trial as JSON, curves included.

    >>> import danlu
    >>> trial_to_json(danlu.Trial(3, {"lr": 0.1}))["state"]
    'running'
    """
    own = {field.name: getattr(trial, field.name) for field in fields(trial)}
    own["params"] = dict(trial.params)
    own["state"], own["kind"] = trial.state.value, trial.kind.value
    own["curves"] = {name: _curve_to_json(c) for name, c in trial.curves.items()}
    return own


def trial_from_json(document: Mapping[str, Any]) -> Trial:
    """The trial that JSON stands for."""
    own = dict(document)
    own["state"], own["kind"] = State(own["state"]), Kind(own["kind"])
    curves = own["curves"].items()
    own["curves"] = {name: _curve_from_json(points) for name, points in curves}
    return Trial(**own)


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """The decision as JSON, without what the storage adds: its number and time.

    >>> import danlu
    >>> decision = danlu.Decision("digits", danlu.Ruling.ADOPT)
    >>> decision_to_json(decision)["ruling"]
    'adopt'
    >>> decision_from_json(decision_to_json(decision)) == decision
    True
    """
    own: dict[str, Any] = _plain(asdict(decision))
    del own["number"], own["written_s"]
    return {**own, "ruling": decision.ruling.value}


def decision_from_json(document: Mapping[str, Any]) -> Decision:
    """The decision that JSON stands for."""
    own = dict(document)
    own["ruling"] = Ruling(own["ruling"])
    for name in ("candidate", "baseline"):
        own[name] = None if own[name] is None else _runs_from_json(own[name])
    own["candidates"] = tuple(map(_runs_from_json, own["candidates"]))
    own["gain"] = None if own["gain"] is None else Gain(**own["gain"])
    own["guards"] = tuple(Guard(**guard) for guard in own["guards"])
    own["next_studies"] = tuple(NextStudy(**study) for study in own["next_studies"])
    own["caveats"] = tuple(own["caveats"])
    return Decision(**own)


def _runs_from_json(document: Mapping[str, Any]) -> Runs:
    own = dict(document)
    own["trials"], own["confirmed"] = tuple(own["trials"]), tuple(own["confirmed"])
    return Runs(**own)


def _if_any(name: str, values: list[str]) -> dict[str, Any]:
    """Nothing where there is none, so that studies kept before are equal still."""
    return {name: values} if values else {}


def _belief_to_json(domain: Domain) -> dict[str, Any]:
    belief = domain.belief
    if belief is None:
        return {}
    return {"belief": {"center": belief.center, "confidence": belief.confidence}}


def _choice_to_json(choice: Choice) -> dict[str, Any]:
    branches = [
        [option, _domains_to_json(own)] for option, own in choice.branches.items()
    ]
    return {
        "choice": list(choice.options),
        **({"ordered": True} if choice.ordered else {}),
        **({"branches": branches} if branches else {}),
    }


def _domains_to_json(domains: Mapping[str, Domain]) -> dict[str, Any]:
    return {name: domain_to_json(domain) for name, domain in domains.items()}


def _curve_to_json(curve: Curve) -> dict[str, Any]:
    values = [number_to_json(value) for value in curve.values.tolist()]
    return {"steps": curve.steps.tolist(), "values": values}


def _curve_from_json(document: Mapping[str, Any]) -> Curve:
    values = (json_to_number(value) for value in document["values"])
    points = zip(document["steps"], values, strict=True)
    return Curve.of({step: value for step, value in points if value is not None})


def _part_from_json(
    document: str | Mapping[str, Any],
    named: Callable[[str], Part],
    class_of: Callable[[str], type[Part]],
) -> Part | str:
    if isinstance(document, str):
        named(document)  # raises where nothing goes by that name
        return document
    settings = dict(document)
    own = class_of(settings.pop("name"))
    try:
        return own(**settings)
    except TypeError as error:
        raise StudyError(f"{own.__name__}: {error}") from error


def _plain(value: Any) -> Any:
    """Settings as JSON has them: tuples as lists, numbers of numpy as Python's."""
    if isinstance(value, Mapping):
        return {key: _plain(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(own) for own in value]
    return plain(value)
