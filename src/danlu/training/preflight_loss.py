"""What the loss of a batch is: a mean of its examples' losses, of the same shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from .accumulation import examples
from .examples import part_of
from .finding import Finding, Level
from .preflight_batches import are_targets, labels_of, sample
from .preflight_outputs import COUNT, SAME
from .program import Program
from .stand_in import is_loss_of_outputs, loss_at


def about_loss(probe: Program) -> Iterator[Finding]:
    """Whether the loss of a batch is a mean of its examples' losses."""
    model, _ = probe.build()
    model.eval()
    batch = sample(probe, probe.train, COUNT)
    count = examples(batch)
    yield from _shapes(probe, model, batch)
    if probe.coupled:
        return
    if probe.value(model, batch) != probe.value(model, batch):
        says = "The loss draws at random in eval mode, too, so that losses of parts of "
        says += "a batch could not be compared."
        yield Finding("loss", "unknown", says)
        return
    singles = [probe.value(model, part_of(batch, [place])) for place in range(count)]
    whole = probe.value(model, batch)
    mean = sum(singles) / count
    if count > 3 and abs(whole / count - mean) < 1e-3 * abs(mean):
        yield _summed(whole, mean, count)
        return
    yield from _between(probe, model, batch, singles)


def _between(
    probe: Program, model: nn.Module, batch: Any, singles: Sequence[float]
) -> Iterator[Finding]:
    """The loss of two examples lies between their own, however they are weighted."""
    pairs = outside = 0
    for place, own in enumerate(pairwise(singles)):
        if not all(map(math.isfinite, own)):
            continue
        both = probe.value(model, part_of(batch, [place, place + 1]))
        slack = SAME * max(*map(abs, own), 1e-6)
        pairs += 1
        outside += not min(own) - slack <= both <= max(own) + slack
    if outside:
        yield Finding(
            "loss",
            "warning",
            f"For {outside} of {pairs} pairs of examples, the loss of both is not "
            "between their own: the loss compares examples.",
            "Look for a sum or norm along the batch, or shapes that broadcast: (n, 1) "
            "minus (n,) is (n, n). If it is meant, give the probe `coupled=True`.",
            {"pairs": outside},
        )
    yield from _alone(batch, [not math.isfinite(own) for own in singles])


def _alone(batch: Any, lost: Sequence[bool]) -> Iterator[Finding]:
    """Examples without a finite loss; a sequence may well have no label that counts."""
    if not any(lost):
        return
    says = f"{sum(lost)} of {len(lost)} examples have no finite loss of their own."
    advice = "Are all of their labels ignored, or masked? A norm along the batch has "
    advice += "no value for one example either."
    labels = labels_of(batch)
    counts = False
    if labels is not None and labels.ndim == 1:
        counts = bool((labels[torch.tensor(lost)] >= 0).any())
    level: Level = "warning" if counts or all(lost) else "notice"
    yield Finding("loss", level, says, advice, {"not_finite": sum(lost)})


def _shapes(probe: Program, model: nn.Module, batch: Any) -> Iterator[Finding]:
    """Outputs and targets that differ in shape alone: does that change the loss?"""
    if not are_targets(batch):
        return
    with torch.no_grad():
        outputs = probe.outputs(model, batch)
    targets = batch[1]
    if not isinstance(outputs, Tensor) or outputs.numel() != targets.numel():
        return
    if outputs.shape == targets.shape:
        return
    says = f"Outputs have the shape {list(outputs.shape)}, targets "
    says += f"{list(targets.shape)}"
    advice = "Give both one shape."
    broadcast = None
    if is_loss_of_outputs(probe, model, outputs, batch):
        broadcast = loss_at(probe, outputs.reshape(targets.shape), batch)
    own = probe.value(model, batch)
    if broadcast is None:
        yield Finding("loss", "notice", f"{says}: they may broadcast.", advice)
    elif abs(float(broadcast) - own) > SAME * abs(own):
        says += f", which broadcast: the loss is {own:.4g} instead of "
        yield Finding("loss", "warning", f"{says}{float(broadcast):.4g}.", advice)


def _summed(whole: float, mean: float, count: int) -> Finding:
    return Finding(
        "loss",
        "warning",
        f"The loss of {count} examples is {whole:.3g}, the sum of theirs, not the mean "
        f"({mean:.3g}): the best rate depends on the batch size.",
        "Use the mean over the batch.",
        {"loss": whole, "mean": mean},
    )
