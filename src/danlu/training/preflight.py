"""The check before tuning: faults that raise no error (playbook T1).

Each check is a function of the probe that yields findings. One that cannot be made
says `unknown`, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, TypeAlias

from .finding import Finding
from .preflight_data import about_inputs, about_validation
from .preflight_gradients import about_gradients, about_start
from .preflight_learning import about_learning
from .preflight_loss import about_loss
from .preflight_optimizer import about_optimizer
from .preflight_outputs import about_outputs
from .preflight_step import about_step
from .program import Program, seeded

Check: TypeAlias = Callable[[Any], Iterator[Finding]]

CHECKS: Mapping[str, Check] = {
    "inputs": about_inputs,
    "validation": about_validation,
    "optimizer": about_optimizer,
    "start": about_start,
    "gradients": about_gradients,
    "outputs": about_outputs,
    "loss": about_loss,
    "step": about_step,
    "learning": about_learning,
}
LEARNING = ("learning",)  # the one check that needs a rate at which to train
BEFORE_LEARNING = tuple(name for name in CHECKS if name not in LEARNING)


def check(probe: Program, names: Container[str] = CHECKS) -> tuple[Finding, ...]:
    """All findings of these checks; one that fails is `unknown`, with its error.

    >>> import torch
    >>> from danlu import training
    >>> probe = training.Probe(
    ...     model=lambda params: torch.nn.Linear(4, 1),
    ...     optimizer=training.build_optimizer,
    ...     loss=lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
    ...     train=(torch.full((64, 4), torch.nan), torch.zeros(64, 1)))
    >>> check(probe)[0].message
    '64 of 64 examples have a nan or an infinite value in them.'
    """
    found: list[Finding] = []
    for name, own in CHECKS.items():
        if name not in names:
            continue
        with seeded(probe.seed):
            found += _guarded(name, own, probe)
        if any(is_fatal(finding) for finding in found):
            break
    return tuple(found)


def is_fatal(finding: Finding) -> bool:
    """Whether nothing can be measured beyond this fault.

    >>> is_fatal(Finding("inputs", "warning", "nan", evidence={"not_finite": 3}))
    True
    """
    return finding.level == "warning" and bool(finding.evidence.get("not_finite"))


def _guarded(name: str, own: Check, probe: Program) -> list[Finding]:
    """A check's findings, one `ok` if it has none."""
    try:
        found = list(own(probe))
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        says = f"The check of the {name} could not be made: {reason}"
        return [Finding(name, "unknown", says, "Look at the program at that place.")]
    return found or [Finding(name, "ok", f"Nothing is wrong with the {name}.")]
