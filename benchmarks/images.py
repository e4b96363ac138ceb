"""Images, and the two trainings of a small network on them that are compared.

Both write down every step that was really trained, whoever asked for it, in the order
of the steps' ends: one JSON line each in `steps.jsonl` beside the study's folder.
"""

from __future__ import annotations

import json
import math
import os
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from danlu.client import LiveTrial

IMAGES, STEPS = "images.pt", "steps.jsonl"
PARTS = ("train", "val", "test")
BATCH = 64  # of `tuned`
# `noisy`: with two images a batch and a high momentum the gradient is noisy to the end,
# so that a constant lr has a floor: the best one ends with a validation loss of 0.507
# on Fashion-MNIST, a cosine from there to 0 with 0.469.
NOISY_BATCH, MOMENTUM = 2, 0.9
BATCHES = 250  # in a step of `noisy`
HIDDEN = 32

Own = tuple[Tensor, Tensor]  # images (n, pixels) in [0, 1], and labels (n,)


def prepare(data: Path | None, folder: Path) -> None:
    """Writes the images where the trials of a run find them.

    scikit-learn's digits; with `data` the file fashion_mnist/fashion_mnist_20k.npz in
    that folder: uint8 x_train (10000, 28, 28), y_train, and so on for val and test.
    """
    parts = _digits() if data is None else _fashion(data)
    torch.save(parts, folder / IMAGES)


def tuned(trial: LiveTrial) -> None:
    """A step is an epoch of SGD with Nesterov momentum, by all of a trial's params."""
    parts = _images(trial)
    params: dict[str, Any] = dict(trial.params)
    images, labels = parts["train"]
    network = _network(images.shape[1], params["width"], params["dropout"])
    optimizer = torch.optim.SGD(
        network.parameters(),
        params["lr"],
        momentum=1 - params["one_minus_momentum"],
        weight_decay=params["weight_decay"],
        nesterov=True,
    )
    first = _restored(trial, network, optimizer) + 1
    for epoch in range(first, (trial.budget or 0) + 1):
        network.train()
        for batch in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            logits = network(images[batch])
            smoothing = params["label_smoothing"]
            cross_entropy(logits, labels[batch], label_smoothing=smoothing).backward()
            optimizer.step()
        if not _ended(trial, epoch, network, optimizer, parts):
            return


def noisy(trial: LiveTrial) -> None:
    """A step is `BATCHES` tiny batches of SGD by the trial's lr, times its decay."""
    parts = _images(trial)
    images, labels = parts["train"]
    network = _network(images.shape[1], HIDDEN, 0.0)
    optimizer = torch.optim.SGD(network.parameters(), momentum=MOMENTUM)
    first = _restored(trial, network, optimizer) + 1
    for step in range(first, (trial.budget or 0) + 1):
        optimizer.param_groups[0]["lr"] = _lr(trial, step)
        for batch in torch.randint(len(images), (BATCHES, NOISY_BATCH)):
            optimizer.zero_grad()
            cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
        if not _ended(trial, step, network, optimizer, parts):
            return


def _lr(trial: LiveTrial, step: int) -> float:
    """The lr of a step: as it is, or on a cosine from there to 0 at the end."""
    params: dict[str, Any] = dict(trial.params)
    lr = float(params["lr"])
    if params["decay"] == "none":
        return lr
    done = (step - 1) / int(params["length"])
    return lr * (1 + math.cos(math.pi * done)) / 2


def _ended(
    trial: LiveTrial,
    step: int,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    parts: dict[str, Own],
) -> bool:
    """Whether a trial goes on after a step, which is written down and reported.

    The checkpoint is saved where the budget ends: whoever goes on does so from there.
    """
    if step == trial.budget:
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        trial.checkpoints.save(step, partial(torch.save, state))
    measured = {
        f"{part}_{name}": value
        for part in ("val", "test")
        for name, value in _measured(network, *parts[part]).items()
    }
    _write_down(trial, {"trial": trial.number, "step": step, **measured})
    return trial.report(step, **measured)


def _write_down(trial: LiveTrial, line: dict[str, Any]) -> None:
    descriptor = os.open(
        trial.folder.parents[1] / STEPS, os.O_WRONLY | os.O_APPEND | os.O_CREAT
    )
    os.write(descriptor, (json.dumps(line) + "\n").encode())
    os.close(descriptor)


def _measured(network: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    network.eval()
    with torch.no_grad():
        logits = network(images)
        loss = cross_entropy(logits, labels).item()
        error = (logits.argmax(1) != labels).float().mean().item()
    network.train()
    return {"loss": loss, "error": error}


def _images(trial: LiveTrial) -> dict[str, Own]:
    torch.set_num_threads(1)
    torch.manual_seed(trial.seed)
    path = trial.folder.parents[1] / IMAGES
    parts: dict[str, Own] = torch.load(path, mmap=True, weights_only=True)
    return parts


def _network(pixels: int, width: int, dropout: float) -> nn.Module:
    return nn.Sequential(
        nn.Linear(pixels, width),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(width, 10),
    )


def _restored(
    trial: LiveTrial, network: nn.Module, optimizer: torch.optim.Optimizer
) -> int:
    """The steps that the checkpoint holds, 0 without one."""
    saved = trial.checkpoints.latest()
    if saved is None:
        return 0
    torch.manual_seed(trial.seed + saved.step)  # not the batches of the first steps
    state = torch.load(saved.path, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return saved.step


def _digits() -> dict[str, Own]:
    """297 images to train on, or it is too easy; 750 to validate, 750 to test."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = torch.randperm(len(digits.data), generator=torch.Generator().manual_seed(0))
    images = torch.as_tensor(digits.data / 16.0, dtype=torch.float32)
    labels = torch.as_tensor(digits.target, dtype=torch.int64)
    places = order.split([297, 750, 750])
    return {
        part: (images[own], labels[own])
        for part, own in zip(PARTS, places, strict=True)
    }


def _fashion(data: Path) -> dict[str, Own]:
    import numpy as np

    found = np.load(data / "fashion_mnist" / "fashion_mnist_20k.npz")
    return {part: _own(found[f"x_{part}"], found[f"y_{part}"]) for part in PARTS}


def _own(images: Any, labels: Any) -> Own:
    pixels = torch.as_tensor(images.reshape(len(images), -1), dtype=torch.float32) / 255
    return pixels, torch.as_tensor(labels, dtype=torch.int64)
