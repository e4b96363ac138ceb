"""What the optimizer holds: all that is trained, at the rate that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.optim import Optimizer

from .finding import Finding
from .groups import decay_groups, uncovered
from .program import Program

CHECK = "optimizer"
OTHER_RATE = 2.0  # by which the rate is changed to see whether it arrives


def about_optimizer(probe: Program) -> Iterator[Finding]:
    """Parameters that are missing or foreign, decay on the wrong ones, a fixed rate."""
    model, optimizer = probe.build()
    yield from _held(model, optimizer)
    yield from _frozen(probe, model)
    yield from _decay(model, optimizer)
    yield from _rate(probe, optimizer)


def _held(model: nn.Module, optimizer: Optimizer) -> Iterator[Finding]:
    missing = uncovered(model, optimizer.param_groups)
    own = {id(parameter) for parameter in model.parameters()}
    held = [p for group in optimizer.param_groups for p in group["params"]]
    foreign = sum(id(parameter) not in own for parameter in held)
    if missing:
        yield Finding(
            CHECK,
            "warning",
            f"The optimizer does not hold {listed(missing)}: nothing moves them.",
            "Build it from all parameters of this model, after the model is complete.",
            {"missing": missing[:50], "count": len(missing)},
        )
    if foreign:
        yield Finding(
            CHECK,
            "warning",
            f"{foreign} tensors in the optimizer are not of this model.",
            "Build it from the model that is trained, not from a copy or a part of "
            "another one.",
            {"foreign": foreign},
        )


def _frozen(probe: Program, model: nn.Module) -> Iterator[Finding]:
    still = [
        name
        for name, parameter in model.named_parameters()
        if not parameter.requires_grad and not name.startswith(probe.frozen or "\0")
    ]
    if still:
        yield Finding(
            CHECK,
            "warning",
            f"{listed(still)} are frozen (requires_grad is False).",
            "Unfreeze them; if it is meant, name them in the probe's `frozen`.",
            {"frozen": still[:50], "count": len(still)},
        )


def _decay(model: nn.Module, optimizer: Optimizer) -> Iterator[Finding]:
    decays = {
        id(parameter): group.get("weight_decay", 0.0)
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    weights: list[float] = []
    still: list[float] = []
    for group in decay_groups(model) if _trains(model) else []:
        own = [decays[id(p)] for p in group["params"] if id(p) in decays]
        (weights if group["weight_decay_factor"] else still).extend(own)
    if not any(still):
        return
    share = sum(decay > 0 for decay in still) / len(still)
    inverted = bool(weights) and max(weights) < max(still)
    yield Finding(
        CHECK,
        "warning" if inverted else "notice",
        f"{share:.0%} of biases and norms decay"
        + (" more than the weights do." if inverted else ", like the weights."),
        "Use training.decay_groups(model): weights decay, biases and norms do not.",
        {"of_biases_and_norms": max(still), "of_weights": max(weights, default=None)},
    )


def _rate(probe: Program, optimizer: Optimizer) -> Iterator[Finding]:
    if "lr" not in probe.params:
        says = "The probe's params have no `lr`, so rates could not be tried."
        yield Finding(CHECK, "unknown", says, "Read the rate from params['lr'].")
        return
    _, other = probe.build({"lr": OTHER_RATE * probe.params["lr"]})
    pairs = zip(rates_of(optimizer), rates_of(other), strict=True)
    if all(first == second for first, second in pairs):
        yield Finding(
            CHECK,
            "warning",
            f"With twice the `lr` ({OTHER_RATE * probe.params['lr']:g}) the optimizer "
            f"has the same rates {sorted(set(rates_of(optimizer)))}.",
            "Read the rate from params['lr'].",
        )


def rates_of(optimizer: Optimizer) -> list[float]:
    """The rate of each group.

    >>> import torch
    >>> rates_of(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5))
    [0.5]
    """
    return [float(group["lr"]) for group in optimizer.param_groups]


def listed(names: Any, most: int = 4) -> str:
    """Names in a sentence.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _trains(model: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in model.parameters())
