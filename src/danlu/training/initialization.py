"""Initialization of layers and of residual branches (playbook T13)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from .groups import embedded

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)


def initialize_he(model: nn.Module) -> int:
    """He's initialization of linear and convolutional layers; how many that are.

    For ReLU and its kin: weights of variance 2 / fan_in, biases zero (He et al., 2015,
    eq. 10). Norms and embeddings stay as they are, and a head that shares the weight of
    an embedding.

    >>> from torch import nn
    >>> from danlu import training
    >>> training.initialize_he(nn.Sequential(nn.Linear(8, 8), nn.ReLU()))
    1

    Raises:
        ValueError: the weight of a layer is computed (a weight or spectral norm).
    """

    def fill(layer: nn.Module) -> None:
        nn.init.normal_(layer.weight, std=math.sqrt(2 / _in(layer)))

    return _initialize(model, fill)


def initialize_xavier(model: nn.Module) -> int:
    """Xavier's initialization of linear and convolutional layers; how many that are.

    For tanh and linear layers: uniform weights of variance 2 / (fan_in + fan_out),
    biases zero (Glorot & Bengio, 2010, eq. 16).

    >>> from torch import nn
    >>> from danlu import training
    >>> training.initialize_xavier(nn.Sequential(nn.Linear(8, 8), nn.Tanh()))
    1

    Raises:
        ValueError: the weight of a layer is computed (a weight or spectral norm).
    """
    return _initialize(model, lambda layer: nn.init.xavier_uniform_(layer.weight))


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
        ValueError: a layer has no weight, or it is computed (a weight norm).
    """
    for layer in last_layers:
        if getattr(layer, "weight", None) is None:
            raise ValueError(
                f"zero_residual needs a layer with a weight, got {layer}: give it the "
                "last layer of the branch that has one"
            )
        _check_own(layer)
        with torch.no_grad():
            layer.weight.zero_()
            if getattr(layer, "bias", None) is not None:
                layer.bias.zero_()


def _initialize(model: nn.Module, fill: Callable[[nn.Module], object]) -> int:
    tables = embedded(model)
    layers = [
        inner
        for inner in model.modules()
        if isinstance(inner, LAYERS) and id(inner.weight) not in tables
    ]
    for layer in layers:
        _check_own(layer)
    for layer in layers:
        fill(layer)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return len(layers)


def _in(layer: nn.Module) -> float:
    """How many inputs reach an output: fan_in.

    The weight of a transposed convolution is the wrong way around for torch's own, and
    with a stride each output is reached from a part of the kernel.
    """
    if not isinstance(layer, TRANSPOSED):
        return float(math.prod(layer.weight.shape[1:]))
    sizes = zip(layer.kernel_size, layer.stride, strict=True)
    reached = math.prod(max(size / stride, 1.0) for size, stride in sizes)
    return float(layer.in_channels / layer.groups * reached)


def _check_own(layer: nn.Module) -> None:
    """Whether the weight is a parameter of the layer, not made of others."""
    if "weight" not in layer._parameters:
        raise ValueError(
            f"the weight of {layer} is computed from other parameters: initialize it "
            "before the weight or spectral norm is put around it"
        )
