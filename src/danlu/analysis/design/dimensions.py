"""Dimensions picked from a study by their roles and names."""

from __future__ import annotations

from collections.abc import Sequence

from ...domain import Choice, Domain
from ...space import Dimension
from ...study import Study
from ..names import fits


def varied_dimensions(study: Study) -> list[Dimension]:
    """The dimensions that have more than one value."""
    return [d for d in study.search_space.dimensions if not is_single(d.domain)]


def scientific_dimensions(study: Study) -> list[Dimension]:
    """The dimensions whose effect the study is about."""
    return [d for d in varied_dimensions(study) if study.role(d.path) == "scientific"]


def paths_of(dimensions: Sequence[Dimension], *patterns: str) -> list[str]:
    """The paths of the dimensions whose names fit one of `patterns`."""
    return [d.path for d in dimensions if fits(d.name, *patterns)]


def is_single(domain: Domain) -> bool:
    """Whether a domain has one value alone."""
    if isinstance(domain, Choice):
        return len(domain.options) == 1
    return domain.low == domain.high
