from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from danlu.training import (
    check_activations,
    initialize_he,
    initialize_xavier,
    zero_residual,
)


def deep(
    activation: Callable[[], nn.Module], depth: int = 10, *, bias: bool = True
) -> nn.Module:
    layers: list[nn.Module] = []
    for wide in [20, *[64] * (depth - 1)]:
        layers += [nn.Linear(wide, 64, bias=bias), activation()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


def batch() -> torch.Tensor:
    return torch.randn(64, 20, generator=torch.Generator().manual_seed(0))


def said(model: nn.Module) -> list[str]:
    findings = check_activations(model, batch())
    return [f.message for f in findings if f.level != "ok"]


def test_weights_of_he_have_the_variance_of_the_paper() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(400, 500), nn.Conv2d(16, 64, 3))

    assert 2 == initialize_he(model)
    assert model[0].weight.std().item() == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    assert model[1].weight.std().item() == pytest.approx(math.sqrt(2 / 144), rel=0.05)
    assert 0.0 == model[0].bias.abs().max()


def test_weights_of_xavier_have_the_variance_of_the_paper() -> None:
    torch.manual_seed(0)
    model = nn.Linear(400, 500)
    initialize_xavier(model)

    assert model.weight.std().item() == pytest.approx(math.sqrt(2 / 900), rel=0.02)
    assert model.weight.abs().max().item() <= math.sqrt(6 / 900)


def test_norms_and_embeddings_stay_as_they_are() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.LayerNorm(4))
    before = [p.detach().clone() for p in model.parameters()]

    assert 0 == initialize_he(model)
    assert all(
        torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)
    )


def test_a_residual_branch_that_is_zeroed_is_the_identity() -> None:
    branch = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
    zero_residual(branch[2])
    inputs = torch.randn(3, 4)

    assert torch.equal(inputs, inputs + branch(inputs))


def test_a_layer_without_a_weight_cannot_be_zeroed() -> None:
    with pytest.raises(ValueError, match="layer with a weight"):
        zero_residual(nn.ReLU())


def test_he_keeps_signals_through_relu() -> None:
    torch.manual_seed(0)
    model = deep(nn.ReLU)
    initialize_he(model)

    assert [] == said(model)


def test_xavier_keeps_signals_through_tanh() -> None:
    torch.manual_seed(0)
    model = deep(nn.Tanh)
    initialize_xavier(model)

    assert [] == said(model)


def test_a_network_in_which_all_examples_look_alike_is_found() -> None:
    torch.manual_seed(0)

    assert any("look alike" in message for message in said(deep(nn.Sigmoid)))


def test_signals_that_fade_are_found() -> None:
    torch.manual_seed(0)
    model = deep(nn.ReLU, bias=False)
    for inner in model:
        if isinstance(inner, nn.Linear):
            nn.init.normal_(inner.weight, 0.0, 0.01)

    assert any("fade" in message for message in said(model))


def test_signals_that_grow_are_found() -> None:
    torch.manual_seed(0)
    model = deep(nn.ReLU)
    for inner in model:
        if isinstance(inner, nn.Linear):
            nn.init.normal_(inner.weight, 0.0, 1.0)

    assert any("grow" in message for message in said(model))


def test_a_look_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(20, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
    model[1].eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}

    check_activations(model, batch())

    assert all(
        torch.equal(state[name], own) for name, own in model.state_dict().items()
    )
    assert [True, True, False, True] == [inner.training for inner in model.modules()]
    assert not model[0]._forward_hooks


def test_a_branch_that_is_zeroed_on_purpose_is_no_finding() -> None:
    class Residual(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
        def __init__(self) -> None:
            super().__init__()
            self.branch = nn.Sequential(nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 20))
            self.head = nn.Linear(20, 4)
            zero_residual(self.branch[2])

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.head(inputs + self.branch(inputs))
            return scores

    assert [] == said(Residual())


def test_values_that_are_not_finite_are_found() -> None:
    model = deep(nn.ReLU)
    with torch.no_grad():
        next(model.parameters()).fill_(torch.inf)

    assert ["0 give out nan or infinite values."] == said(model)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(256, 8, 3),
        nn.Conv2d(256, 8, 3, groups=4),
        nn.ConvTranspose2d(256, 3, 1),
        nn.ConvTranspose2d(256, 8, 3),
        nn.ConvTranspose2d(256, 8, 3, groups=4),
        nn.ConvTranspose2d(256, 8, 4, stride=2),
    ],
)
def test_a_layer_keeps_the_second_moment_of_what_a_relu_gives(layer: nn.Module) -> None:
    """He et al. (2015), eq. 8: the variance of outputs is that of the inputs before."""
    torch.manual_seed(0)
    initialize_he(layer)

    outputs = layer(torch.randn(4, 256, 12, 12).relu())[..., 4:-4, 4:-4]

    assert 0.9 < outputs.std().item() < 1.1


@pytest.mark.parametrize(
    "initialize", [initialize_he, initialize_xavier, zero_residual]
)
def test_a_weight_that_is_computed_is_refused(
    initialize: Callable[[nn.Module], object],
) -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))

    with pytest.raises(ValueError, match="computed from other parameters"):
        initialize(layer)


def test_a_head_that_shares_an_embedding_s_weight_keeps_it() -> None:
    embedding, head = nn.Embedding(5, 4), nn.Linear(4, 5)
    head.weight = embedding.weight
    before = head.weight.detach().clone()

    assert 0 == initialize_he(nn.Sequential(embedding, head))
    assert torch.equal(before, head.weight)
