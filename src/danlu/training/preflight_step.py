"""The program's own update against the gradient of its loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .finding import Finding
from .program import Program, seeded

STEPS = 3
ALIKE = 0.99  # cosine; dropout is drawn anew for parts of a batch, see `_quiet`
LONGER = 1.05  # a step may be shorter (clipping), never longer


def about_step(probe: Program) -> Iterator[Finding]:
    """What `probe.step` hands to the optimizer, at three updates on three batches."""
    if probe.step is None:
        return
    model, optimizer = probe.build()
    _quiet(model)
    faults: list[Finding] = []
    updates = 0
    for batch in islice(probe.batches(), STEPS):
        expected = _gradient(probe, model, batch)
        before = [own.detach().clone() for own in model.parameters()]
        with _watched(model, optimizer) as seen, seeded(probe.seed):
            probe.step(model, optimizer, batch)
        updates += len(seen["gradients"])
        faults += _modes(seen["modes"])
        for given in seen["gradients"]:
            faults += _compared(given, expected)
        if seen["gradients"] and _unmoved(model, before):
            says = "An update left all weights as they were."
            faults.append(Finding("step", "warning", says, "Look at the gradient."))
    if not updates:
        says = f"{STEPS} calls of `step` made no update of the optimizer."
        faults.append(Finding("step", "warning", says, "Call optimizer.step()."))
    yield from {finding.message: finding for finding in faults}.values()


def _compared(given: Tensor, expected: Tensor) -> list[Finding]:
    """The gradient at the update beside that of the batch's loss."""
    size, own = float(expected.norm()), float(given.norm())
    if own == 0:
        says = "The gradient is zero when the optimizer uses it."
        return [_fault(says, "Is zero_grad called between backward and step?")]
    ratio = own / (size + 1e-30)
    cosine = float(given @ expected) / (own * size + 1e-30)
    evidence = {"cosine": cosine, "ratio": ratio}
    if cosine < -ALIKE:
        return [_fault("Updates go up the loss.", "Look at the sign.", evidence)]
    if cosine < ALIKE:
        says = "The gradient of an update is not that of its batch's loss"
        advice = "Is zero_grad called before each backward?"
        return [_fault(f"{says} (cosine {cosine:.2f}).", advice, evidence)]
    if ratio > LONGER:
        says = (
            f"The gradient of an update is {ratio:.3g} times that of its batch's loss."
        )
        advice = "Divide the losses of accumulated parts by the number of parts."
        return [_fault(says, advice, evidence)]
    return []


def _modes(modes: list[bool]) -> list[Finding]:
    if all(modes):
        return []
    says = "The model is in eval mode during an update."
    return [_fault(says, "Call model.train() after each evaluation.")]


def _fault(says: str, advice: str, evidence: dict[str, Any] | None = None) -> Finding:
    return Finding("step", "warning", says, advice, evidence or {})


def _quiet(model: nn.Module) -> None:
    """Takes dropout away, so that parts of a batch have the batch's gradient."""
    for inner in model.modules():
        if isinstance(inner, nn.modules.dropout._DropoutNd):
            inner.p = 0.0


def _gradient(probe: Program, model: nn.Module, batch: Any) -> Tensor:
    """The gradient of the loss; modes, buffers and gradients stay as they were."""
    kept = [own.grad for own in model.parameters()]
    buffers = [own.clone() for own in model.buffers()]
    mode = model.training
    model.train()
    weights = [own for own in model.parameters() if own.requires_grad]
    with seeded(probe.seed):
        loss = probe.loss(model, batch)
    found = torch.autograd.grad(loss, weights, allow_unused=True)
    model.train(mode)
    for buffer, before in zip(model.buffers(), buffers, strict=True):
        buffer.copy_(before)
    for own, grad in zip(model.parameters(), kept, strict=True):
        own.grad = grad
    return _flat(found, weights)


@contextmanager
def _watched(model: nn.Module, optimizer: Optimizer) -> Iterator[dict[str, list[Any]]]:
    seen: dict[str, list[Any]] = {"gradients": [], "modes": []}

    def entered(inner: nn.Module, inputs: Any) -> None:
        if torch.is_grad_enabled():  # not an evaluation
            seen["modes"].append(inner.training)

    def stepped(own: Optimizer, args: Any, kwargs: Any) -> None:
        weights = [p for p in model.parameters() if p.requires_grad]
        seen["gradients"].append(_flat([p.grad for p in weights], weights))

    hooks = [
        model.register_forward_pre_hook(entered),
        optimizer.register_step_pre_hook(stepped),
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _flat(gradients: Any, weights: list[Tensor]) -> Tensor:
    parts = [
        torch.zeros_like(own) if grad is None else grad.detach().clone()
        for grad, own in zip(gradients, weights, strict=True)
    ]
    return torch.cat([part.flatten().double() for part in parts])


def _unmoved(model: nn.Module, before: list[Tensor]) -> bool:
    pairs = zip(model.parameters(), before, strict=True)
    return all(torch.equal(own.detach(), kept) for own, kept in pairs)
