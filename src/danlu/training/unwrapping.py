"""The model inside the wrappers of `torch.compile` and of data parallelism."""

from __future__ import annotations

from torch import nn

COMPILED = "_orig_mod"  # where torch.compile keeps the model, and so a part of names


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, whose names have no prefixes.

    >>> from torch import nn
    >>> from danlu import training
    >>> model = nn.Linear(2, 2)
    >>> training.unwrapped(nn.DataParallel(model)) is model
    True
    """
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        if COMPILED in model._modules:
            model = model._modules[COMPILED]
        elif isinstance(model, parallel):
            model = model.module
        else:
            return model


def plain_name(name: str) -> str:
    """The name of a weight without what `torch.compile` adds to it.

    >>> plain_name("encoder._orig_mod.weight")
    'encoder.weight'
    """
    return ".".join(part for part in name.split(".") if part != COMPILED)
