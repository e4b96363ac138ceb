"""One update of the weights with all that belongs to it, in the only right order."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

from .clipping import clip_by_norm, clip_by_value
from .gradient_monitor import GradientMonitor
from .norms import GradientNorms, gradient_norms


@dataclass(frozen=True)
class Update:
    """What became of an update: the norm before clipping, and what was done.

    >>> from danlu import training
    >>> training.Update(norm=2.0, clipped=True, taken=True).clipped
    True
    """

    norm: float
    clipped: bool
    taken: bool


def take_step(
    optimizer: Optimizer,
    *,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    scaler: Any = None,
    monitor: GradientMonitor | None = None,
) -> Update:
    """Unscales, measures, clips and updates; skips an update that is not finite.

    Call it after all backward passes of the update. `scaler` is a `GradScaler` of
    fp16: limits mean the true gradients. One inf or nan among the gradients leaves
    the weights and the optimizer's state as they are (`taken` is False).

    >>> import torch
    >>> from danlu import training
    >>> model = torch.nn.Linear(2, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> model(torch.ones(4, 2)).sum().backward()
    >>> update = training.take_step(optimizer, clip_norm=1.0)
    >>> round(update.norm, 3), update.clipped, update.taken
    (6.928, True, True)

    Raises:
        RuntimeError: there is no gradient at all.
    """
    if scaler is not None:
        scaler.unscale_(optimizer)
    weights = (p for group in optimizer.param_groups for p in group["params"])
    norms = gradient_norms(weights)
    if not norms.parameters:
        raise RuntimeError(
            "take_step found no gradient: call backward before it, on a loss of the "
            "parameters that this optimizer has"
        )
    norm = _total(norms, monitor)
    taken = math.isfinite(norm)
    clipped = taken and _clip(norms, clip_norm, clip_value)
    if taken:
        with monitor.moving() if monitor is not None else nullcontext():
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
    if scaler is not None:
        scaler.update()
    return Update(norm, clipped, taken)


def _total(norms: GradientNorms, monitor: GradientMonitor | None) -> float:
    return float(norms.total) if monitor is None else monitor.look(norms)


def _clip(norms: GradientNorms, limit: float | None, value: float | None) -> bool:
    clipped = value is not None and clip_by_value(norms, value)
    if limit is None:
        return clipped
    if clipped:  # entries were cut, and the norm is another one now
        norms = gradient_norms(norms.parameters)
    return clip_by_norm(norms, limit) or clipped
