"""Parameter groups: what decays and what does not, and layer-wise rates.

A group is a dict that every optimizer of torch takes. `lr_factor` and
`weight_decay_factor` in it are read by `build_optimizer` and by `Tracks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

# By name, because RMSNorm is younger than some torch, or one's own.
NORM = re.compile(r"\w*Norm(\dd)?")


def decay_groups(model: nn.Module) -> list[dict[str, Any]]:
    """Two groups: weights that decay, and biases, norms and scales, which do not.

    What belongs to a norm layer, is called a bias or has less than two dimensions does
    not decay: pulling a scale to zero is no regularization of the function. Frozen
    parameters are left out, shared ones stand once.

    >>> from torch import nn
    >>> from danlu import training
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 2))
    >>> [(len(group["params"]), group["weight_decay_factor"])
    ...  for group in training.decay_groups(model)]
    [(2, 1.0), (4, 0.0)]

    Raises:
        ValueError: no parameter of the model is trained.
    """
    return _split(_trained(model), model, lr_factor=1.0)


def layer_groups(layers: Sequence[nn.Module], *, factor: float) -> list[dict[str, Any]]:
    """Groups for fine-tuning: each layer's rate is `factor` times that of the next one.

    `layers` go from the input to the output. The last has the whole rate.

    >>> from torch import nn
    >>> from danlu import training
    >>> layers = [nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)]
    >>> [group["lr_factor"] for group in training.layer_groups(layers, factor=0.5)]
    [0.25, 0.25, 0.5, 0.5, 1.0, 1.0]

    Raises:
        ValueError: a layer stands twice, `factor` is not in (0, 1], or none is trained.
    """
    if not 0 < factor <= 1:
        raise ValueError(
            "layer_groups needs a factor above 0 and at most 1 (1 is one rate for all "
            f"layers), got factor={factor}"
        )
    if len({id(layer) for layer in layers}) < len(layers):
        raise ValueError(
            f"layer_groups got a layer twice among {len(layers)}, and each has one "
            "rate: name it once"
        )
    groups: list[dict[str, Any]] = []
    seen: set[int] = set()
    for depth, layer in enumerate(reversed(layers)):
        weights = [(name, p) for name, p in _trained(layer) if id(p) not in seen]
        seen.update(id(parameter) for _, parameter in weights)
        if weights:
            split = _split(weights, layer, lr_factor=factor**depth)
            groups = [*split, *groups]
    if not groups:
        raise ValueError("layer_groups got no layer with a parameter that is trained")
    return groups


def uncovered(model: nn.Module, groups: Sequence[dict[str, Any]]) -> list[str]:
    """Names of the trained parameters that are in no group: nothing moves them.

    >>> from torch import nn
    >>> from danlu import training
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    >>> training.uncovered(model, training.decay_groups(model[1]))
    ['0.weight', '0.bias']

    Raises:
        ValueError: a group has an iterator, which would be used up.
    """
    for group in groups:
        if isinstance(group["params"], Iterator):
            raise ValueError(
                "the parameters of a group are an iterator, which can be gone through "
                "once: give a list"
            )
    held = {id(parameter) for group in groups for parameter in _listed(group["params"])}
    return [name for name, own in _trained(model) if id(own) not in held]


def embedded(model: nn.Module) -> set[int]:
    """The ids of the weights of embeddings, also where another layer shares them.

    >>> from torch import nn
    >>> table = nn.Embedding(4, 2)
    >>> embedded(nn.Sequential(table, nn.Linear(2, 4))) == {id(table.weight)}
    True
    """
    return {
        id(inner.weight)
        for inner in model.modules()
        if isinstance(inner, nn.Embedding | nn.EmbeddingBag)
    }


def _listed(params: nn.Parameter | Sequence[nn.Parameter]) -> Sequence[nn.Parameter]:
    return [params] if isinstance(params, Tensor) else params


def _trained(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, p) for name, p in module.named_parameters() if p.requires_grad]


def _split(
    weights: Sequence[tuple[str, nn.Parameter]], module: nn.Module, *, lr_factor: float
) -> list[dict[str, Any]]:
    if not weights:
        raise ValueError(
            f"no parameter of this {type(module).__name__} is trained: all are frozen, "
            "or it has none"
        )
    scales = set(_ids_in_norms(module))
    still = [p for name, p in weights if _keeps_its_size(name, p, scales)]
    held = {id(parameter) for parameter in still}
    decaying = [p for _, p in weights if id(p) not in held]
    return [
        {"params": params, "weight_decay_factor": decay, "lr_factor": lr_factor}
        for params, decay in ((decaying, 1.0), (still, 0.0))
        if params
    ]


def _ids_in_norms(module: nn.Module) -> Iterator[int]:
    for inner in module.modules():
        if NORM.fullmatch(type(inner).__name__):
            yield from (id(parameter) for parameter in inner.parameters(recurse=False))


def _keeps_its_size(name: str, parameter: nn.Parameter, scales: set[int]) -> bool:
    is_bias = name.rpartition(".")[2] == "bias"
    return parameter.ndim < 2 or is_bias or id(parameter) in scales
