"""Initialization of layers and of residual branches (playbook T13)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

LAYERS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)


def initialize_he(model: nn.Module) -> int:
    """He's initialization of linear and convolutional layers; how many that are.

    For ReLU and its kin: weights of variance 2 / fan_in, biases zero (He et al., 2015,
    eq. 10). Norms and embeddings stay as they are.

    >>> from torch import nn
    >>> from danlu import training
    >>> training.initialize_he(nn.Sequential(nn.Linear(8, 8), nn.ReLU()))
    1
    """
    return _initialize(
        model, lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu")
    )


def initialize_xavier(model: nn.Module) -> int:
    """Xavier's initialization of linear and convolutional layers; how many that are.

    For tanh and linear layers: uniform weights of variance 2 / (fan_in + fan_out),
    biases zero (Glorot & Bengio, 2010, eq. 16).

    >>> from torch import nn
    >>> from danlu import training
    >>> training.initialize_xavier(nn.Sequential(nn.Linear(8, 8), nn.Tanh()))
    1
    """
    return _initialize(model, nn.init.xavier_uniform_)


def zero_residual(*last_layers: nn.Module) -> None:
    """Sets the last layer of each residual branch to zero: at first, all are identity.

    A norm's scale or a linear layer (Goyal et al., 2017, section 5.1; Zhang et al.,
    2019, for networks without norms).

    >>> from torch import nn
    >>> from danlu import training
    >>> norm = nn.BatchNorm1d(4)
    >>> training.zero_residual(norm)
    >>> norm.weight.tolist()
    [0.0, 0.0, 0.0, 0.0]

    Raises:
        ValueError: a layer has no weight.
    """
    for layer in last_layers:
        if getattr(layer, "weight", None) is None:
            raise ValueError(
                f"zero_residual needs a layer with a weight, got {layer}: give it the "
                "last layer of the branch that has one"
            )
        with torch.no_grad():
            layer.weight.zero_()
            if getattr(layer, "bias", None) is not None:
                layer.bias.zero_()


def _initialize(model: nn.Module, fill: Callable[[torch.Tensor], torch.Tensor]) -> int:
    layers = [inner for inner in model.modules() if isinstance(inner, LAYERS)]
    for layer in layers:
        fill(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return len(layers)
