"""Whether the study asks one question, and asks it of its space (D1, D2, D9, D11)."""

from __future__ import annotations

import re

from ...domain import Choice
from ...sentence import listed, subject
from ...study import Study
from ..base import Finding, Level
from ..bias import is_adaptive
from ..names import SCHEDULE, fits
from .dimensions import scientific_dimensions, varied_dimensions

_SENTENCE_END = re.compile(r"[.?!]+[\"')]*(?=\s+[A-Z])")
_CONSTANT = ("constant", "none", "off", "fixed")  # what a schedule is compared with


def several_questions(study: Study) -> Finding | None:
    """D1: a study asks one question in one sentence."""
    sentences = 1 + len(_SENTENCE_END.findall(study.goal.strip()))
    if sentences == 1:
        return None
    return Finding(
        "several-questions",
        Level.NOTICE,
        f"The goal has {sentences} sentences: a study answers one question, and what "
        "varies for one of them blurs the answer to another.",
        "Ask one of them here and plan a study for each of the others; put what "
        "explains the goal into note.",
        {"sentences": sentences},
    )


def unmarked_question(study: Study) -> Finding | None:
    """D2: what the goal compares is scientific, or its values get unequal effort."""
    words = set(re.findall(r"\w+", study.goal.lower()))
    for dimension in varied_dimensions(study):
        if study.role(dimension.path) == "scientific":
            continue
        if not isinstance(dimension.domain, Choice):
            continue
        named = [o for o in dimension.domain.options if str(o).lower() in words]
        if len(named) < 2:
            continue
        path = dimension.path
        return Finding(
            "unmarked-question",
            Level.NOTICE,
            f"The goal compares {listed([str(option) for option in named])}, but "
            f"{path} is nuisance: its options do not get the same number of trials.",
            f"Name {path} under scientific.",
            {"path": path, "change": {"scientific": [*study.scientific, path]}},
        )
    return None


def schedule_first(study: Study) -> Finding | None:
    """D9: start simple; a constant learning rate before schedules."""
    compared = {own.path for own in scientific_dimensions(study)}
    paths = [
        own.path
        for own in varied_dimensions(study)
        if isinstance(own.domain, Choice)
        and fits(own.name, SCHEDULE)
        # A schedule against none is a question of its own.
        and not any(str(o).lower() in _CONSTANT for o in own.domain.options)
    ]
    if not paths or study.learn_from or compared & set(paths):
        return None
    return Finding(
        "schedule-first",
        Level.NOTICE,
        f"{subject(paths)} varied before it is known whether a constant learning rate "
        "does: a schedule adds hyperparameters and hides how long training takes.",
        "Start with a constant learning rate; compare schedules in a later study.",
        {"paths": paths},
    )


def learning_comparison(study: Study) -> Finding | None:
    """D11: comparisons explore with quasi-random points, which favor nobody."""
    compared = [own.path for own in scientific_dimensions(study)]
    if not compared or not is_adaptive(study.sampler, study.scientific):
        return None
    own = study.sampler
    name = own if isinstance(own, str) else type(own).__name__
    return Finding(
        "learning-comparison",
        Level.NOTICE,
        f"{subject(compared)} compared by {name}, which looks at the results: where it "
        "is lucky early it tries more, and the trials cannot be read again under "
        "another metric without that bias.",
        "Use sampler: auto, which takes quasi-random points to compare; exploit in a "
        "later study, which learns from this one.",
        {"paths": compared, "change": {"sampler": "auto"}},
    )
