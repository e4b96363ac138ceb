"""Whether it learns: one batch by heart, and what holds for other examples too."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .examples import batch_of, part_of, size_of
from .finding import Finding
from .preflight_batches import classes_of, labels_of, sample
from .program import Program, seeded

FEW = 8  # examples to learn by heart
FACTORS = (1.0, 10.0, 0.1)  # of the rate that was given, which may be a bad one
STEPS = 150  # for each rate, at most
BY_HEART = 0.9  # of the labels right, or of the loss gone
# Updates on the training set after which it is looked at. The training ends where it
# has learned and nothing speaks against it; that is mostly at the first look.
LOOKS = (75, 150, 300)
LEARNED = 0.5  # of the first loss is left: then a fault would have shown
RECENT = 10  # updates whose losses say what is left
HELD = 200  # held-out examples
# Standard errors: of programs whose labels mean nothing, one of 700 gets that far by
# chance at a look, at most one of 240 at three.
CERTAIN = 3.0
GAP = 2.0


def about_learning(probe: Program) -> Iterator[Finding]:
    """One batch by heart; then, after some training, whether it holds elsewhere."""
    factor = yield from _by_heart(probe)
    if factor is None:
        return
    model, optimizer = _begun(probe, factor)
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
        found = [*_mode_gap(probe, model), *_holds(probe, model, look)]
        if all(own.level != "warning" for own in found):
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


def _by_heart(probe: Program) -> Generator[Finding, None, float | None]:
    """Yields a fault; returns the factor of the rate at which a batch was learned."""
    batch = sample(probe, probe.train, FEW)
    reached: dict[str, float] = {}
    for factor in FACTORS:
        model, optimizer = _begun(probe, factor)
        share = _learned(probe, model, optimizer, batch)
        if share >= BY_HEART:
            return factor
        reached[f"{factor:g}"] = share
        if "lr" not in probe.params:
            break
    best = max(reached.values())
    yield Finding(
        "learning",
        "warning",
        f"{FEW} examples cannot be learned by heart in {STEPS} updates at any of "
        f"{len(reached)} rates: {best:.0%} of them at best.",
        "Look at the loss, the labels and what reaches the optimizer before tuning.",
        {"reached": reached},
    )
    return None


def _begun(probe: Program, factor: float) -> tuple[nn.Module, Optimizer]:
    known = "lr" in probe.params
    return probe.build({"lr": factor * probe.params["lr"]} if known else None)


def _learned(
    probe: Program, model: nn.Module, optimizer: Optimizer, batch: Any
) -> float:
    """The share of labels that are right, or of the first loss that is gone."""
    first = loss = math.nan
    for step in range(STEPS):
        loss = probe.update(model, optimizer, batch)
        first = loss if step == 0 else first
        if not math.isfinite(loss):
            return 0.0
        if step % 25 == 24 and _share(probe, model, batch, first, loss) >= BY_HEART:
            break
    return _share(probe, model, batch, first, loss)


def _share(
    probe: Program, model: nn.Module, batch: Any, first: float, loss: float
) -> float:
    gone = 1 - loss / first if first > 0 else 0.0
    with torch.no_grad():
        outputs = probe.outputs(model, batch)
    labels = labels_of(batch)
    if classes_of(outputs, batch) is None or labels is None:
        return gone
    if labels.ndim > 1:  # what follows a sequence may not be certain
        return gone if gone < 0.5 else 1.0
    return max(gone, float((outputs.argmax(-1) == labels).float().mean()))


def _mode_gap(probe: Program, model: nn.Module) -> Iterator[Finding]:
    """The loss on a training batch in both modes, after training."""
    batch = sample(probe, probe.train, 2 * probe.batch_size)
    kept = [own.clone() for own in model.buffers()]
    with torch.no_grad():
        with seeded(probe.seed):
            train = float(probe.loss(model, batch))
        for buffer, before in zip(model.buffers(), kept, strict=True):
            buffer.copy_(before)
        model.eval()
        evaluated = float(probe.loss(model, batch))
    chance = _chance(batch)
    # A share of what there was to learn, since both may be near zero.
    if evaluated > GAP * train and evaluated - train > 0.25 * (chance or train):
        yield Finding(
            "learning",
            "warning",
            f"On the same training batch, the loss is {train:.3g} in train mode and "
            f"{evaluated:.3g} in eval mode.",
            "Look at the statistics of batch norms (momentum, batch size) and at what "
            "differs between the modes.",
            {"train": train, "eval": evaluated},
        )


def _holds(probe: Program, model: nn.Module, steps: int) -> Iterator[Finding]:
    """Held-out inputs have to fit their own labels better than others' labels.

    By the signs of the differences: the losses of networks that are sure of themselves
    have tails too heavy for a mean.
    """
    gains = _matched(probe, model)
    if gains is None:
        says = "Whether it learns what holds elsewhere could not be seen: no `val`, or "
        says += "batches that are not (inputs, labels)."
        yield Finding("learning", "unknown", says, "Give the probe `val`.")
        return
    better, count = int((gains > 0).sum()), int((gains != 0).sum())
    score = (better - count / 2) / math.sqrt(max(count, 1) / 4)
    if score < CERTAIN:
        yield Finding(
            "learning",
            "warning",
            f"After {steps} updates, {better} of {count} validation inputs fit "
            "their own labels better than another's: no more than by chance.",
            "Are labels in the order of their inputs, in training and validation?",
            {"better": better, "of": count, "standard_errors": score},
        )


def _matched(probe: Program, model: nn.Module) -> Tensor | None:
    """For each held-out example, the loss with the next one's label less its own."""
    if probe.val is None:
        return None
    count = min(HELD, size_of(probe.val))
    batch = batch_of(probe.val, _order(probe, count), probe.device)
    if not isinstance(batch, tuple) or len(batch) != 2:
        return None
    mode = model.training
    model.eval()
    turned = (batch[0], batch[1].roll(1, 0))
    with torch.no_grad():
        gains = [
            float(probe.loss(model, part_of(turned, [place])))
            - float(probe.loss(model, part_of(batch, [place])))
            for place in range(count)
        ]
    model.train(mode)
    return torch.tensor(gains)


def _order(probe: Program, count: int) -> list[int]:
    draw = torch.Generator().manual_seed(probe.seed)
    order = torch.randperm(size_of(probe.val), generator=draw)
    places: list[int] = order[:count].tolist()
    return places


def _chance(batch: Any) -> float | None:
    """The entropy of the labels: the loss of the best constant answer."""
    labels = labels_of(batch)
    if labels is None:
        return None
    shares = torch.bincount(labels[labels >= 0]).float()  # others are ignored
    shares = shares[shares > 0] / shares.sum()
    return float(-(shares * shares.log()).sum())
