"""What comes out: each output from its own input alone, and in the range of targets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .accumulation import examples
from .examples import part_of
from .finding import Finding
from .preflight_batches import (
    are_targets,
    labels_of,
    sample,
    scores_of,
    tokens_of,
    with_last_token,
)
from .program import Program
from .stand_in import is_loss_of_outputs, loss_at

COUNT = 16
# Relative to the outputs' size. Matrix products of other shapes add up in another
# order: about 1e-6 in single precision.
SAME = 1e-4
CLIPPED = 0.1  # share of scores that are exactly zero
FACTORS = (1.0, -1.0, 10.0, -10.0, 100.0, -100.0)  # of all weights, see `_reach`


def about_outputs(probe: Program) -> Iterator[Finding]:
    """Outputs that depend on other examples or on chance, or have the wrong range."""
    model, _ = probe.build()
    model.eval()
    batch = sample(probe, probe.train, COUNT)
    with torch.no_grad():
        outputs, again = probe.outputs(model, batch), probe.outputs(model, batch)
        if not isinstance(outputs, Tensor) or len(outputs) != examples(batch):
            says = "The outputs are no tensor with one row for each example."
            advice = "Give the probe `forward`, which returns such a tensor."
            yield Finding("outputs", "unknown", says, advice)
            return
        if _differ(outputs, again):
            yield Finding(
                "outputs",
                "warning",
                "In eval mode, the same batch gives different outputs.",
                "Dropout has to be off in eval mode: F.dropout(x, p, self.training).",
            )
            return
        yield from _leaks(probe, model, batch, outputs)
        yield from _same_tokens(batch, outputs)
        yield from _future(probe, model, batch, outputs)
    yield from _range(probe, model, batch, outputs)


def _leaks(
    probe: Program, model: nn.Module, batch: Any, outputs: Tensor
) -> Iterator[Finding]:
    """Replaces the first example by another; the others' outputs have to stay."""
    count = len(outputs)
    if count < 3:
        return
    places = [1, *range(1, count)]
    replaced = probe.outputs(model, part_of(batch, places))
    if replaced.shape != outputs.shape or _differ(outputs[1:], replaced[1:]):
        yield Finding(
            "outputs",
            "warning",
            "The output of one example depends on the other examples of the batch.",
            "Look for a missing batch_first, a softmax or norm along the batch, or a "
            "reshape that mixes examples.",
        )


def _same_tokens(batch: Any, outputs: Tensor) -> Iterator[Finding]:
    """Labels that are the inputs themselves; Hugging Face shifts them in the model."""
    tokens, labels = tokens_of(batch), labels_of(batch)
    if tokens is None or labels is None or isinstance(batch, Mapping):
        return
    if outputs.ndim == 3 and torch.equal(labels, tokens):
        says = "The labels of tokens are the tokens themselves: nothing is foretold."
        advice = "Shift them: the label of a token is the next one."
        yield Finding("outputs", "warning", says, advice)


def _future(
    probe: Program, model: nn.Module, batch: Any, outputs: Tensor
) -> Iterator[Finding]:
    """Where the next tokens are foretold, no output may depend on later ones."""
    tokens = tokens_of(batch)
    if tokens is None or outputs.ndim != 3 or outputs.shape[:2] != tokens.shape:
        return
    if not _foretells(probe, model, batch, tokens, outputs):
        return
    last = tokens[:, -1].roll(1)
    other = probe.outputs(model, with_last_token(batch, last))
    if _differ(outputs[:, :-1], other[:, :-1]):
        yield Finding(
            "outputs",
            "warning",
            "Outputs depend on later tokens, which are what they have to predict.",
            "Give the attention a causal mask.",
        )


