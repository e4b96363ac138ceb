"""What the checks know of a batch: its inputs first, its labels second."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .examples import batch_of, size_of
from .program import Program


def sample(probe: Program, source: Any, count: int) -> Any:
    """A batch of at most `count` examples, always the same.

    >>> from types import SimpleNamespace
    >>> import torch
    >>> batch = sample(
    ...     SimpleNamespace(seed=0, device="cpu"), (torch.arange(9), torch.ones(9)), 3)
    >>> len(batch[0])
    3
    """
    draw = torch.Generator().manual_seed(probe.seed)
    order = torch.randperm(size_of(source), generator=draw)
    return batch_of(source, order[:count].tolist(), probe.device)


def inputs_of(batch: Any) -> Any:
    """What comes first; the whole batch where it has no order.

    >>> inputs_of(({"x": 1}, 2)), inputs_of({"x": 1})
    ({'x': 1}, {'x': 1})
    """
    return batch[0] if isinstance(batch, tuple | list) else batch


def labels_of(batch: Any) -> Tensor | None:
    """The labels, where what comes second are the numbers of classes.

    >>> import torch
    >>> labels_of((torch.ones(2), torch.tensor([0, 1])))
    tensor([0, 1])
    """
    if not isinstance(batch, tuple) or len(batch) < 2:
        return None
    labels = batch[1]
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        return None
    return labels


def classes_of(outputs: Any, batch: Any) -> int | None:
    """How many classes there are, where outputs are a score for each, last axis.

    >>> import torch
    >>> classes_of(torch.zeros(2, 10), (torch.ones(2), torch.tensor([0, 1])))
    10
    """
    labels = labels_of(batch)
    if labels is None or not isinstance(outputs, Tensor):
        return None
    if outputs.shape[:-1] != labels.shape or outputs.shape[-1] < 2:
        return None
    return int(outputs.shape[-1])


def scale_of(inputs: Any) -> float | None:
    """The root mean square of inputs that are real numbers.

    >>> import torch
    >>> scale_of(torch.tensor([3.0, -3.0]))
    3.0
    """
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        return None
    return float(inputs.float().square().mean().sqrt())
