from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from danlu import client, training
from danlu.training.fit_setup import prepared
from tests.training.short_fits import PLAIN, Silent

INPUTS = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
LABELS = (INPUTS[:, 0] > 0).long()
BOTH = INPUTS, LABELS


def fitted(
    folder: Path,
    *,
    train: Any = BOTH,
    val: Any = BOTH,
    model: nn.Module | None = None,
    **params: Any,
) -> training.Fitted:
    trial = client.LiveTrial({**PLAIN, "epochs": 1, **params}, Silent())
    trial.folder = folder
    return training.fit(trial, lambda _: model or nn.Linear(4, 2), train=train, val=val)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"train": (INPUTS.numpy(), LABELS.numpy())}, "train as tensors.*ndarray"),
        ({"train": (INPUTS, LABELS.float())}, "train as classes.*torch.float32"),
        ({"train": (INPUTS[:1], LABELS[:1])}, "at least 2, got 1 inputs"),
        ({"val": (INPUTS[:0], LABELS[:0])}, "val, and at least 1, got 0 inputs"),
        ({"val": (INPUTS, LABELS[:5])}, "32 inputs and 5 labels"),
        ({"val": (INPUTS, LABELS + 1)}, "2 classes, 0 to 1.*from 0 to 2"),
        ({"model": nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))}, r"got \(2,\)"),
        ({"model": nn.Flatten()}, "with parameters to train, and this Flatten has"),
        ({"flip": True}, r"flipped needs images.*got \(16, 4\)"),
        ({"shift": 1}, r"shifted needs images.*got \(16, 4\)"),
        ({"erase": 1}, r"erased needs images.*got \(16, 4\)"),
    ],
)
def test_examples_that_cannot_be_learned_are_an_error_that_says_why(
    given: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=says):
        fitted(tmp_path, **given)


def test_the_layers_of_a_compiled_model_are_those_inside(tmp_path: Path) -> None:
    inside = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    before = inside[0].weight.detach().clone()

    fitted(tmp_path, model=torch.compile(inside, backend="eager"), frozen_layers=1)

    assert torch.equal(before, inside[0].weight)


def test_an_initialization_leaves_frozen_layers_as_they_are(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    before = [layer.weight.detach().clone() for layer in (model[0], model[2])]
    settings = training.FitSettings(
        epochs=1, lr=0.1, frozen_layers=1, initialization="he"
    )

    prepared(model, settings)

    assert [True, False] == [
        torch.equal(old, layer.weight)
        for old, layer in zip(before, (model[0], model[2]), strict=True)
    ]
