"""What a training with `fit` ends with: weights of its last epoch, or of its best."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from ..checkpoints import Checkpoints
from .ensembles import soup
from .finding import Finding
from .stopping import best_step

Weights = Mapping[str, torch.Tensor]


def epochs_for(
    result: str, losses: Sequence[float], kept: Collection[int]
) -> list[int]:
    """The epochs whose weights make the result; none means those at the end.

    `losses` are those of the epochs, from the first; `kept` are epochs with a
    checkpoint.

    >>> epochs_for("best", [0.9, 0.2, 0.8, 0.5, 0.4, 0.3, 0.3, 0.4], kept=[2, 6, 8])
    [6]
    >>> epochs_for("soup", [0.9, 0.5, 0.4], kept=[2, 3])
    [2, 3]
    """
    usable = [epoch for epoch in sorted(kept) if math.isfinite(losses[epoch - 1])]
    if result == "last" or not usable:
        return []
    if result == "soup":
        return usable
    return [best_step(range(1, len(losses) + 1), losses, kept=usable)]


def diverged(loss: float, epoch: int, update: int) -> Finding:
    """What is said of a loss that is not a number.

    >>> diverged(math.inf, epoch=1, update=3).level
    'warning'
    """
    return Finding(
        "divergence",
        "warning",
        f"The loss is {loss} at update {update} of epoch {epoch}: the training ended.",
        "Lower the learning rate, warm up or clip; in the first updates, look for "
        "inputs that are not numbers.",
        {"epoch": epoch, "update": update},
    )


def whole_epochs(checkpoints: Checkpoints, epochs: int) -> set[int]:
    """Those of the first `epochs` epochs that have a checkpoint which can be read.

    One that is damaged may be of an epoch that is to be trained again.
    """
    kept = {epoch for epoch in checkpoints.steps() if epoch <= epochs}
    return {epoch for epoch in kept if checkpoints.at(epoch) is not None}


def weights_at(
    checkpoints: Checkpoints, epochs: Sequence[int], device: torch.device
) -> dict[str, torch.Tensor]:
    """The mean of the weights that were measured at these epochs.

    Those are the averaged ones, if there was an average.
    """
    saved = [checkpoints.at(epoch) for epoch in epochs]
    paths = [own.path for own in saved if own is not None]
    return soup([_measured(path, device) for path in paths])


def _measured(path: Any, device: torch.device) -> Weights:
    state = torch.load(path, map_location=device, weights_only=True)
    weights: Weights = (state["average"] or {}).get("averages", state["model"])
    return weights
