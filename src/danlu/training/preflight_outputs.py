"""What comes out: each output from its own input alone, and a loss that is a mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .accumulation import examples
from .examples import part_of
from .finding import Finding
from .preflight_batches import classes_of, inputs_of, labels_of, sample
from .program import Program

COUNT = 16
# Relative to the outputs' size. Matrix products of other shapes add up in another
# order: about 1e-6 in single precision.
SAME = 1e-4
CLIPPED = 0.1  # share of scores that are exactly zero


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


def _future(
    probe: Program, model: nn.Module, batch: Any, outputs: Tensor
) -> Iterator[Finding]:
    """Where labels are the next tokens, no output may depend on later ones."""
    labels, inputs = labels_of(batch), inputs_of(batch)
    if labels is None or labels.ndim != 2 or not isinstance(inputs, Tensor):
        return
    if inputs.shape != labels.shape:
        return
    if labels.shape[1] < 2 or not torch.equal(labels[:, :-1], inputs[:, 1:]):
        return
    changed = inputs.clone()
    changed[:, -1] = inputs[:, -1].roll(1)
    other = probe.outputs(model, (changed, *batch[1:]))
    if _differ(outputs[:, :-1], other[:, :-1]):
        yield Finding(
            "outputs",
            "warning",
            "Outputs depend on later tokens, which are what they have to predict.",
            "Give the attention a causal mask.",
        )


def _range(
    probe: Program, model: nn.Module, batch: Any, outputs: Tensor
) -> Iterator[Finding]:
    labels = labels_of(batch)
    if labels is None or classes_of(outputs, batch) is None:
        yield from _bounded(probe, model, batch)
        return
    sums = outputs.sum(-1)
    with torch.no_grad():
        loss = probe.loss(model, batch)
    twice = functional.cross_entropy(outputs.flatten(0, -2), labels.flatten())
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


def _bounded(probe: Program, model: nn.Module, batch: Any) -> Iterator[Finding]:
    """Targets out of the reach of a sigmoid, tanh or ReLU at the end."""
    if not _are_targets(batch) or not isinstance(batch[0], Tensor):
        return
    if not batch[0].is_floating_point():
        return
    with torch.no_grad():
        far = probe.outputs(model, (1e4 * batch[0], *batch[1:]))
    low, high = float(far.min()), float(far.max())
    targets = batch[1]
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


def about_loss(probe: Program) -> Iterator[Finding]:
    """Whether the loss of a batch is a mean of its examples' losses."""
    model, _ = probe.build()
    model.eval()
    batch = sample(probe, probe.train, COUNT)
    count = examples(batch)
    with torch.no_grad():
        singles = [
            float(probe.loss(model, part_of(batch, [place]))) for place in range(count)
        ]
        whole = float(probe.loss(model, batch))
        mean = sum(singles) / count
        if count > 3 and abs(whole / count - mean) < 1e-3 * abs(mean):
            yield _summed(whole, mean, count)
            return
        outside = 0
        for place in range(count - 1):
            both = float(probe.loss(model, part_of(batch, [place, place + 1])))
            low, high = sorted(singles[place : place + 2])
            slack = SAME * max(abs(low), abs(high), 1e-6)
            outside += not low - slack <= both <= high + slack
    if outside:
        yield Finding(
            "loss",
            "warning",
            f"For {outside} of {count - 1} pairs of examples, the loss of both is not "
            "between their own: the loss compares examples.",
            "Look at the shapes: (n, 1) minus (n,) is (n, n).",
            {"pairs": outside},
        )
    yield from _shapes(probe, model, batch)


def _shapes(probe: Program, model: nn.Module, batch: Any) -> Iterator[Finding]:
    if not _are_targets(batch):
        return
    with torch.no_grad():
        outputs = probe.outputs(model, batch)
    if outputs.numel() == batch[1].numel() and outputs.shape != batch[1].shape:
        says = f"Outputs have the shape {list(outputs.shape)}, targets "
        says += f"{list(batch[1].shape)}."
        yield Finding("loss", "notice", says, "Give both one shape, or they broadcast.")


def _summed(whole: float, mean: float, count: int) -> Finding:
    return Finding(
        "loss",
        "warning",
        f"The loss of {count} examples is {whole:.3g}, the sum of theirs, not the mean "
        f"({mean:.3g}): the best rate depends on the batch size.",
        "Use the mean over the batch.",
        {"loss": whole, "mean": mean},
    )


def _are_targets(batch: Any) -> bool:
    """Whether what comes second are real numbers to predict."""
    if not isinstance(batch, tuple) or len(batch) < 2:
        return False
    return isinstance(batch[1], Tensor) and batch[1].is_floating_point()


def _differ(first: Tensor, second: Tensor) -> bool:
    size = float(first.float().abs().mean()) + 1e-12
    return float((first - second).float().abs().max()) > SAME * size
