"""Whether what was learned holds for other examples, by exchanging their labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from .examples import batch_of, part_of, size_of
from .finding import Finding
from .preflight_batches import are_targets, labels_of, targets_of, with_targets
from .program import Program

HELD = 600  # held-out examples, at most
FIRST = 100  # pairs that are looked at first; more where they leave it open
# Standard errors: of programs whose labels mean nothing, one of 700 gets as far as
# CERTAIN by chance at a look, one of 20 as far as DOUBT.
CERTAIN, DOUBT = 3.0, 1.65
LEAST = math.ceil(CERTAIN**2)  # pairs, of which all would be that certain


def about_held_out(probe: Program, model: nn.Module, steps: int) -> Iterator[Finding]:
    """Two held-out inputs have to fit their own labels better than each other's.

    By the signs of the differences: the losses of networks that are sure of themselves
    have tails too heavy for a mean. Both losses together do not tell which labels are
    frequent, so that a model that knows no more than that gains nothing.
    """
    if probe.val is None:
        says = "No `val` was given, so that nothing can be said of other examples."
        yield Finding("learning", "unknown", says, "Give the probe `val`.")
        return
    found = None if probe.coupled else _fits(probe, model)
    if found is None:
        says = "Whether it learns what holds elsewhere could not be seen: a batch's "
        says += "labels are not known, or its loss compares examples."
        yield Finding("learning", "unknown", says)
        return
    better, count = found
    if count < LEAST:
        says = f"{count} pairs of validation examples with different labels are too few"
        yield Finding("learning", "unknown", f"{says} to say whether it learns.")
        return
    score = (better - count / 2) / math.sqrt(count / 4)
    if score < CERTAIN:
        yield _no_better(steps, better, count, score)


def _no_better(steps: int, better: int, count: int, score: float) -> Finding:
    is_chance = score < DOUBT
    return Finding(
        "learning",
        "warning" if is_chance else "notice",
        f"After {steps} updates, the inputs of {better} of {count} pairs of validation "
        "examples fit their own labels better than each other's: "
        f"{'no' if is_chance else 'hardly'} more than by chance.",
        "Are labels in the order of their inputs, in training and validation?",
        {"better": better, "of": count, "standard_errors": score},
    )


def _fits(probe: Program, model: nn.Module) -> tuple[int, int] | None:
    """In how many pairs inputs fit their own labels better, and of how many."""
    batch = batch_of(probe.val, _order(probe), probe.device)
    targets = targets_of(batch)
    if targets is None or (isinstance(batch, tuple) and len(batch) != 2):
        return None
    mode = model.training
    model.eval()
    better = count = 0
    for looked, pair in enumerate(_pairs(batch, targets)):
        if looked == FIRST and better - count / 2 > CERTAIN * math.sqrt(count / 4):
            break
        gain = _gain(probe, model, part_of(batch, pair))
        better, count = better + (gain > 0), count + (gain != 0)
    model.train(mode)
    return better, count


def _gain(probe: Program, model: nn.Module, pair: Any) -> float:
    """What two examples lose when their labels change places."""
    targets = targets_of(pair)
    assert targets is not None
    turned = with_targets(pair, targets.flip(0))
    gain = probe.value(model, turned) - probe.value(model, pair)
    return gain if math.isfinite(gain) else 0.0


def _pairs(batch: Any, targets: Tensor) -> Iterator[list[int]]:
    """Pairs of examples with different labels, each example in one at most."""
    places: Sequence[int] = range(len(targets))
    labels = labels_of(batch)
    if labels is not None and labels.ndim == 1:
        classes = [(labels == own).nonzero()[:, 0].tolist() for own in labels.unique()]
        turns = chain.from_iterable(zip_longest(*classes))
        places = [place for place in turns if place is not None]
        pairs = zip(places[::2], places[1::2], strict=False)
    else:
        if are_targets(batch) and targets[0].numel() == 1:
            places = targets.flatten().argsort().tolist()
        half = len(places) // 2
        pairs = zip(places[:half], places[half:], strict=False)
    for one, other in pairs:
        if not torch.equal(targets[one], targets[other]):
            yield [one, other]


def _order(probe: Program) -> list[int]:
    draw = torch.Generator().manual_seed(probe.seed)
    order = torch.randperm(size_of(probe.val), generator=draw)
    places: list[int] = order[:HELD].tolist()
    return places
