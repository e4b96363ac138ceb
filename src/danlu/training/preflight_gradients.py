"""Where the gradient goes, and what the loss is before anything is learned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .activations import check_activations
from .finding import Finding, Level
from .preflight_batches import is_about_labels, labels_of, sample, scores_of
from .preflight_optimizer import listed
from .program import Program, seeded

BATCHES = 4  # zeroed residual branches pass a gradient after their first update
MOST_BATCHES = 64  # where one was not reached: experts that few examples are sent to
MOST = 20_000  # examples whose labels are looked at
# Examples for each class on average: with fewer, one may be missing by chance.
EACH = 20
DEAD = 0.5  # share of a layer's units
# A network that knows nothing gives each class a like chance, loss log(classes). What
# healthy ones of the tests had at the start lay between 0.97 and 1.2 of it.
HIGH, LOW = 2.0, 0.5
WEIGHTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def about_start(probe: Program) -> Iterator[Finding]:
    """The loss at the start against that of knowing nothing; signals that fade."""
    model, _ = probe.build()
    batch = sample(probe, probe.train, probe.batch_size)
    with seeded(probe.seed):
        loss = probe.value(model, batch)
    with seeded(probe.seed), torch.no_grad():
        outputs = probe.outputs(model, batch)
    if not math.isfinite(loss):
        yield Finding("start", "warning", f"The loss at the start is {loss}.")
        return
    scores = scores_of(outputs, batch)
    if scores is not None and is_about_labels(probe, model, batch):
        yield from _against_chance(loss, scores, batch)
        yield from _never_seen(probe, scores.shape[-1])
    for finding in check_activations(
        model, batch, forward=lambda own: probe.outputs(model, own)
    ):
        if finding.level != "ok":
            yield Finding("start", *_rest(finding))


def _against_chance(loss: float, scores: Tensor, batch: Any) -> Iterator[Finding]:
    """Cross entropies only; what another loss begins with is its own affair."""
    classes = scores.shape[-1]
    chance = math.log(classes)
    if LOW * chance < loss < HIGH * chance:
        return
    entropy, linear = _entropies(scores, batch)
    level: Level = "notice"
    if loss < 0:
        level = "warning" if _like(loss, -entropy) or _like(loss, linear) else level
        advice = "Cross entropy is never negative: its sign is wrong, or log_softmax "
        advice += "is missing."
    elif loss < chance:
        level = "warning" if _like(loss, linear) else level
        advice = (
            "The loss is no cross entropy of these labels, or the model knows them."
        )
    else:
        level = "warning" if _like(loss, entropy) else level
        advice = "Make the first outputs small: initialization, scale of the inputs, "
        advice += "or the mean instead of the sum."
    yield Finding(
        "start",
        level,
        f"The loss at the start is {loss:.3g}; knowing nothing of {classes} classes "
        f"costs {chance:.3g}.",
        advice,
        {"loss": loss, "chance": chance},
    )


def _entropies(scores: Tensor, batch: Any) -> tuple[float, float]:
    """The cross entropy of the scores, and as if they were log probabilities."""
    labels = labels_of(batch)
    assert labels is not None
    rows, classes = scores.flatten(0, -2).float(), labels.flatten()
    entropy = functional.cross_entropy(rows, classes)
    return float(entropy), float(functional.nll_loss(rows, classes))


def _like(loss: float, other: float) -> bool:
    return abs(loss - other) <= 1e-3 * max(abs(loss), 1e-3)


def _never_seen(probe: Program, classes: int) -> Iterator[Finding]:
    """Classes without a training example, where there are many of these."""
    labels = labels_of(sample(probe, probe.train, MOST))
    if labels is None or labels.ndim != 1 or len(labels) < EACH * classes:
        return
    never = sorted(set(range(classes)) - set(labels.unique().tolist()))
    if never:
        says = f"{len(never)} of {classes} classes occur in no training example: "
        yield Finding(
            "start",
            "warning" if len(never) == classes - 1 else "notice",
            f"{says}{listed([str(own) for own in never])}.",
            "Are the labels numbered from 0?",
            {"never": never[:50]},
        )


def about_gradients(probe: Program) -> Iterator[Finding]:
    """Parameters and units that no gradient reaches, and weights outside the model."""
    model, optimizer = probe.build()
    yield from _all_alike(model)
    seen = {name: torch.zeros_like(own) for name, own in model.named_parameters()}
    trained = {name for name, own in model.named_parameters() if own.requires_grad}
    outside: list[list[Tensor]] = []
    without = sorted(trained)
    for count, batch in enumerate(islice(probe.batches(), MOST_BATCHES)):
        if count >= BATCHES and not without:
            break
        model.zero_grad()
        loss = probe.loss(model, batch)
        if not loss.requires_grad:
            yield Finding("gradients", "warning", "The loss has no gradient at all.")
            return
        if count < BATCHES:
            outside.append(_outside(loss, model))
        loss.backward()
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                seen[name] += parameter.grad.abs()
        optimizer.step()
        without = [own for own in seen if own in trained and not bool(seen[own].any())]
    yield from _hidden(outside)
    if without:
        yield Finding(
            "gradients",
            "notice" if _are_needless(model, without) else "warning",
            f"No gradient reaches {listed(without)}.",
            "Look for detach(), no_grad, a branch that is never used, or weights that "
            "are all alike.",
            {"without": without[:50], "count": len(without)},
        )
    yield from _dead(model, seen, trained - set(without))


def _are_needless(model: nn.Module, names: Sequence[str]) -> bool:
    """Whether they are biases that cancel out, beside weights that are trained."""
    shapes = {name: own.ndim for name, own in model.named_parameters()}
    weights = {name.rpartition(".")[0] for name in names if shapes[name] > 1}
    return all(
        shapes[name] == 1
        and name.endswith("bias")
        and name.rpartition(".")[0] not in weights
        for name in names
    )


def _all_alike(model: nn.Module) -> Iterator[Finding]:
    """Units that begin alike stay alike, as they get the same gradient."""
    names = [
        name
        for name, inner in model.named_modules()
        if isinstance(inner, WEIGHTS)
        and len(inner.weight) > 1
        and bool(inner.weight.any())
        and torch.equal(inner.weight[1:], inner.weight[:1].expand_as(inner.weight[1:]))
    ]
    if names:
        yield Finding(
            "gradients",
            "warning",
            f"All units of {listed(names)} have the same weights at the start.",
            "Draw them at random: units that begin alike stay alike.",
            {"alike": names[:50]},
        )


def _hidden(outside: Sequence[Sequence[Tensor]]) -> Iterator[Finding]:
    """Of what losses of batches depend on, the same tensors each time.

    A loss may ask for slopes along its inputs, which are others in each batch.
    """
    first, second, *_ = outside
    count = sum(any(own is other for other in second) for own in first)
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


def _outside(loss: Tensor, model: nn.Module) -> list[Tensor]:
    """The leaves of the loss's graph that are no parameters of the model."""
    own = {id(parameter) for parameter in model.parameters()}
    leaves: list[Tensor] = []
    done: set[Any] = set()
    ahead = [loss.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in done:
            continue
        done.add(node)
        if hasattr(node, "variable"):
            leaves.append(node.variable)
        ahead += [following for following, _ in node.next_functions]
    return [leaf for leaf in leaves if id(leaf) not in own]


def _rest(finding: Finding) -> tuple[Any, ...]:
    return finding.level, finding.message, finding.advice, finding.evidence
