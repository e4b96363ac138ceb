"""How many different trials a study can have: a finite space, or a sampler's list."""

from __future__ import annotations

from collections.abc import Mapping

from ...domain import Domain, Float, Int
from ...errors import SamplerError
from ...study import Study


def combinations(domains: Mapping[str, Domain]) -> int | None:
    """How many different params a space holds, None where some number is continuous.

    >>> from danlu import Choice
    >>> combinations({"k": Choice({"a": {"n": Int(1, 3)}, "b": {}}), "m": Int(0, 1)})
    8
    """
    count = 1
    for domain in domains.values():
        own = _values_of(domain)
        if own is None:
            return None
        count *= own
    return count


def points(study: Study) -> int | None:
    """How many params the sampler has a list of, None where it has no list.

    >>> import danlu
    >>> space = {"lr": danlu.Float(0, 1), "depth": danlu.Int(1, 4)}
    >>> points(danlu.Study("s", "Which?", "err", space, trials=9, sampler="grid"))
    20
    """
    if isinstance(study.sampler, str) and study.sampler != "grid":
        return None
    from ...samplers.fixed import Fixed
    from ...samplers.grid import Grid

    sampler = Grid() if study.sampler == "grid" else study.sampler
    if isinstance(sampler, Fixed):
        return len(sampler.points)
    if not isinstance(sampler, Grid):
        return None
    try:
        return sampler.count(study.search_space)
    except SamplerError:
        return None  # levels of what is not in the space, which `ask` refuses


def most_trials(study: Study) -> int:
    """How many search trials there will be: a list may end before the study does.

    >>> import danlu
    >>> space = {"lr": danlu.Float(0, 1)}
    >>> most_trials(danlu.Study("s", "Which?", "err", space, trials=9, sampler="grid"))
    5
    """
    most = points(study)
    return study.trials if most is None else min(most, study.trials)


def _values_of(domain: Domain) -> int | None:
    if isinstance(domain, Float):
        return 1 if domain.low == domain.high else None
    if isinstance(domain, Int):
        return domain.high - domain.low + 1
    inside = [combinations(own) for own in domain.branches.values()]
    counts = [count for count in inside if count is not None]
    if len(counts) < len(inside):
        return None
    return len(domain.options) - len(inside) + sum(counts)
