"""Batch-norm statistics of weights that nothing was trained with, such as averages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from .freezing import frozen_parts


def reestimate_norms(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    forward: Callable[[Any], object] | None = None,
) -> int:
    """Sets the statistics of batch norms to those of `batches`; how many batches.

    Each batch counts the same, so give batches of one size. `forward` runs the model on
    a batch; without it the model gets the batch, or its first part. All but the batch
    norms is in eval mode meanwhile, so that dropout does not widen what is measured.
    Norms that are frozen in a model that is trained keep their statistics.

    >>> import torch
    >>> from danlu import training
    >>> model = torch.nn.Sequential(torch.nn.BatchNorm1d(1, affine=False))
    >>> training.reestimate_norms(model, [torch.tensor([[1.0], [3.0]])])
    1
    >>> model[0].running_mean.item()
    2.0

    Raises:
        ValueError: there is no batch.
    """
    norms = _measured_norms(model)
    run = forward or (lambda batch: model(_inputs(batch)))
    before = [deepcopy(inner.state_dict()) for inner in norms]
    count = 0
    try:
        with _measuring(model, norms), torch.no_grad():
            for batch in batches:
                run(batch)
                count += 1
        if not count:
            raise ValueError(
                "reestimate_norms got no batch: give it a list, or an iterator that "
                "has not ended"
            )
    except BaseException:
        for inner, state in zip(norms, before, strict=True):
            inner.load_state_dict(state)
        raise
    return count


@contextmanager
def _measuring(model: nn.Module, norms: Sequence[Any]) -> Iterator[None]:
    """Within it the norms take the plain mean over batches, and the rest is in eval."""
    modes = [(inner, inner.training) for inner in model.modules()]
    momenta = [inner.momentum for inner in norms]
    model.eval()
    for inner in norms:
        inner.reset_running_stats()
        inner.momentum = None
        inner.train()
    try:
        yield
    finally:
        for inner, momentum in zip(norms, momenta, strict=True):
            inner.momentum = momentum
        for inner, mode in modes:
            inner.training = mode


def _measured_norms(model: nn.Module) -> list[Any]:
    norms = [inner for inner in model.modules() if _has_statistics(inner)]
    if not any(parameter.requires_grad for parameter in model.parameters()):
        return norms
    frozen = {id(inner) for part in frozen_parts(model) for inner in part.modules()}
    return [norm for norm in norms if id(norm) not in frozen]


def _has_statistics(module: nn.Module) -> bool:
    is_norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
    return is_norm and bool(module.track_running_stats)


def _inputs(batch: Any) -> Any:
    return batch[0] if isinstance(batch, list | tuple) else batch
