"""A model that gives out what it is told: what a loss makes of any outputs."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .program import Program, seeded

FAULTS = (RuntimeError, ValueError, TypeError, LookupError, AttributeError)
ALIKE = 1e-4


class StandIn(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """Gives out the same, whatever comes in.

    >>> StandIn(3)("inputs", mask=None)
    3
    """

    def __init__(self, outputs: Any) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The outputs that were given."""
        return self.outputs


def loss_at(probe: Program, outputs: Any, batch: Any) -> Tensor | None:
    """The loss of these outputs; None where it asks the model for something else.

    >>> import torch
    >>> from types import SimpleNamespace
    >>> probe = SimpleNamespace(
    ...     loss=lambda model, batch: (model(batch[0]) - batch[1]).mean(), seed=0)
    >>> loss_at(probe, torch.ones(2), (None, torch.ones(2)))
    tensor(0.)
    """
    try:
        with seeded(probe.seed):
            return probe.loss(StandIn(outputs), batch)
    except FAULTS:
        return None


def is_loss_of_outputs(
    probe: Program, model: nn.Module, outputs: Any, batch: Any
) -> bool:
    """Whether the loss sees of the model what it gives out, and nothing else.

    >>> import torch
    >>> from types import SimpleNamespace
    >>> probe = SimpleNamespace(
    ...     loss=lambda model, batch: model(batch[0]) + model.bias, seed=0)
    >>> is_loss_of_outputs(probe, torch.nn.Linear(1, 1), torch.ones(1), (None,))
    False
    """
    stood = loss_at(probe, outputs, batch)
    if stood is None or stood.numel() != 1:
        return False
    with seeded(probe.seed):
        own = probe.value(model, batch)
    return abs(float(stood.detach()) - own) <= ALIKE * max(abs(own), 1e-6)
