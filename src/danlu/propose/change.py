"""A finding's proposed change, made to a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from ..codec import domain_from_json
from ..domain import Choice, Domain, Float, Int
from ..errors import SpaceError, StudyError, did_you_mean
from ..sentence import listed, short
from ..space import SearchSpace, path_of
from ..study import Study
from ..value import Value, same

Fields: TypeAlias = Mapping[str, Any]

_FIELDS = ("trials", "max_steps", "sampler", "scheduler", "scientific", "space")
_FORMS = ("float", "int", "choice")
_ADDED = "add"
_FIXED = "fixed"


def changed(study: Study, change: Fields) -> Study:
    """The study with the fields of a `Finding.evidence["change"]` changed.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which rate?", metric="err", trials=20,
    ...                     space={"lr": danlu.Float(1e-3, 1.0, log=True)})
    >>> moved = changed(study, {"trials": 30, "space": {"lr": {"high": 10.0}}})
    >>> moved.trials, str(moved.space.domains["lr"])
    (30, '0.001..10 log')

    Raises:
        StudyError: a study has no such field.
        SpaceError: a path is not in the space, or the change makes it faulty.
    """
    for field in change:
        if field not in _FIELDS:
            hint = did_you_mean(str(field), _FIELDS)
            raise StudyError(f"a change of {field!r} cannot be made: {hint}")
    fields = {name: value for name, value in change.items() if name != "space"}
    space = changed_space(study.search_space, change.get("space", {}))
    paths = {dimension.path for dimension in space.dimensions}
    named = fields.get("scientific", study.scientific)
    kept = {"scientific": [path for path in named if path in paths]}
    return replace(study, **{**fields, **kept, "space": space, "fixed": space.fixed})


def changed_space(space: SearchSpace, changes: Mapping[str, Fields]) -> SearchSpace:
    """The space with some dimensions (by path) changed, fixed or added.

    What is fixed leaves the space and stands under `fixed`. Where it belongs to an
    option, or brings hyperparameters of its own, it stays, with that one value.

    >>> import danlu
    >>> space = danlu.SearchSpace({"lr": danlu.Float(0.1, 1), "k": danlu.Int(1, 4)})
    >>> small = changed_space(space, {"k": {"fixed": 2}, "lr": {"low": 0.01}})
    >>> str(small.domains["lr"]), small.fixed
    ('0.01..1', {'k': 2})

    Raises:
        SpaceError: a path is not in the space, or the change makes it faulty.
    """
    known = {dimension.path for dimension in space.dimensions}
    for path, fields in changes.items():
        if path not in known and _ADDED not in fields:
            raise SpaceError(f"no {path!r} in the space: {did_you_mean(path, known)}")
    domains = _below(space.domains, None, None, changes)
    fixed = dict(space.fixed)
    for name, fields in changes.items():
        if name in domains and _FIXED in fields and _leaves(domains[name]):
            del domains[name]
            fixed[name] = fields[_FIXED]
    return SearchSpace(domains, fixed, space.pinned)


def differences(before: Study, after: Study) -> tuple[str, ...]:
    """How one study differs from another, a few words for each field or path.

    >>> import danlu
    >>> space = {"lr": danlu.Float(1e-3, 1.0, log=True)}
    >>> study = danlu.Study("s", "Which rate?", "err", space, trials=20)
    >>> differences(study, changed(study, {"space": {"lr": {"high": 10.0}}}))
    ('lr 0.001..10 log (was 0.001..1 log)',)
    """
    found = []
    old, new = _by_path(before), _by_path(after)
    for path in [*old, *(path for path in new if path not in old)]:
        if old.get(path) != new.get(path):
            was = f"was {old[path]}" if path in old else "new"
            found.append(f"{path} {new.get(path, 'no more')} ({was})")
    for name in ("trials", "max_steps", "sampler", "scheduler", "scientific"):
        was, now = getattr(before, name), getattr(after, name)
        if was != now:
            found.append(f"{name} {_said(now)} (was {_said(was)})")
    return tuple(found)


def _by_path(study: Study) -> dict[str, str]:
    """Each hyperparameter of a study, free or fixed, in words."""
    space = study.search_space
    free = {own.path: _range(own.domain) for own in space.dimensions}
    fixed = {name: f"fixed at {short(value)}" for name, value in study.fixed.items()}
    return {**free, **fixed}


def _range(domain: Domain) -> str:
    """A domain in words; one option alone is no choice."""
    if isinstance(domain, Choice) and len(domain.options) == 1 and not domain.branches:
        return f"fixed at {short(next(iter(domain.options)))}"
    return str(domain)


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return listed(value) if value else "none"
    return "unknown" if value is None else str(value)


def _below(
    domains: Mapping[str, Domain],
    parent: str | None,
    option: Value,
    changes: Mapping[str, Fields],
) -> dict[str, Domain]:
    """The domains of one branch as they are changed, with what is added to it."""
    made: dict[str, Domain] = {}
    for name, domain in domains.items():
        path = path_of(parent, option, name)
        if isinstance(domain, Choice) and domain.branches:
            own = {o: _below(d, path, o, changes) for o, d in domain.branches.items()}
            domain = replace(domain, branches=own)
        made[name] = _changed_domain(domain, changes.get(path, {}))
    for path, fields in changes.items():
        name = path.rpartition("/")[2]
        if _ADDED in fields and path_of(parent, option, name) == path:
            made[name] = _made(fields[_ADDED])
    return made


def _changed_domain(domain: Domain, fields: Fields) -> Domain:
    if not fields or _ADDED in fields:
        return domain
    if _FIXED in fields:
        return _of_one_value(domain, fields[_FIXED])
    if isinstance(domain, Choice):
        return _of_options(domain, fields.get("options", domain.options))
    own = {"low": domain.low, "high": domain.high, "log": domain.log, **fields}
    if isinstance(domain, Int):
        own |= {"low": round(own["low"]), "high": round(own["high"])}
    made = replace(domain, **own, belief=None)
    center = domain.belief.center if domain.belief else None
    if isinstance(center, int | float) and made.low <= center <= made.high:
        return replace(made, belief=domain.belief)
    return made


def _of_one_value(domain: Domain, value: Value) -> Domain:
    if isinstance(domain, Choice):
        return _of_options(domain, [domain.admit(value)])
    own: Any = value  # which may be outside of what was searched
    return replace(domain, low=own, high=own, log=False, belief=None)


def _of_options(choice: Choice, options: Any) -> Choice:
    """The choice among other options; those that stay keep what they bring."""
    kept = [option for option in choice.branches if _among(option, options)]
    belief = choice.belief
    if belief and not _among(belief.center, options):
        belief = None
    branches = {option: choice.branches[option] for option in kept}
    return Choice(tuple(options), choice.ordered, branches, belief)


def _among(value: Value, options: Any) -> bool:
    return any(same(value, option) for option in options)


def _leaves(domain: Domain) -> bool:
    """Whether a fixed hyperparameter can leave the space without what it brings."""
    return not (isinstance(domain, Choice) and domain.branches)


def _made(fields: Fields) -> Domain:
    """A domain from its fields: `{low, high, log}`, `{options}`, or as JSON has it."""
    if any(form in fields for form in _FORMS):
        return domain_from_json(fields)
    own = dict(fields)
    if "options" in own:
        return Choice(own["options"], own.get("ordered", False))
    whole = type(own.get("low")) is int and type(own.get("high")) is int
    try:
        return Int(**own) if whole else Float(**own)
    except TypeError as error:
        raise SpaceError(f"no domain: {own!r}: {error}") from None
