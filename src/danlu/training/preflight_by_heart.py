"""Whether a few examples can be learned by heart, which every program should manage."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .finding import Finding
from .preflight_batches import are_targets, inputs_of, labels_of, sample, scores_of
from .program import Program
from .stand_in import loss_at

FEW = 8  # examples to learn by heart
FACTORS = (1.0, 10.0, 0.1)  # of the rate that was given, which may be a bad one
EVERY = 25  # calls between looks at what was learned
STEPS = 150  # updates for each rate, at most
CALLS = 8  # of the program's own step for an update, at most: it may accumulate
ENOUGH = 0.9  # of the labels right, or of the loss gone
SURE = 50.0  # a score that leaves no doubt to a sigmoid
ZERO = 1e-4  # of the first loss
EDGE = 5  # updates at the beginning and at the end whose losses are compared
LEAST_FALL = 0.03  # of the first loss; less is what noise does, as in the range test
CERTAIN = 3.0  # standard errors
HALF = 0.5  # of what plain updates reach: less, and the step holds something back

Update: TypeAlias = Callable[[nn.Module, Optimizer, Any], float]


@dataclass(frozen=True)
class Learned:
    """What updates made of a few examples.

    `share` of the labels are right, or of the loss is gone; `gone` is the latter alone.
    `fell` says that the loss fell beyond its noise.
    """

    share: float
    gone: float
    fell: bool
    last: float


def begun(probe: Program, factor: float) -> tuple[nn.Module, Optimizer]:
    """A fresh model, at a multiple of the rate that was given.

    >>> from types import SimpleNamespace
    >>> begun(SimpleNamespace(params={"lr": 0.5}, build=lambda own: own), 10.0)
    {'lr': 5.0}
    """
    known = "lr" in probe.params
    return probe.build({"lr": factor * probe.params["lr"]} if known else None)


def by_heart(probe: Program) -> Generator[Finding, None, float | None]:
    """Yields a fault; returns the factor of the rate at which examples were learned."""
    batch = sample(probe, probe.train, FEW)
    knows = _knows_least(probe, batch)
    reached = _tried(probe, probe.own_update, batch)
    factor = _best(reached, knows)
    if factor is None and probe.step is not None:
        own, reached = reached, _tried(probe, probe.update, batch)
        factor = _best(reached, knows)
        if factor is not None:
            yield _held_back(own, reached)
    if factor is None:
        yield _not_learned(reached)
    elif not knows and reached[factor].share < ENOUGH:
        yield _unclear(reached[factor])
    return factor


def _tried(probe: Program, update: Update, batch: Any) -> dict[float, Learned]:
    """What each rate led to, up to the first that was enough."""
    reached: dict[float, Learned] = {}
    for factor in FACTORS if "lr" in probe.params else FACTORS[:1]:
        reached[factor] = _learned(probe, update, factor, batch)
        if reached[factor].share >= ENOUGH:
            break
    return reached


def _best(reached: Mapping[float, Learned], knows: bool) -> float | None:
    """The factor of the rate that was good enough, None where none was.

    Where nobody knows how low the loss can get, it has to fall.
    """
    for factor, own in reached.items():
        if own.share >= ENOUGH:
            return factor
    fallen = [factor for factor, own in reached.items() if own.fell]
    if knows or not fallen:
        return None
    return min(fallen, key=lambda factor: reached[factor].last)


def _learned(probe: Program, update: Update, factor: float, batch: Any) -> Learned:
    """What up to `STEPS` updates on the same examples lead to."""
    model, optimizer = begun(probe, factor)
    losses: list[float] = []
    updates: list[None] = []
    hook = optimizer.register_step_post_hook(lambda *_: updates.append(None))
    for call in range(CALLS * STEPS):
        losses.append(update(model, optimizer, batch))
        if not math.isfinite(losses[-1]) or len(updates) >= STEPS:
            break
        if call % EVERY == EVERY - 1 and _share(probe, model, batch, losses) >= ENOUGH:
            break
    hook.remove()
    if not math.isfinite(losses[-1]):
        return Learned(0.0, 0.0, False, math.inf)
    share = _share(probe, model, batch, losses)
    return Learned(share, _gone(losses), _fell(losses), losses[-1])


def _share(
    probe: Program, model: nn.Module, batch: Any, losses: Sequence[float]
) -> float:
    """The share of labels that are right, or of the first loss that is gone."""
    gone = _gone(losses)
    with torch.no_grad():
        outputs = probe.outputs(model, batch)
    labels = labels_of(batch)
    scores = scores_of(outputs, batch)
    if scores is None or labels is None:
        return gone
    if labels.ndim > 1:  # what follows a sequence may not be certain
        return gone if gone < 0.5 else 1.0
    return max(gone, float((scores.argmax(-1) == labels).float().mean()))


def _gone(losses: Sequence[float]) -> float:
    return 1 - losses[-1] / losses[0] if losses[0] > 0 else 0.0


def _fell(losses: Sequence[float]) -> bool:
    """Whether the last losses are below the first beyond their noise."""
    if len(losses) < 4 * EDGE:
        return False
    fall = fmean(losses[:EDGE]) - fmean(losses[-EDGE:])
    error = stdev(losses[-2 * EDGE :]) * math.sqrt(2 / EDGE)
    size = max(map(abs, losses[:EDGE]))
    return fall > max(CERTAIN * error, LEAST_FALL * size)


def _knows_least(probe: Program, batch: Any) -> bool:
    """Whether the loss of perfect outputs is zero, so that it could be reached.

    It is for classes, and where outputs that equal the targets, or are sure of them, or
    equal the inputs, cost nothing. The likelihood of a density has no such end.
    """
    model, _ = probe.build()
    with torch.no_grad():
        outputs = probe.outputs(model, batch)
    if scores_of(outputs, batch) is not None:
        return True
    targets = batch[1] if are_targets(batch) else inputs_of(batch)
    if not isinstance(targets, Tensor) or not targets.is_floating_point():
        return False
    least = ZERO * abs(probe.value(model, batch))
    return any(
        loss is not None and abs(float(loss)) <= least
        for loss in (
            loss_at(probe, perfect, batch)
            for perfect in (targets, SURE * (2 * targets - 1))
        )
    )


def _held_back(own: Mapping[float, Learned], plain: Mapping[float, Learned]) -> Finding:
    """What plain updates learn and the program's step does not."""
    most, least = (max(one.gone for one in each.values()) for each in (plain, own))
    return Finding(
        "learning",
        "warning" if least < HALF * most else "notice",
        f"{FEW} examples cannot be learned by heart in {STEPS} updates of `step` "
        f"({least:.0%} of the loss is gone), and in plain ones they can ({most:.0%}).",
        "Look at what `step` does to the gradient and to the rate.",
        {"gone": least, "gone_by_plain_updates": most},
    )


def _unclear(learned: Learned) -> Finding:
    return Finding(
        "learning",
        "unknown",
        f"The loss of {FEW} examples falls to {learned.last:.3g}; whether they can be "
        "learned by heart cannot be said, as it is not known how low it can get.",
    )


def _not_learned(reached: Mapping[float, Learned]) -> Finding:
    best = max(own.share for own in reached.values())
    return Finding(
        "learning",
        "warning",
        f"{FEW} examples cannot be learned by heart in {STEPS} updates at any of "
        f"{len(reached)} rates: {best:.0%} of them at best.",
        "Look at the loss, the labels and what reaches the optimizer before tuning.",
        {"reached": {f"{factor:g}": own.share for factor, own in reached.items()}},
    )
