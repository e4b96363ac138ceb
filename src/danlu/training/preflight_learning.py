"""Whether it learns: one batch by heart, and what holds for other examples too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from statistics import fmean
from typing import Any

import torch
from torch import nn

from .finding import Finding
from .preflight_batches import labels_of, sample
from .preflight_by_heart import begun, by_heart
from .preflight_held_out import about_held_out
from .program import Program, seeded

# Updates on the training set after which it is looked at. The training ends where it
# has learned and nothing speaks against it; that is mostly at the first look.
LOOKS = (75, 150, 300)
LEARNED = 0.5  # of the first loss is left: then a fault would have shown
RECENT = 10  # updates whose losses say what is left
GAP = 2.0


def about_learning(probe: Program) -> Iterator[Finding]:
    """One batch by heart; then, after some training, whether it holds elsewhere."""
    factor = yield from by_heart(probe)
    if factor is None:
        return
    model, optimizer = begun(probe, factor)
    batches = probe.batches()
    losses: list[float] = []
    found: list[Finding] = []
    for look in LOOKS:
        for batch in islice(batches, look - len(losses)):
            losses.append(probe.update(model, optimizer, batch))
            if not math.isfinite(losses[-1]):
                yield _diverged(losses[-1])
                return
        if look < LOOKS[-1] and not _has_learned(losses):
            continue
        found = [*_mode_gap(probe, model), *about_held_out(probe, model, look)]
        if all(own.level in ("ok", "unknown") for own in found):
            break
        model.train()
    yield from found


def _diverged(loss: float) -> Finding:
    return Finding(
        "learning",
        "warning",
        f"The loss became {loss} during training at the rate that was given.",
        "Use a smaller rate.",
    )


def _has_learned(losses: Sequence[float]) -> bool:
    return losses[0] > 0 and fmean(losses[-RECENT:]) <= LEARNED * losses[0]


def _mode_gap(probe: Program, model: nn.Module) -> Iterator[Finding]:
    """The loss on a training batch in both modes, after training."""
    batch = sample(probe, probe.train, 2 * probe.batch_size)
    kept = [own.clone() for own in model.buffers()]
    with seeded(probe.seed):
        train = probe.value(model, batch)
    for buffer, before in zip(model.buffers(), kept, strict=True):
        buffer.copy_(before)
    model.eval()
    with seeded(probe.seed):
        evaluated = probe.value(model, batch)
    chance = _chance(batch)
    more = evaluated - train
    # A share of what there was to learn, since both may be near zero.
    if more > (GAP - 1) * abs(train) and more > 0.25 * (chance or abs(train)):
        yield Finding(
            "learning",
            "warning",
            f"On the same training batch, the loss is {train:.3g} in train mode and "
            f"{evaluated:.3g} in eval mode.",
            "Look at the statistics of batch norms (momentum, batch size) and at what "
            "differs between the modes.",
            {"train": train, "eval": evaluated},
        )


def _chance(batch: Any) -> float | None:
    """The entropy of the labels: the loss of the best constant answer."""
    labels = labels_of(batch)
    if labels is None:
        return None
    shares = torch.bincount(labels[labels >= 0]).float()  # others are ignored
    shares = shares[shares > 0] / shares.sum()
    return float(-(shares * shares.log()).sum())
