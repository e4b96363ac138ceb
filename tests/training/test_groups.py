from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from danlu.training import decay_groups, layer_groups, uncovered


class Scaled(nn.Module):  # type: ignore[misc]
    """A root-mean-square norm of one's own, whose scale has two dimensions."""

    class OwnNorm(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1, 4))

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = self.OwnNorm()


def names(model: nn.Module, group: dict[str, Any]) -> set[str]:
    held = {id(parameter) for parameter in group["params"]}
    return {name for name, own in model.named_parameters() if id(own) in held}


def test_biases_and_norms_do_not_decay() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.Linear(4, 2)
    )
    decaying, still = decay_groups(model)

    assert {"0.weight", "3.weight"} == names(model, decaying)
    assert 1.0 == decaying["weight_decay_factor"]
    assert 0.0 == still["weight_decay_factor"]
    assert set() == set(dict(model.named_parameters())) - (
        names(model, decaying) | names(model, still)
    )


def test_the_scale_of_a_norm_of_one_s_own_does_not_decay() -> None:
    model = Scaled()

    assert {"linear.weight"} == names(model, decay_groups(model)[0])


def test_tied_weights_stand_once() -> None:
    model = nn.Sequential(nn.Embedding(8, 4), nn.Linear(4, 8, bias=False))
    model[1].weight = model[0].weight

    (group,) = decay_groups(model)

    assert 1 == len(group["params"])


def test_frozen_parameters_are_left_out() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    model[0].requires_grad_(False)

    held = {name for group in decay_groups(model) for name in names(model, group)}

    assert {"1.weight", "1.bias"} == held


def test_a_model_with_nothing_to_train_is_refused() -> None:
    with pytest.raises(ValueError, match="all are frozen"):
        decay_groups(nn.Linear(2, 2).requires_grad_(False))


def test_layers_near_the_input_have_smaller_rates() -> None:
    layers = [nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2)]

    factors = [group["lr_factor"] for group in layer_groups(layers, factor=0.1)]

    assert [0.01, 0.01, 0.1, 1.0, 1.0] == pytest.approx(factors)


def test_a_parameter_that_two_layers_share_gets_one_rate() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    groups = layer_groups([first, second], factor=0.5)

    held = [id(p) for group in groups for p in group["params"]]

    assert len(held) == len(set(held))


def test_a_layer_that_stands_twice_is_refused() -> None:
    layer = nn.Linear(4, 4)

    with pytest.raises(ValueError, match="a layer twice among 3"):
        layer_groups([layer, nn.Linear(4, 4), layer], factor=0.5)


def test_parameters_that_no_layer_covers_are_named() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))

    assert ["0.weight", "0.bias"] == uncovered(
        model, layer_groups([model[1]], factor=0.5)
    )


def test_a_layer_that_only_mentions_norms_decays() -> None:
    class NormalizedLinear(nn.Linear):  # type: ignore[misc]
        pass

    assert [1.0, 0.0] == [
        group["weight_decay_factor"] for group in decay_groups(NormalizedLinear(4, 4))
    ]


def test_a_group_may_be_one_parameter() -> None:
    model = nn.Linear(2, 2)

    assert ["bias"] == uncovered(model, [{"params": model.weight}])


def test_a_group_that_can_be_gone_through_once_is_refused() -> None:
    model = nn.Linear(2, 2)

    with pytest.raises(ValueError, match="iterator"):
        uncovered(model, [{"params": model.parameters()}])
