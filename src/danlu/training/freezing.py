"""Parts of a model that are not trained: for transfer (playbook T16)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

# Of a module that was frozen and has no parameters that would say so, such as a batch
# norm without scales. A copy of it has the mark too.
MARK = "is_frozen_by_danlu"


def freeze(*modules: nn.Module) -> int:
    """No parameter of `modules` is trained any more; how many numbers that are.

    Batch norms in them keep their statistics if `train_unfrozen(model)` stands where
    `model.train()` would. Freeze before the optimizer is built.

    >>> from torch import nn
    >>> from danlu import training
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    >>> training.freeze(model[0])
    40
    """
    for module in modules:
        if next(module.parameters(), None) is None:
            module.__dict__[MARK] = True
    return _set(modules, trained=False)


def unfreeze(*modules: nn.Module) -> int:
    """All parameters of `modules` are trained; how many numbers that are.

    Their optimizer must be built anew, or be given a group of them.

    >>> from torch import nn
    >>> from danlu import training
    >>> layer = nn.Linear(4, 8)
    >>> training.freeze(layer) == training.unfreeze(layer)
    True
    """
    for inner in (inner for module in modules for inner in module.modules()):
        inner.__dict__.pop(MARK, None)
    return _set(modules, trained=True)


def train_unfrozen(model: nn.Module) -> None:
    """`model.train()`, but what is frozen stays in eval mode.

    There dropout is off, and batch norms neither use nor change by the batch.

    >>> from torch import nn
    >>> from danlu import training
    >>> model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))
    >>> _ = training.freeze(model[0])
    >>> training.train_unfrozen(model)
    >>> [layer.training for layer in model]
    [False, True]
    """
    model.train()
    for inner in frozen_parts(model):
        inner.eval()


def frozen_parts(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost parts of a module of which nothing is trained.

    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    >>> _ = freeze(model[0])
    >>> list(frozen_parts(model)) == [model[0]]
    True
    """
    own = [parameter.requires_grad for parameter in module.parameters()]
    if not any(own) and (own or MARK in module.__dict__):
        yield module
        return
    for child in module.children():
        yield from frozen_parts(child)


def _set(modules: tuple[nn.Module, ...], *, trained: bool) -> int:
    held = {id(p): p for module in modules for p in module.parameters()}
    for parameter in held.values():
        parameter.requires_grad_(trained)
    return sum(parameter.numel() for parameter in held.values())
