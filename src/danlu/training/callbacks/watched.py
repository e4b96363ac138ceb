"""The gradient monitor for a trainer that clips and updates by itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack

from torch import nn

from ..finding import Finding
from ..gradient_monitor import GradientMonitor
from ..norms import gradient_norms


class Watched:
    """A model's gradients, looked at before each update, and measured after it.

    >>> import torch
    >>> model = torch.nn.Linear(2, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> watched = Watched(model)
    >>> for _ in range(41):
    ...     optimizer.zero_grad()
    ...     model(torch.ones(4, 2)).sum().backward()
    ...     watched.before_update()
    ...     optimizer.step()
    ...     watched.after_update()
    >>> watched.findings()[0].level
    'ok'
    """

    def __init__(self, model: nn.Module) -> None:
        self._monitor = GradientMonitor(model)
        self._parameters = list(model.parameters())
        self._moving = ExitStack()

    def before_update(self) -> None:
        """Between the backward pass and the update."""
        self.after_update()
        norms = gradient_norms(self._parameters)
        if norms.parameters:
            self._monitor.look(norms)
            self._moving.enter_context(self._monitor.moving())

    def after_update(self) -> None:
        """After the update; nothing where there was none."""
        self._moving.close()

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the gradients, one `ok` if nothing is."""
        return self._monitor.findings()


def tell(findings: Sequence[Finding]) -> None:
    """Writes what was found to stderr, which a trial keeps in `output.log`.

    >>> tell([Finding("gradients", "ok", "Nothing is wrong with the gradients.")])
    """
    for finding in findings:
        if finding.level in ("warning", "notice"):
            print(
                f"{finding.level}: {finding.message} {finding.advice}".rstrip(),
                file=sys.stderr,
                flush=True,
            )
