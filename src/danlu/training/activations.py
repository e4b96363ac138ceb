"""Whether signals keep their size from layer to layer (playbook T13)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .finding import Finding
from .initialization import LAYERS
from .unwrapping import plain_name, unwrapped

CHECK = "activations"
# What differs between examples, over all that varies in a layer's output. Networks that
# learned in 60 steps had 4e-3 and more; those that did not (four layers of sigmoid, ten
# of ReLU as torch initializes them) had 2e-3 and less.
ALIKE = 3e-3
# Spread of an output over that of the first layer: 0.2 to 1.1 in networks that learn,
# 800 in twelve residual branches of He's without a norm, 1e7 with weights from N(0, 1).
GROWN, FADED = 100.0, 1e-3


@dataclass(frozen=True)
class LayerActivations:
    """What a layer gave out: its spread, and what share of that lies between examples.

    >>> from danlu import training
    >>> training.LayerActivations("0", spread=1.0, between=0.5).name
    '0'
    """

    name: str
    spread: float
    between: float


def check_activations(
    model: nn.Module, batch: Any, *, forward: Callable[[Any], object] | None = None
) -> tuple[Finding, ...]:
    """Whether signals keep their size from layer to layer; one `ok` if they do.

    Runs the model once on `batch` (by `forward`, if given). Looks at what linear and
    convolutional layers give out, with examples along the first axis, but for the last
    layer and for those that are zero (`zero_residual`). Batch norms use the batch, all
    else is in eval mode; afterward modes and buffers are as before.

    >>> import torch
    >>> from danlu import training
    >>> layers = [torch.nn.Linear(64, 64) for _ in range(9)]
    >>> for layer in layers:
    ...     _ = torch.nn.init.normal_(layer.weight, std=0.01)
    >>> model = torch.nn.Sequential(*layers)
    >>> findings = training.check_activations(model, torch.randn(32, 64))
    >>> [finding.message for finding in findings]
    ['All examples look alike to 3, 4, 5, 6, 7.']
    """
    layers = activations(model, batch, forward=forward)[:-1]
    lost = [layer for layer in layers if not math.isfinite(layer.spread)]
    if lost:
        says = "{names} give out nan or infinite values."
        return tuple(_about(lost[:1], says, "Look at this layer and what it gets."))
    first = layers[0].spread if layers else 0.0
    found = [
        *_about(
            [layer for layer in layers if layer.spread > GROWN * first],
            "Signals grow: {names} give out far more than the first layer.",
            "Initialize for the activation, zero the residual branches, or add a norm.",
        ),
        *_about(
            [layer for layer in layers if layer.spread < FADED * first],
            "Signals fade: {names} give out far less than the first layer.",
            "Initialize for the activation (initialize_he, initialize_xavier).",
        ),
        *_about(
            [layer for layer in layers if layer.between < ALIKE],
            "All examples look alike to {names}.",
            "Biases drown the signal: initialize for the activation, or add a norm.",
        ),
    ]
    fine = Finding(
        CHECK,
        "ok",
        f"Signals keep their size through {len(layers)} layers.",
        evidence=_evidence(layers),
    )
    return tuple(found) or (fine,)


def activations(
    model: nn.Module, batch: Any, *, forward: Callable[[Any], object] | None = None
) -> list[LayerActivations]:
    """What each linear and convolutional layer gives out for `batch`, in order.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    >>> [layer.name for layer in activations(model, torch.randn(8, 2))]
    ['0', '1']
    """
    plain = unwrapped(model)
    with _as_before(plain), _watched(plain) as seen, torch.no_grad():
        _for_measuring(plain)
        (forward or plain)(batch)
    return list(seen.values())


@contextmanager
def _watched(model: nn.Module) -> Iterator[dict[str, LayerActivations]]:
    seen: dict[str, LayerActivations] = {}

    def hook_of(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: Any, output: torch.Tensor) -> None:
            # Not one that is zeroed on purpose, nor one of a learned query.
            if bool(layer.weight.any()) and not _is_constant(inputs):
                seen[name] = _measured(name, output)

        return hook

    hooks = [
        inner.register_forward_hook(hook_of(plain_name(name)))
        for name, inner in model.named_modules()
        if isinstance(inner, LAYERS)
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _is_constant(inputs: Any) -> bool:
    """Whether all examples give a layer the same, and not zeros, as dead units do."""
    values = inputs[0] if inputs and isinstance(inputs[0], torch.Tensor) else None
    if values is None or len(values) < 2 or not bool(values.any()):
        return False
    same: bool = torch.equal(values[1:], values[:1].expand_as(values[1:]))
    return same


def _measured(name: str, output: torch.Tensor) -> LayerActivations:
    values = output.detach().float()
    spread = float(values.std())
    # A unit's deviation over examples, as a mean over units.
    between = float(values.std(0).mean()) if len(values) > 1 else spread
    return LayerActivations(name, spread, between / spread if spread else 0.0)


@contextmanager
def _as_before(model: nn.Module) -> Iterator[None]:
    modes = [(inner, inner.training) for inner in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for inner, mode in modes:
            inner.training = mode
        for buffer, before in buffers:
            buffer.copy_(before)


def _for_measuring(model: nn.Module) -> None:
    model.eval()
    for inner in model.modules():
        if isinstance(inner, nn.modules.batchnorm._BatchNorm):
            inner.train()


def _about(
    layers: Sequence[LayerActivations], message: str, advice: str
) -> list[Finding]:
    if not layers:
        return []
    names = ", ".join(layer.name for layer in layers[:5])
    more = f" and {len(layers) - 5} more" if len(layers) > 5 else ""
    shown = message.format(names=names + more)
    return [Finding(CHECK, "warning", shown, advice, _evidence(layers))]


def _evidence(layers: Sequence[LayerActivations]) -> dict[str, Any]:
    return {
        "layers": [layer.name for layer in layers],
        "spread": [layer.spread for layer in layers],
        "between": [layer.between for layer in layers],
    }
