"""Norms of all gradients in one pass, for clipping, watching and logging alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

LOW_PRECISION = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class GradientNorms:
    """The norm of each gradient, `each` of shape (n,), and of all of them together.

    They lie on the device until `values` brings them over in one transfer.

    >>> import torch
    >>> from danlu import training
    >>> training.gradient_norms([torch.zeros(2)]).total
    tensor(0.)
    """

    parameters: Sequence[torch.Tensor]
    each: torch.Tensor
    total: torch.Tensor

    @property
    def gradients(self) -> list[torch.Tensor]:
        """The gradients that were measured."""
        return [p.grad for p in self.parameters]

    def values(self) -> list[float]:
        """The norm of each gradient, and at the end that of all."""
        both: list[float] = torch.cat([self.each, self.total.reshape(1)]).tolist()
        return both


def gradient_norms(parameters: Iterable[torch.Tensor]) -> GradientNorms:
    """The 2-norms of the gradients that `parameters` have now.

    Under fp16 with a scaler, unscale the gradients first (`take_step` does).

    >>> import torch
    >>> from danlu import training
    >>> weights = [torch.zeros(2, requires_grad=True), torch.zeros(1)]
    >>> weights[0].grad = torch.tensor([3.0, 4.0])
    >>> training.gradient_norms(weights).values()
    [5.0, 5.0]
    """
    held, gradients = [], []
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is not None:
            held.append(parameter)
            gradients.append(gradient)
    if not held:
        return GradientNorms((), torch.zeros(0), torch.zeros(()))
    with torch.no_grad():
        each = _stacked(torch._foreach_norm(_comparable(gradients)))
        total = torch.linalg.vector_norm(each)
    return GradientNorms(held, each, total)


def _comparable(gradients: list[torch.Tensor]) -> list[torch.Tensor]:
    """What has the same norms: rows that are stored, and more than 16 bits."""
    if not any(g.is_sparse or g.dtype in LOW_PRECISION for g in gradients):
        return gradients
    dense = [g.coalesce().values() if g.is_sparse else g for g in gradients]
    return [g.float() if g.dtype in LOW_PRECISION else g for g in dense]


def _stacked(norms: Sequence[torch.Tensor]) -> torch.Tensor:
    try:
        return torch.stack(norms)
    except RuntimeError:  # the model lies on several devices
        return torch.stack([norm.to(norms[0].device) for norm in norms])
