"""Where the gradient goes, and what the loss is before anything is learned."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from .activations import check_activations
from .finding import Finding
from .preflight_batches import classes_of, sample
from .preflight_optimizer import listed
from .program import Program

BATCHES = 4  # zeroed residual branches pass a gradient after their first update
DEAD = 0.5  # share of a layer's units
# A network that knows nothing gives each class a like chance, loss log(classes). What
# healthy ones of the tests had at the start lay between 0.97 and 1.2 of it.
HIGH, LOW = 2.0, 0.5
WEIGHTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def about_start(probe: Program) -> Iterator[Finding]:
    """The loss at the start against that of knowing nothing; signals that fade."""
    model, _ = probe.build()
    batch = sample(probe, probe.train, probe.batch_size)
    with torch.no_grad():
        loss = float(probe.loss(model, batch))
        classes = classes_of(probe.outputs(model, batch), batch)
    if not math.isfinite(loss):
        yield Finding("start", "warning", f"The loss at the start is {loss}.")
    elif classes is not None:
        yield from _against_chance(loss, math.log(classes), classes)
    for finding in check_activations(
        model, batch, forward=lambda own: probe.outputs(model, own)
    ):
        if finding.level != "ok":
            yield Finding("start", *_rest(finding))


def _against_chance(loss: float, chance: float, classes: int) -> Iterator[Finding]:
    if LOW * chance < loss < HIGH * chance:
        return
    if loss < 0:
        advice = (
            "Cross entropy is never negative: its sign, or log_softmax, is missing."
        )
    elif loss < chance:
        advice = "The loss is no cross entropy of these labels, or knows them."
    else:
        advice = "Make the first outputs small: initialization, scale of the inputs, "
        advice += "or the mean instead of the sum."
    yield Finding(
        "start",
        "warning",
        f"The loss at the start is {loss:.3g}; knowing nothing of {classes} classes "
        f"costs {chance:.3g}.",
        advice,
        {"loss": loss, "chance": chance},
    )


def about_gradients(probe: Program) -> Iterator[Finding]:
    """Parameters and units that no gradient reaches, and weights outside the model."""
    model, optimizer = probe.build()
    seen = {name: torch.zeros_like(own) for name, own in model.named_parameters()}
    hidden = 0
    for batch in islice(probe.batches(), BATCHES):
        model.zero_grad()
        loss = probe.loss(model, batch)
        if not loss.requires_grad:
            yield Finding("gradients", "warning", "The loss has no gradient at all.")
            return
        hidden = _outside(loss, model)
        loss.backward()
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                seen[name] += parameter.grad.abs()
        optimizer.step()
    yield from _hidden(hidden)
    trained = {name for name, own in model.named_parameters() if own.requires_grad}
    without = [name for name in seen if name in trained and not bool(seen[name].any())]
    if without:
        yield Finding(
            "gradients",
            "warning",
            f"No gradient reaches {listed(without)}.",
            "Look for detach(), no_grad, a branch that is never used, or weights that "
            "are all alike.",
            {"without": without[:50], "count": len(without)},
        )
    yield from _dead(model, seen, trained - set(without))


def _hidden(count: int) -> Iterator[Finding]:
    if count:
        yield Finding(
            "gradients",
            "warning",
            f"{count} tensors that the loss depends on are no parameters of the model.",
            "Keep layers in an nn.ModuleList and tensors in an nn.Parameter.",
            {"hidden": count},
        )


def _dead(
    model: nn.Module, seen: dict[str, Tensor], trained: set[str]
) -> Iterator[Finding]:
    dead = {}
    for name, inner in model.named_modules():
        key = f"{name}.weight" if name else "weight"
        if isinstance(inner, WEIGHTS) and key in trained:
            units = seen[key].flatten(1).sum(1)
            dead[name] = float((units == 0).float().mean())
    found = {name: share for name, share in dead.items() if share > DEAD}
    if found:
        yield Finding(
            "gradients",
            "warning",
            f"More than half of the units are dead in {listed(list(found))}.",
            "Initialize for the activation (initialize_he), with biases near zero.",
            {"dead": found},
        )


def _outside(loss: Tensor, model: nn.Module) -> int:
    """How many leaves of the loss's graph are no parameters of the model."""
    own = {id(parameter) for parameter in model.parameters()}
    leaves: set[int] = set()
    done: set[Any] = set()
    ahead = [loss.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in done:
            continue
        done.add(node)
        if hasattr(node, "variable"):
            leaves.add(id(node.variable))
        ahead += [following for following, _ in node.next_functions]
    return len(leaves - own)


def _rest(finding: Finding) -> tuple[Any, ...]:
    return finding.level, finding.message, finding.advice, finding.evidence
