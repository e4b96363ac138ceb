"""What gradients say about a network: vanishing, exploding, dead, moved too far."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal, TypeAlias

from .finding import Finding, Level

Kind: TypeAlias = Literal["matrix", "table", "vector"]

CHECK = "gradients"

# A gradient's norm over its weight's, between the layers of one network. At the start,
# those of networks that learn (MLP, convolutions, transformers, ten layers of tanh) lie
# within a factor of 3e-3; ten layers of ReLU as torch initializes them, which do not
# learn, have 5e-4, and ten of sigmoid 1e-9.
VANISHED = 1e-3
# The same number of one layer was at most 0.8 in those networks, 1e6 with weights of
# standard deviation 1; a loss that is summed over a batch of 64 multiplies it by 64.
EXPLODED = 100.0
# An update that moves a matrix by more than this part of itself: a hundred times the
# usual 1e-3.
LARGE_UPDATE = 0.1


@dataclass(frozen=True)
class LayerGradients:
    """One parameter as the looks saw it: medians, None where there was nothing to see.

    `gradient` and `weight` are norms, the gradient's nan where it never was finite;
    `update` is the norm of what an update changed
    over that of the weight. `optimized` says whether the optimizer moves it, and
    `precision` is the smallest relative change that its type can hold. Matrices are
    compared with each other; the rows of a table, an embedding's, get gradients now and
    then only, and vectors are biases and the gains of norms.

    >>> from danlu import training
    >>> training.LayerGradients("0.weight", gradient=0.1, weight=2.0).update is None
    True
    """

    name: str
    gradient: float | None
    weight: float
    update: float | None = None
    optimized: bool = True
    kind: Kind = "matrix"
    precision: float = 2.0**-23  # of 32 bits

    @property
    def ratio(self) -> float | None:
        """The gradient over the weight, where both are there."""
        if not (self.gradient and self.weight) or math.isnan(self.gradient):
            return None
        return self.gradient / self.weight


def judged_gradients(
    layers: Sequence[LayerGradients], norms: Sequence[float]
) -> tuple[Finding, ...]:
    """What is wrong with the gradients, one `ok` if nothing is.

    `layers` are in the model's order, from its inputs on; `norms` are those of all
    gradients together, one for each update.

    >>> from danlu import training
    >>> layers = [training.LayerGradients("0.weight", gradient=1e-9, weight=1.0),
    ...           training.LayerGradients("9.weight", gradient=1e-1, weight=1.0)]
    >>> [finding.evidence["layers"] for finding in judged_gradients(layers, [0.1])]
    [['0.weight']]
    """
    matrices = [layer for layer in layers if layer.kind == "matrix"]
    found = [
        *_left_out(layer.name for layer in layers if not layer.optimized),
        *_unreached(
            layer.name for layer in layers if layer.gradient is None and layer.optimized
        ),
        *_dead(layer.name for layer in layers if layer.gradient == 0),
        *_not_finite(norms),
        *_vanishing(layers),
        *_exploding(matrices),
        *_large_updates(matrices),
        *_lost_updates(matrices),
    ]
    fine = Finding(CHECK, "ok", f"The gradients of {len(layers)} tensors are in order.")
    return tuple(found) or (fine,)


def _left_out(names: Iterable[str]) -> list[Finding]:
    return _about(
        list(names),
        "warning",
        "The optimizer does not move {names}, though there is a gradient.",
        "Give the optimizer all parameters, or freeze these (requires_grad_(False)).",
    )


def _unreached(names: Iterable[str]) -> list[Finding]:
    return _about(
        list(names),
        "warning",
        "No gradient reaches {names}.",
        "Look for a detach, a no_grad, or a layer that forward does not use.",
    )


def _dead(names: Iterable[str]) -> list[Finding]:
    return _about(
        list(names),
        "warning",
        "The gradient of {names} is zero.",
        "The units after it do not react: lower the learning rate, or initialize anew.",
    )


def _not_finite(norms: Sequence[float]) -> list[Finding]:
    wrong = sum(not math.isfinite(norm) for norm in norms)
    if not wrong:
        return []
    return [
        Finding(
            CHECK,
            "warning",
            f"{wrong} of {len(norms)} updates had gradients that are not finite.",
            "Under fp16 a few at the start are normal; else lower the rate, warm up, "
            "or look for a log or a division of zero.",
            {"updates": wrong, "seen": len(norms)},
        )
    ]


def _vanishing(layers: Sequence[LayerGradients]) -> list[Finding]:
    """The layers at the front that gradients hardly reach.

    What vanishes on the way back is gone for all that is nearer to the inputs (Glorot
    and Bengio, 2010, section 4.2.2). A layer with little gradient behind one with much
    is on a branch that begins nearly closed, as queries and keys do (the gradient of
    one is proportional to the other), or what is before a zeroed layer.
    """
    ratios = _ratios(layer for layer in layers if layer.kind != "vector")
    of_matrices = [layer.name for layer in layers if layer.kind == "matrix"]
    largest = max((ratios[name] for name in of_matrices if name in ratios), default=0.0)
    # The largest is the last layer's, wherever in the model that stands.
    others = (name for name in ratios if ratios[name] != largest)
    front = takewhile(lambda name: ratios[name] < VANISHED * largest, others)
    names = [name for name in front if name in of_matrices]
    return _about(
        names,
        "warning",
        "Gradients vanish: relative to the weights, those of {names} are down to "
        "{share:.0e} of the largest.",
        "Use residual branches, a norm layer, or an initialization that keeps the "
        "scale.",
        share=min((ratios[name] / largest for name in names), default=0.0),
    )


def _exploding(layers: Sequence[LayerGradients]) -> list[Finding]:
    ratios = _ratios(layers)
    return _about(
        [name for name, ratio in ratios.items() if ratio > EXPLODED],
        "warning",
        "Gradients explode: those of {names} are up to {ratio:.1g} times the weights.",
        "Initialize smaller, clip, and check that the loss is a mean.",
        ratio=max(ratios.values(), default=0.0),
    )


def _large_updates(layers: Sequence[LayerGradients]) -> list[Finding]:
    updates = {layer.name: layer.update for layer in layers if layer.update is not None}
    return _about(
        [name for name, update in updates.items() if update > LARGE_UPDATE],
        "notice",
        "An update changes {names} by up to {update:.2g} of its size.",
        "About a thousandth is usual: lower the learning rate, or warm up.",
        update=max(updates.values(), default=0.0),
    )


def _lost_updates(layers: Sequence[LayerGradients]) -> list[Finding]:
    lost = [
        layer
        for layer in layers
        if layer.update is not None and layer.gradient and layer.optimized
        if layer.update < layer.precision
    ]
    return _about(
        [layer.name for layer in lost],
        "warning",
        "Updates of {names} are below the precision of the weights.",
        "They are rounded away: raise the learning rate, or keep the weights in 32 "
        "bits.",
        update=min((layer.update for layer in lost if layer.update), default=0.0),
    )


def _ratios(layers: Iterable[LayerGradients]) -> dict[str, float]:
    return {layer.name: layer.ratio for layer in layers if layer.ratio is not None}


def _about(
    names: list[str], level: Level, message: str, advice: str, **numbers: Any
) -> list[Finding]:
    """A finding about the layers, if there are any."""
    if not names:
        return []
    shown = message.format(names=_listed(names), **numbers)
    return [Finding(CHECK, level, shown, advice, {"layers": names, **numbers})]


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
