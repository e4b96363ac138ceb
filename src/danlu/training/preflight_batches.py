"""What the checks know of a batch: its inputs first, its labels second or by name."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .examples import batch_of, size_of
from .program import Program, seeded

TOKENS = "input_ids"  # the name that Hugging Face gives them
NAMES = ("labels", "label", "targets", "target", "y")  # of targets in a dict


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


def targets_of(batch: Any) -> Tensor | None:
    """What comes second, or has the name of targets; None where it is no tensor.

    >>> import torch
    >>> targets_of({"x": torch.zeros(1), "labels": torch.ones(1)})
    tensor([1.])
    """
    found = None
    if isinstance(batch, tuple) and len(batch) > 1:
        found = batch[1]
    elif isinstance(batch, Mapping):
        found = next((batch[name] for name in NAMES if name in batch), None)
    return found if isinstance(found, Tensor) else None


def with_targets(batch: Any, targets: Tensor) -> Any:
    """The same batch with other targets.

    >>> with_targets((1, 2), 3), with_targets({"x": 1, "y": 2}, 3)
    ((1, 3), {'x': 1, 'y': 3})
    """
    if isinstance(batch, Mapping):
        return _with_named(batch, next(own for own in NAMES if own in batch), targets)
    return _with_part(batch, 1, targets)


def are_targets(batch: Any) -> bool:
    """Whether what comes second are real numbers to foretell.

    >>> import torch
    >>> are_targets((torch.ones(2), torch.ones(2)))
    True
    """
    if not isinstance(batch, tuple) or len(batch) < 2:
        return False
    return isinstance(batch[1], Tensor) and batch[1].is_floating_point()


def tokens_of(batch: Any) -> Tensor | None:
    """Sequences (n, t) of whole numbers, where these are the inputs.

    >>> import torch
    >>> tokens_of({"input_ids": torch.zeros(2, 3, dtype=torch.int64)}).shape
    torch.Size([2, 3])
    """
    found = batch.get(TOKENS) if isinstance(batch, Mapping) else inputs_of(batch)
    if not isinstance(found, Tensor) or found.dtype != torch.int64 or found.ndim != 2:
        return None
    return found if found.shape[1] > 1 else None


def with_last_token(batch: Any, last: Tensor) -> Any:
    """The same batch with another token (n,) at the end of each sequence.

    >>> import torch
    >>> with_last_token((torch.zeros(1, 3, dtype=torch.int64),), torch.tensor([7]))
    (tensor([[0, 0, 7]]),)
    """
    tokens = tokens_of(batch)
    assert tokens is not None
    changed = tokens.clone()
    changed[:, -1] = last
    if isinstance(batch, Mapping):
        return _with_named(batch, TOKENS, changed)
    return changed if isinstance(batch, Tensor) else _with_part(batch, 0, changed)


def labels_of(batch: Any) -> Tensor | None:
    """The labels, where the targets are the numbers of classes.

    >>> import torch
    >>> labels_of((torch.ones(2), torch.tensor([0, 1])))
    tensor([0, 1])
    """
    labels = targets_of(batch)
    return labels if labels is not None and labels.dtype == torch.int64 else None


def scores_of(outputs: Any, batch: Any) -> Tensor | None:
    """The outputs with classes along the last axis, where they score each class.

    In the batch classes may be the second axis, as for the pixels of images.

    >>> import torch
    >>> scores_of(torch.zeros(2, 10), (torch.ones(2), torch.tensor([0, 1]))).shape
    torch.Size([2, 10])
    >>> labels = torch.zeros(2, 5, 5, dtype=torch.int64)
    >>> scores_of(torch.zeros(2, 3, 5, 5), (torch.ones(2), labels)).shape
    torch.Size([2, 5, 5, 3])
    """
    labels = labels_of(batch)
    if labels is None or not isinstance(outputs, Tensor) or outputs.ndim < 2:
        return None
    if outputs.shape[:-1] != labels.shape:
        outputs = outputs.movedim(1, -1)
    if outputs.shape[:-1] != labels.shape or outputs.shape[-1] < 2:
        return None
    if not len(labels) or int(labels.max()) >= outputs.shape[-1]:
        return None  # such as ranks, or counts
    return outputs


def is_about_labels(probe: Program, model: nn.Module, batch: Any) -> bool:
    """Whether the loss changes with the labels; that of an autoencoder does not.

    >>> from types import SimpleNamespace
    >>> import torch
    >>> probe = SimpleNamespace(seed=0, value=lambda model, batch: 1.0)
    >>> is_about_labels(probe, None, (torch.ones(2), torch.tensor([0, 1])))
    False
    """
    labels = labels_of(batch)
    if labels is None:
        return False
    losses = []
    for own in (batch, with_targets(batch, labels.roll(1, 0))):
        with seeded(probe.seed):
            losses.append(probe.value(model, own))
    return losses[0] != losses[1] or torch.equal(labels, labels.roll(1, 0))


def scale_of(inputs: Any) -> float | None:
    """The root mean square of inputs that are real numbers, of those that are finite.

    >>> import torch
    >>> scale_of(torch.tensor([3.0, -3.0]))
    3.0
    """
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        return None
    known = inputs[inputs.isfinite()].float()
    return float(known.square().mean().sqrt()) if len(known) else None


def _with_named(batch: Any, name: str, part: Tensor) -> Any:
    changed = copy.copy(batch)
    changed[name] = part
    return changed


def _with_part(batch: Any, place: int, part: Tensor) -> Any:
    parts = [*batch[:place], part, *batch[place + 1 :]]
    return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
