"""What `fit` builds of its settings: examples, a model, an optimizer, a scaler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .drop_path import DropPath, drop_path_rates
from .fit_settings import FitSettings
from .freezing import freeze
from .groups import layer_groups, uncovered
from .initialization import initialize_he, initialize_xavier
from .optimizers import build_optimizer
from .processes import ranks
from .subsets import stratified_subset
from .unwrapping import unwrapped

Params = Mapping[str, Any]
Labeled = tuple[Tensor, Tensor]  # inputs (n, ...) and labels (n,)

_INITIALIZATIONS: Mapping[str, Callable[[nn.Module], object]] = {
    "torch": lambda model: None,  # as the layers were made
    "he": initialize_he,
    "xavier": initialize_xavier,
}


def check_alone() -> None:
    """Raises a RuntimeError where several processes train together.

    >>> check_alone()
    """
    if ranks() > 1:
        raise RuntimeError(
            f"fit trains in one process, and here are {ranks()}: start it without a "
            "launcher, or take Lightning, Accelerate or a loop of your own"
        )


def check_labeled(name: str, examples: Labeled, *, least: int) -> None:
    """Raises a ValueError where these are not inputs with the number of a class each.

    >>> check_labeled("train", (torch.zeros(8, 2), torch.tensor([0, 1] * 4)), least=2)
    """
    inputs, labels = examples
    if not isinstance(inputs, Tensor) or not isinstance(labels, Tensor):
        raise ValueError(
            f"fit needs {name} as tensors of inputs and labels, got "
            f"{type(inputs).__name__} and {type(labels).__name__}: torch.as_tensor"
        )
    if labels.dtype != torch.int64 or labels.ndim != 1:
        raise ValueError(
            f"fit needs the labels of {name} as classes, int64 of shape (n,), got "
            f"{labels.dtype} of shape {tuple(labels.shape)}"
        )
    if len(inputs) != len(labels) or len(labels) < least:
        raise ValueError(
            f"fit needs as many inputs as labels in {name}, and at least {least}, got "
            f"{len(inputs)} inputs and {len(labels)} labels"
        )


def classes_in(scores: Tensor, *examples: Labeled) -> int:
    """How many classes the scores are for, where the labels are among them.

    >>> classes_in(torch.zeros(2, 3), (torch.zeros(4), torch.tensor([0, 1, 2, 0])))
    3

    Raises:
        ValueError: the scores have another shape, or there is a label without one.
    """
    if scores.ndim != 2:
        raise ValueError(
            "fit needs a model that maps inputs to scores of shape (n, classes), got "
            f"{tuple(scores.shape)}"
        )
    classes = int(scores.shape[1])
    low = min(int(labels.min()) for _, labels in examples)
    high = max(int(labels.max()) for _, labels in examples)
    if low < 0 or high >= classes:
        raise ValueError(
            f"the model has scores for {classes} classes, 0 to {classes - 1}, and "
            f"labels are from {low} to {high}"
        )
    return classes


def share_of(examples: Labeled, share: float) -> Labeled:
    """A share of the examples, with the classes as they are in all of them.

    >>> X, y = share_of((torch.zeros(8, 2), torch.tensor([0, 1] * 4)), 0.5)
    >>> sorted(y.tolist())
    [0, 0, 1, 1]
    """
    inputs, labels = examples
    if share == 1:
        return examples
    kept = stratified_subset(labels, max(2, round(share * len(labels))))
    return inputs[kept], labels[kept]


def prepared(model: nn.Module, settings: FitSettings) -> nn.Module:
    """The model with its initialization, frozen layers, and rates of its drop paths.

    >>> prepared(nn.Linear(2, 2), FitSettings(epochs=1, lr=0.1))
    Linear(in_features=2, out_features=2, bias=True)

    Raises:
        ValueError: the model has no parameters, there is a rate of drop paths and the
            model has none, or no layer is left to train.
    """
    if next(model.parameters(), None) is None:
        raise ValueError(
            f"fit needs a model with parameters to train, and this "
            f"{type(model).__name__} has none"
        )
    children = list(unwrapped(model).children())
    if settings.frozen_layers and settings.frozen_layers >= len(children):
        raise ValueError(
            f"frozen_layers={settings.frozen_layers} leaves nothing of the "
            f"{len(children)} children of the model to train"
        )
    freeze(*children[: settings.frozen_layers])
    initialize = _INITIALIZATIONS[settings.initialization]
    for part in children[settings.frozen_layers :] or [model]:
        initialize(part)
    drops = [inner for inner in model.modules() if isinstance(inner, DropPath)]
    if settings.drop_path and not drops:
        raise ValueError(
            f"params have drop_path={settings.drop_path}, and the model has no "
            "`training.DropPath`: put one on each residual branch"
        )
    if settings.drop_path:
        rates = drop_path_rates(len(drops), settings.drop_path)
        for drop, rate in zip(drops, rates, strict=True):
            drop.rate = rate
    return model


def optimizer_of(model: nn.Module, params: Params, settings: FitSettings) -> Optimizer:
    """The optimizer of the params, with smaller rates for earlier layers if asked.

    >>> params = {"epochs": 1, "lr": 0.1, "optimizer": "sgd"}
    >>> optimizer = optimizer_of(nn.Linear(2, 2), params, FitSettings.of(params))
    >>> optimizer.param_groups[0]["lr"]
    0.1

    Raises:
        ValueError: params do not go together, or a parameter is in no layer.
    """
    if settings.layer_lr_factor == 1:
        return build_optimizer(model, params)
    layers = [inner for inner in unwrapped(model).children() if _is_trained(inner)]
    groups = layer_groups(layers, factor=settings.layer_lr_factor)
    forgotten = uncovered(model, groups)
    if forgotten:
        raise ValueError(
            f"layer_lr_factor={settings.layer_lr_factor} takes the children of the "
            f"model as its layers, and {forgotten} are in none of them"
        )
    return build_optimizer(groups, params)


def scaler_of(settings: FitSettings, device: torch.device) -> Any:
    """What scales the loss so that gradients of 16 bits do not underflow, or None.

    >>> scaler_of(FitSettings(epochs=1, lr=0.1), torch.device("cpu")) is None
    True

    Raises:
        ValueError: this torch is too old for it.
    """
    if settings.precision != "float16":
        return None
    if not hasattr(torch.amp, "GradScaler"):
        raise ValueError(
            f"precision='float16' needs torch 2.3 or later, this is {torch.__version__}"
        )
    return torch.amp.GradScaler(device.type)


def _is_trained(layer: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in layer.parameters())