def _foretells(
    probe: Program, model: nn.Module, batch: Any, tokens: Tensor, outputs: Tensor
) -> bool:
    """Whether labels are the next tokens, or the loss leaves the last output out."""
    labels = labels_of(batch)
    if labels is not None and labels.shape == tokens.shape:
        shifted = torch.equal(labels[:, :-1], tokens[:, 1:])
        return shifted or (isinstance(batch, Mapping) and torch.equal(labels, tokens))
    if labels is not None:
        return False
    if _is_given_all_but_last(probe, model, batch, tokens):
        return True
    if not is_loss_of_outputs(probe, model, outputs, batch):
        return False
    given = outputs.detach().clone().requires_grad_()
    with torch.enable_grad():
        loss = loss_at(probe, given, batch)
    if loss is None or not loss.requires_grad:
        return False
    (slopes,) = torch.autograd.grad(loss, given)
    return bool(slopes[:, :-1].any()) and not bool(slopes[:, -1].any())


def _is_given_all_but_last(
    probe: Program, model: nn.Module, batch: Any, tokens: Tensor
) -> bool:
    """Whether the loss shows the model all tokens but the last ones."""
    seen: list[bool] = []

    def entered(inner: nn.Module, inputs: tuple[Any, ...]) -> None:
        own = inputs[0] if inputs else None
        seen.append(isinstance(own, Tensor) and torch.equal(own, tokens[:, :-1]))

    hook = model.register_forward_pre_hook(entered)
    probe.value(model, batch)
    hook.remove()
    return any(seen)


def _range(
    probe: Program, model: nn.Module, batch: Any, outputs: Tensor
) -> Iterator[Finding]:
    labels = labels_of(batch)
    scores = scores_of(outputs, batch)
    if labels is None or scores is None:
        yield from _bounded(probe, batch)
        return
    sums = scores.sum(-1)
    loss = torch.tensor(probe.value(model, batch))
    twice = functional.cross_entropy(scores.flatten(0, -2), labels.flatten())
    are_shares = bool((outputs >= 0).all()) and torch.allclose(
        sums, torch.ones_like(sums), atol=1e-4
    )
    if are_shares and torch.allclose(loss, twice, rtol=1e-3):
        yield Finding(
            "outputs",
            "warning",
            "The outputs are probabilities, and the loss takes their softmax again.",
            "Leave the softmax out of the model: cross_entropy has its own.",
        )
    elif not are_shares and bool((outputs >= 0).all()):
        clipped = float((outputs == 0).float().mean())
        if clipped > CLIPPED:
            yield Finding(
                "outputs",
                "warning",
                f"No score is below zero, and {clipped:.0%} are exactly zero.",
                "Leave the activation after the last layer out.",
                {"zero": clipped},
            )


def _bounded(probe: Program, batch: Any) -> Iterator[Finding]:
    """Targets out of the reach of a sigmoid, tanh or ReLU at the end."""
    if not are_targets(batch) or not isinstance(batch[0], Tensor):
        return
    if not batch[0].is_floating_point():
        return
    targets = batch[1][batch[1].isfinite()]
    if not len(targets):
        return
    low, high = _reach(probe, (1e4 * batch[0], *batch[1:]))
    below = low >= 0 and float(targets.min()) < low
    inside = max(abs(low), abs(high)) <= 1 + 1e-6 and float(targets.abs().max()) > 1
    if inside or below:
        yield Finding(
            "outputs",
            "warning",
            f"Outputs stay in {low:.3g} to {high:.3g} whatever the inputs; targets go "
            f"from {float(targets.min()):.3g} to {float(targets.max()):.3g}.",
            "Leave the activation after the last layer out, or scale the targets.",
        )


def _reach(probe: Program, batch: Any) -> tuple[float, float]:
    """Between which values outputs stay, whatever the inputs and the weights are.

    A norm or a tanh inside keeps outputs small as well, but only while the weights
    after it are.
    """
    reached: list[Tensor] = []
    for factor in FACTORS:
        model, _ = probe.build()
        model.eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(factor)
            outputs = probe.outputs(model, batch)
        reached.append(outputs[outputs.isfinite()])
    every = torch.cat(reached)
    if not len(every):
        return -math.inf, math.inf
    return float(every.min()), float(every.max())


def _differ(first: Tensor, second: Tensor) -> bool:
    size = float(first.float().abs().mean()) + 1e-12
    return float((first - second).float().abs().max()) > SAME * size
