"""A commented study file from a preset: its ranges, each with its reason."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ..domain import Choice, Domain
from ..presets import preset
from ..studyfile import domain_text

TRIALS = 40  # what four hyperparameters want: about ten each
_WIDTH = 88
_HEAD = """\
# {title}: ranges known from practice.
# `danlu check` validates this file and tries the program; `danlu run` runs the study.
study: {name}
goal: Which hyperparameters give the smallest validation error?
command: python train.py {{args}}
metric: val_error

space:
"""
_TAIL = """
# fixed: {batch_size: 128}   # chosen for speed, never tuned for validation error
# scientific: []             # whose effect is the question; the rest is optimized over

trials: %d                  # search trials in total, about 10 for each hyperparameter
# max_steps: 20             # the length of a full training, in reported steps
slots: 1                    # how many trials run at the same time
"""


def preset_text(name: str) -> str:
    """The text of a study file with the preset's space; what is too much is commented.

    >>> "  lr: 0.001..1.0:log" in preset_text("nesterov").splitlines()
    True

    Raises:
        StudyError: there is no preset of that name.
    """
    every, own = preset(name), preset(name, TRIALS)
    lines: list[str] = []
    for path, domain in every.space.domains.items():
        lines += _lines(path, domain, every.reasons[path], path in own.reasons)
    title = every.title[0].upper() + every.title[1:]
    head = _HEAD.format(title=title, name=name)
    return head + "\n".join(lines) + "\n" + _TAIL % TRIALS


def _lines(name: str, domain: Domain, reason: str, searched: bool) -> Iterator[str]:
    mark = "" if searched else "with more trials: "
    yield from textwrap.wrap(
        f"{mark}{reason}", _WIDTH, initial_indent="  # ", subsequent_indent="  # "
    )
    yield f"  {'' if searched else '# '}{name}: {_text(domain)}"


def _text(domain: Domain) -> str:
    """The domain on one line; a choice in the form that may hold a belief."""
    if not isinstance(domain, Choice) or domain.belief is None:
        return domain_text(domain)
    options = ", ".join(str(option) for option in domain.options)
    ordered = str(domain.ordered).lower()
    center = domain.belief.center
    return f"{{choice: [{options}], ordered: {ordered}, belief: {center}}}"
