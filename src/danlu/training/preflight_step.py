"""The program's own update against the gradient of its loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .finding import Finding, Level
from .preflight_optimizer import listed
from .program import Program, seeded

STEPS = 3  # updates
CALLS = 64  # of the step until then, at most: it may accumulate over some of them
ALIKE = 0.99  # cosine; dropout is drawn anew for parts of a batch, see `_quiet`
ASTRAY = 0.2  # cosine below which no clipping or mixing explains it
LONGER = 1.5  # two parts that are not divided make 2; a look ahead of a step 1.1
SHORTER = 1e-4  # clipping makes it shorter, but not to nothing


def about_step(probe: Program) -> Iterator[Finding]:
    """What `probe.step` hands to the optimizer, at three updates on their batches."""
    if probe.step is None:
        yield Finding("step", "ok", "Updates are plain ones: no `step` was given.")
        return
    model, optimizer = probe.build()
    _quiet(model)
    faults: list[Finding] = []
    waiting: list[Tensor] = []  # gradients of batches since the last update
    last: Tensor | None = None
    updates = 0
    earlier: list[Any] = []
    for batch in islice(probe.batches(), CALLS):
        waiting.append(_gradient(probe, model, batch))
        stale = [_gradient(probe, model, own) for own in earlier[:STEPS]]
        earlier.append(batch)
        before = [own.detach().clone() for own in model.parameters()]
        with _watched(model, optimizer) as seen, seeded(probe.seed):
            probe.step(model, optimizer, batch)
        faults += _modes(seen["modes"]) + _norms(seen["norms"])
        for given in seen["gradients"]:
            faults += _compared(given, sum(waiting) / len(waiting), last, stale)
            last = given
        if seen["gradients"]:
            if _unmoved(model, before):
                says = "An update left all weights as they were."
                faults.append(Finding("step", "warning", says, "Look at the gradient."))
            waiting = []
            updates += 1
        if updates == STEPS:
            break
    if not updates:
        says = f"{CALLS} calls of `step` made no update of the optimizer."
        faults.append(Finding("step", "warning", says, "Call optimizer.step()."))
    yield from {finding.message: finding for finding in faults}.values()


def _compared(
    given: Tensor, expected: Tensor, last: Tensor | None, stale: Sequence[Tensor]
) -> list[Finding]:
    """The gradient at the update beside those of the loss and of the last update."""
    size, own = float(expected.norm()), float(given.norm())
    if own == 0:
        says = "The gradient is zero when the optimizer uses it."
        return [_fault(says, "Is zero_grad called between backward and step?")]
    ratio, cosine = own / (size + 1e-30), _cosine(given, expected)
    evidence = {"cosine": cosine, "ratio": ratio}
    says = "The gradient of an update is"
    if cosine < -ALIKE:
        return [_fault("Updates go up the loss.", "Look at the sign.", evidence)]
    if cosine < ALIKE:
        if last is not None and _cosine(given, last + expected) >= ALIKE:
            says += " that of its batch's loss and of the last update together."
            return [_fault(says, "Call zero_grad before each backward.", evidence)]
        if any(_cosine(given, own) >= ALIKE for own in stale):
            says += " that of an earlier batch's loss."
            return [_fault(says, "Take the loss of the batch that is given.", evidence)]
        says += f" not that of its batch's loss (cosine {cosine:.2f})."
        advice = "Is its loss that of its own batch? Clipping by value, mixed examples "
        advice += "and batch norms over parts of a batch turn it as well."
        level: Level = "warning" if cosine < ASTRAY else "notice"
        return [Finding("step", level, says, advice, evidence)]
    if ratio > LONGER:
        says += f" {ratio:.3g} times that of its batch's loss."
        advice = "Divide the losses of accumulated parts by the number of parts."
        return [_fault(says, advice, evidence)]
    if ratio < SHORTER:
        says += f" {ratio:.1g} times that of its batch's loss."
        return [_fault(says, "Is the norm that it is clipped to a mistake?", evidence)]
    return []


def _cosine(one: Tensor, other: Tensor) -> float:
    return float(one @ other) / (float(one.norm() * other.norm()) + 1e-30)


def _norms(names: Sequence[str]) -> list[Finding]:
    if not names:
        return []
    says = f"{listed(names)} are in eval mode during an update."
    advice = "Call model.train() after each evaluation, or freeze their weights."
    return [Finding("step", "notice", says, advice, {"eval": list(names[:50])})]


def _modes(modes: Sequence[bool]) -> list[Finding]:
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
    seen: dict[str, list[Any]] = {"gradients": [], "modes": [], "norms": []}

    def entered(inner: nn.Module, inputs: Any) -> None:
        if torch.is_grad_enabled():  # not an evaluation
            seen["modes"].append(inner.training)

    def stepped(own: Optimizer, args: Any, kwargs: Any) -> None:
        weights = [p for p in model.parameters() if p.requires_grad]
        seen["gradients"].append(_flat([p.grad for p in weights], weights))
        seen["norms"] = _still_norms(model) if model.training else []

    hooks = [
        model.register_forward_pre_hook(entered),
        optimizer.register_step_pre_hook(stepped),
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _still_norms(model: nn.Module) -> list[str]:
    """Batch norms in eval mode whose weights are trained all the same."""
    return [
        name
        for name, inner in model.named_modules()
        if isinstance(inner, nn.modules.batchnorm._BatchNorm)
        and not inner.training
        and any(own.requires_grad for own in inner.parameters())
    ]


def _flat(gradients: Any, weights: list[Tensor]) -> Tensor:
    parts = [
        torch.zeros_like(own) if grad is None else _dense(grad)
        for grad, own in zip(gradients, weights, strict=True)
    ]
    return torch.cat([part.flatten().double() for part in parts])


def _dense(grad: Tensor) -> Tensor:
    return grad.detach().to_dense() if grad.is_sparse else grad.detach().clone()


def _unmoved(model: nn.Module, before: list[Tensor]) -> bool:
    pairs = zip(model.parameters(), before, strict=True)
    return all(torch.equal(own.detach(), kept) for own, kept in pairs)
