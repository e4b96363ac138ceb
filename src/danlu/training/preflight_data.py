"""What is wrong with the examples: values, scales, validation against training."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .accumulation import examples
from .examples import batch_of, part_of, size_of, tensors_in
from .finding import Finding, Level
from .initialization import LAYERS
from .preflight_batches import inputs_of, labels_of, sample, scale_of
from .program import Program, seeded

MOST = 20_000  # examples that are looked at: seconds, with tensors
LOOKED = 256
FEW = 32  # numbers of an example, below which others may have the same by chance
# Initializations assume inputs of unit variance (He et al., 2015, section 2.2). Pixels
# in 0..1 have a root mean square of about 0.3, unscaled ones of 50 to 130.
LARGE, SMALL = 10.0, 0.01
# Between training and validation: samples of one source differ by percents.
SCALED, MOVED = 3.0, 0.5
# Near duplicates occur in real data, such as 3 % of CIFAR-10's test images
# (Barz & Denzler, 2020, "Do we train on test data?").
SHARED = 0.05


def about_inputs(probe: Program) -> Iterator[Finding]:
    """Values that are no numbers, and inputs far from unit scale."""
    yield from _overwritten(probe)
    batch = sample(probe, probe.train, MOST)
    bad = torch.zeros(examples(batch), dtype=torch.bool)
    for part in _floats(batch):
        bad |= ~part.isfinite().flatten(1).all(1).cpu()
    if bad.any():
        finding = _not_finite(probe, batch, bad)
        yield finding
        if finding.level == "warning":
            return
    inputs = inputs_of(batch)
    scale = scale_of(inputs)
    if scale is not None and 0 < scale <= SMALL:
        scale = scale_of(inputs[inputs != 0])  # most words are in few documents
    if scale is None or SMALL < scale < LARGE or _normalizes(probe, scale):
        return
    yield Finding(
        "inputs",
        "warning",
        f"The inputs have a root mean square of {scale:.3g}, and the model does not "
        "normalize them.",
        "Subtract the mean and divide by the standard deviation of the training set.",
        {"scale": scale},
    )


def _not_finite(probe: Program, batch: Any, bad: Tensor) -> Finding:
    """A fault, unless the loss is finite: there nan says that a value is missing."""
    model, _ = probe.build()
    model.eval()
    own = part_of(batch, bad.nonzero()[:LOOKED, 0])
    level: Level = "notice" if math.isfinite(probe.value(model, own)) else "warning"
    count = int(bad.sum())
    return Finding(
        "inputs",
        level,
        f"{count} of {len(bad)} examples have a nan or an infinite value in them.",
        "Repair or leave out these examples.",
        {"not_finite": count, "first": int(bad.nonzero()[0])},
    )


def about_validation(probe: Program) -> Iterator[Finding]:
    """Validation examples that change, that are trained on, or come from elsewhere."""
    if probe.val is None:
        says = "No validation examples were given."
        yield Finding("validation", "unknown", says, "Give the probe `val`.")
        return
    yield from _changing(probe)
    yield from _shared(probe)
    yield from _scaled(probe)
    yield from _unseen(probe)


def _changing(probe: Program) -> Iterator[Finding]:
    places = list(range(min(32, size_of(probe.val))))
    with seeded(1):
        first = batch_of(probe.val, places)
    with seeded(2):
        second = batch_of(probe.val, places)
    pairs = zip(tensors_in(first), tensors_in(second), strict=True)
    if not all(_are_same(one, other) for one, other in pairs):
        yield Finding(
            "validation",
            "warning",
            "Reading a validation example twice gives two different examples.",
            "Leave augmentation out of the validation set.",
        )


def _are_same(one: Tensor, other: Tensor) -> bool:
    """Where nan is nan."""
    return one.shape == other.shape and bool(
        ((one == other) | (one.isnan() & other.isnan())).all()
        if one.is_floating_point()
        else torch.equal(one, other)
    )


def _overwritten(probe: Program) -> Iterator[Finding]:
    """Reading a training example may change it at random, but not what is stored."""
    if isinstance(probe.train, tuple):
        return
    first = tensors_in(probe.train[0])
    kept = [own.clone() for own in first]
    probe.train[0]
    if not all(map(_are_same, first, kept)):
        yield Finding(
            "inputs",
            "warning",
            "Reading a training example again changes what was read before: the stored "
            "data is overwritten, more with each epoch.",
            "Change a copy, not the tensor in place.",
        )


def _shared(probe: Program) -> Iterator[Finding]:
    own, theirs = _keys(probe, probe.val), Counter(_keys(probe, probe.train))
    count = sum(key in theirs for key in own)
    if not count:
        return
    share = count / len(own)
    chance = _repeated(theirs) if _is_discrete(probe) else 0.0
    yield Finding(
        "validation",
        "warning" if share - chance > SHARED else "notice",
        f"{count} of {len(own)} validation examples ({share:.0%}) have the inputs of a "
        "training example.",
        "Split before anything is copied or augmented, and remove duplicates.",
        {"shared": count, "of": len(own)},
    )


def _repeated(counts: Counter[bytes]) -> float:
    """The share of examples whose inputs another one has, too."""
    repeated = sum(count for count in counts.values() if count > 1)
    return repeated / max(counts.total(), 1)


def _is_discrete(probe: Program) -> bool:
    """Whether inputs are a few whole numbers, so that examples meet by chance."""
    parts = _inputs(sample(probe, probe.train, LOOKED))
    return all(
        part[0].numel() <= FEW and torch.equal(part, part.float().round().to(part))
        for part in parts
    )


def _inputs(batch: Any) -> list[Tensor]:
    """All that is no target: two inputs may come before it, a user and an item."""
    is_row = isinstance(batch, tuple | list) and len(batch) > 2
    return tensors_in(batch[:-1] if is_row else inputs_of(batch))


def _keys(probe: Program, source: Any) -> list[bytes]:
    inputs = _inputs(sample(probe, source, MOST))
    parts = [part.detach().cpu().numpy() for part in inputs]
    return [
        b"".join(row.tobytes() for row in rows) for rows in zip(*parts, strict=True)
    ]


def _scaled(probe: Program) -> Iterator[Finding]:
    own, other = (
        inputs_of(sample(probe, source, LOOKED)) for source in (probe.train, probe.val)
    )
    train, val = scale_of(own), scale_of(other)
    if not train or not val:
        return
    moved = float((other.float().nanmean() - own.float().nanmean()) / own.float().std())
    says = None
    if not 1 / SCALED < val / train < SCALED:
        says = f"Validation inputs are {val / train:.3g} times the size of training"
    elif abs(moved) > MOVED:
        says = f"The mean of validation inputs is {moved:+.2g} deviations from training"
    if says is not None:
        yield Finding(
            "validation",
            "warning",
            f"{says} inputs.",
            "Prepare both in the same way.",
            {"train": train, "val": val, "deviations": moved},
        )


def _unseen(probe: Program) -> Iterator[Finding]:
    train = labels_of(sample(probe, probe.train, MOST))
    val = labels_of(sample(probe, probe.val, MOST))
    if train is None or val is None:
        return
    unseen = sorted(set(val.unique().tolist()) - set(train.unique().tolist()))
    if not unseen:
        return
    share = float(torch.isin(val, torch.tensor(unseen)).float().mean())
    yield Finding(
        "validation",
        "warning" if share > SHARED else "notice",
        f"{len(unseen)} classes of the validation set are never trained on "
        f"({share:.0%} of its labels).",
        "Split at random, or stratified by class.",
        {"classes": unseen[:20], "share": share},
    )


def _normalizes(probe: Program, scale: float) -> bool:
    """Whether weights get inputs of unit scale, or a norm takes the scale away."""
    batch = sample(probe, probe.train, LOOKED)
    model, _ = probe.build()
    seen = _first_scale(probe, model, batch)
    if seen is not None and SMALL < seen < LARGE:
        return True
    for inner in model.modules():
        if isinstance(inner, nn.Dropout):
            inner.eval()
    unit = (batch[0] / scale, *batch[1:])
    with torch.no_grad(), seeded(0):
        first = probe.outputs(model, batch)
    with torch.no_grad(), seeded(0):
        second = probe.outputs(model, unit)
    gap = float((first - second).abs().mean())
    return gap < 0.1 * float(second.std() + 1e-12)


def _first_scale(probe: Program, model: nn.Module, batch: Any) -> float | None:
    """That of what the first layer with weights gets."""
    scales: list[float | None] = []

    def entered(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        scales.append(scale_of(inputs[0]) if inputs else None)

    layers = [inner for inner in model.modules() if isinstance(inner, LAYERS)]
    hooks = [layer.register_forward_pre_hook(entered) for layer in layers]
    with torch.no_grad():
        probe.outputs(model, batch)
    for hook in hooks:
        hook.remove()
    return scales[0] if scales else None


def _floats(batch: Any) -> list[Tensor]:
    own = [part for part in tensors_in(batch) if part.is_floating_point()]
    return [part[:, None] if part.ndim == 1 else part for part in own]
