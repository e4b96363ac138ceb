"""What the check says of programs unlike those it was made with, healthy and not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from danlu.training import Probe

from .healthy_kinds import (
    HEALTHY,
    TRAIN,
    adam,
    classes,
    entropy,
    network,
    probe_of,
    rows,
    squares,
)


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_wrong_with_a_healthy_program(name: str) -> None:
    found = HEALTHY[name]().check()

    assert [] == [own for own in found if own.level == "warning"]


def of_classes(**changes: Any) -> Probe:
    return replace(probe_of(classes(), lambda: network(20, 4), entropy), **changes)


def ones(params: Mapping[str, Any]) -> nn.Module:
    model = network(20, 1)
    for own in model.parameters():
        nn.init.constant_(own, 0.1)
    return model


def clipped_to_nothing(model: nn.Module, optimizer: Optimizer, batch: Any) -> None:
    optimizer.zero_grad()
    entropy(model, batch).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1e-6)
    optimizer.step()


def ever_slower(model: nn.Module, optimizer: Optimizer, batch: Any) -> None:
    for group in optimizer.param_groups:
        group["lr"] *= 0.3
    optimizer.zero_grad()
    entropy(model, batch).backward()
    optimizer.step()


def first_batch_again() -> Callable[..., None]:
    kept: list[Any] = []

    def step(model: nn.Module, optimizer: Optimizer, batch: Any) -> None:
        kept.append(batch)
        optimizer.zero_grad()
        entropy(model, kept[0]).backward()
        optimizer.step()

    return step


class Overwriting:
    """Noise is added to what is stored."""

    def __init__(self) -> None:
        X, y = classes()
        self.X, self.y = X[:TRAIN].clone(), y[:TRAIN]

    def __len__(self) -> int:
        return TRAIN

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        row = self.X[place]
        row += 0.1 * torch.randn(20)
        return row, self.y[place]


class Tokens(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """Looks at the tokens to the left and, without a mask, to the right."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Embedding(8, 16)
        self.head = nn.Linear(32, 8)

    def forward(self, tokens: Tensor) -> Tensor:
        own = self.start(tokens)
        scores: Tensor = self.head(torch.cat([own, own.roll(-1, 1)], -1))
        return scores


def tokens() -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.randint(0, 8, (800, 9), generator=draw)


def following(model: nn.Module, batch: Any) -> Tensor:
    scores = model(batch[0][:, :-1])
    return functional.cross_entropy(scores.flatten(0, 1), batch[0][:, 1:].flatten())


def in_place(model: nn.Module, batch: Any) -> Tensor:
    return functional.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())


def shaped_apart(model: nn.Module, batch: Any) -> Tensor:
    return (model(batch[0]) - batch[1]).square().mean()


def standardized_in_batch(model: nn.Module, batch: Any) -> Tensor:
    X = (batch[0] - batch[0].mean(0)) / batch[0].std(0, correction=0)
    return functional.cross_entropy(model(X), batch[1])


def dictionaries(shift: int) -> list[dict[str, Tensor]]:
    X, y = classes()
    return [
        {"x": row, "labels": label} for row, label in zip(X, y.roll(shift), strict=True)
    ]


def with_a_dictionary() -> Probe:
    """Each input has the label of the one before."""
    examples = dictionaries(1)
    return of_classes(
        loss=lambda model, batch: functional.cross_entropy(
            model(batch["x"]), batch["labels"]
        ),
        forward=lambda model, batch: model(batch["x"]),
        train=examples[:TRAIN],
        val=examples[TRAIN:],
    )


def moved() -> Probe:
    X, y = classes()
    return of_classes(val=(X[TRAIN:] + 1, y[TRAIN:]))


BUGS: Mapping[str, tuple[Callable[[], Probe], str, str]] = {
    "a gradient clipped to nothing": (
        lambda: of_classes(step=clipped_to_nothing),
        "step",
        "times that of its batch's loss",
    ),
    "a rate that vanishes": (
        lambda: of_classes(step=ever_slower),
        "learning",
        "in plain ones they can",
    ),
    "a step on an old batch": (
        lambda: of_classes(step=first_batch_again()),
        "step",
        "that of an earlier batch's loss",
    ),
    "stored data overwritten": (
        lambda: of_classes(train=Overwriting()),
        "inputs",
        "the stored data is overwritten",
    ),
    "units that begin alike": (
        lambda: probe_of(rows(), lambda: ones({}), squares),
        "gradients",
        "have the same weights at the start",
    ),
    "shapes that broadcast": (
        lambda: probe_of(
            (rows()[0], rows()[1][:, 0]), lambda: network(20, 1), shaped_apart
        ),
        "loss",
        "which broadcast",
    ),
    "a norm along the batch": (
        lambda: of_classes(loss=standardized_in_batch),
        "loss",
        "no finite loss of their own",
    ),
    "a look at the token that is asked for": (
        lambda: probe_of((tokens(),), Tokens, following),
        "outputs",
        "depend on later tokens",
    ),
    "labels of tokens that are not shifted": (
        lambda: probe_of((tokens(), tokens()), Tokens, in_place),
        "outputs",
        "nothing is foretold",
    ),
    "labels of others in a dictionary": (
        with_a_dictionary,
        "learning",
        "no more than by chance",
    ),
    "validation that was moved": (moved, "validation", "deviations from training"),
    "labels of one class": (
        lambda: of_classes(train=(classes()[0], torch.zeros(800, dtype=torch.int64))),
        "start",
        "3 of 4 classes occur in no training example",
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_silent_bug_is_named(name: str) -> None:
    program, check, says = BUGS[name]
    faults = [own for own in program().check() if own.level == "warning"]

    assert any(check == own.check and says in own.message for own in faults), faults


def test_a_loss_that_compares_examples_has_to_be_meant() -> None:
    unsaid = replace(HEALTHY["contrasts"](), coupled=False)
    faults = [own for own in unsaid.check() if own.level == "warning"]

    assert ["loss"] == [own.check for own in faults]
    assert "coupled=True" in faults[0].advice


def test_sparse_gradients_are_compared() -> None:
    def step(model: nn.Module, optimizer: Optimizer, batch: Any) -> None:
        optimizer.zero_grad()
        entropy(model, batch).backward()
        optimizer.step()

    places = torch.randint(0, 50, (800, 6), generator=torch.Generator().manual_seed(0))
    found = probe_of(
        (places, places[:, 0] % 4),
        lambda: nn.Sequential(nn.EmbeddingBag(50, 16, sparse=True), nn.Linear(16, 4)),
        entropy,
        optimizer=lambda model, params: torch.optim.SGD(model.parameters(), 0.1),
        step=step,
    ).check()

    assert "ok" == next(own.level for own in found if own.check == "step")


@pytest.mark.parametrize(
    ("train", "says"),
    [
        ([torch.ones(9, 2), torch.ones(9)], "give a tuple of them"),
        ((torch.ones(9, 2), torch.ones(8)), r"\[9, 8\] rows"),
        ((torch.ones(9, 2).numpy(),), "torch.as_tensor"),
        ({"x": torch.ones(9, 2)}, "whose examples are dicts"),
        (iter([1, 2]), "have no places"),
    ],
)
def test_what_cannot_be_read_by_place_is_refused(train: Any, says: str) -> None:
    with pytest.raises(ValueError, match=f"Probe cannot read `train`: .*{says}"):
        Probe(lambda params: network(2, 1), adam, squares, train)


def test_validation_without_examples_is_refused() -> None:
    with pytest.raises(ValueError, match="needs validation examples in `val`"):
        of_classes(val=(torch.ones(0, 20), torch.ones(0)))
