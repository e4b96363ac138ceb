"""What is wrong with the examples: values, scales, validation against training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .accumulation import examples
from .examples import batch_of, size_of, tensors_in
from .finding import Finding
from .preflight_batches import inputs_of, labels_of, sample, scale_of
from .program import Program, seeded

MOST = 20_000  # examples that are looked at: seconds, with tensors
LOOKED = 256
# Initializations assume inputs of unit variance (He et al., 2015, section 2.2). Pixels
# in 0..1 have a root mean square of about 0.3, unscaled ones of 50 to 130.
LARGE, SMALL = 10.0, 0.01
SCALED = (
    3.0  # between training and validation: samples of one source differ by percents
)
# Near duplicates occur in real data, such as 3 % of CIFAR-10's test images
# (Barz & Denzler, 2020, "Do we train on test data?").
SHARED = 0.05


def about_inputs(probe: Program) -> Iterator[Finding]:
    """Values that are no numbers, and inputs far from unit scale."""
    batch = sample(probe, probe.train, MOST)
    bad = torch.zeros(examples(batch), dtype=torch.bool)
    for part in _floats(batch):
        bad |= ~part.isfinite().flatten(1).all(1).cpu()
    if bad.any():
        count, of = int(bad.sum()), len(bad)
        yield Finding(
            "inputs",
            "warning",
            f"{count} of {of} examples have a nan or an infinite value in them.",
            "Repair or leave out these examples.",
            {"not_finite": count, "first": int(bad.nonzero()[0])},
        )
        return
    scale = scale_of(inputs_of(batch))
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
    if any(a.shape != b.shape or not torch.equal(a, b) for a, b in pairs):
        yield Finding(
            "validation",
            "warning",
            "Reading a validation example twice gives two different examples.",
            "Leave augmentation out of the validation set.",
        )


def _shared(probe: Program) -> Iterator[Finding]:
    own = _keys(probe, probe.val)
    theirs = set(_keys(probe, probe.train))
    count = sum(key in theirs for key in own)
    if not count:
        return
    share = count / len(own)
    yield Finding(
        "validation",
        "warning" if share > SHARED else "notice",
        f"{count} of {len(own)} validation examples ({share:.0%}) have the inputs of a "
        "training example.",
        "Split before anything is copied or augmented, and remove duplicates.",
        {"shared": count, "of": len(own)},
    )


def _keys(probe: Program, source: Any) -> list[bytes]:
    inputs = inputs_of(sample(probe, source, MOST))
    parts = [part.detach().cpu().numpy() for part in tensors_in(inputs)]
    return [
        b"".join(row.tobytes() for row in rows) for rows in zip(*parts, strict=True)
    ]


def _scaled(probe: Program) -> Iterator[Finding]:
    train = scale_of(inputs_of(sample(probe, probe.train, LOOKED)))
    val = scale_of(inputs_of(sample(probe, probe.val, LOOKED)))
    if not train or not val or 1 / SCALED < val / train < SCALED:
        return
    yield Finding(
        "validation",
        "warning",
        f"Validation inputs are {val / train:.3g} times the size of training inputs.",
        "Prepare both in the same way.",
        {"train": train, "val": val},
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
    """Whether outputs are the same for inputs of unit scale: a norm stands first."""
    batch = sample(probe, probe.train, LOOKED)
    model, _ = probe.build()
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


def _floats(batch: Any) -> list[Tensor]:
    own = [part for part in tensors_in(batch) if part.is_floating_point()]
    return [part[:, None] if part.ndim == 1 else part for part in own]
