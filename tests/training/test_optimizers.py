from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import danlu
from danlu.training import build_optimizer

LR, DECAY = 0.1, 0.3
START = 1.5
GRADIENTS = (0.7, -0.2, 0.4, 1.1, -0.5)
Rule = Callable[[list[float]], float]


def sgd(gradients: list[float], *, l2: float, decoupled: float, ahead: bool) -> float:
    """Heavy ball and Nesterov as in Sutskever et al. (2013), weight decay of the two
    kinds of Loshchilov & Hutter (2019), Algorithm 1, lines 6, 8 and 9."""
    theta, m = START, 0.0
    for own in gradients:
        g = own + l2 * theta
        m = 0.9 * m + g
        update = g + 0.9 * m if ahead else m
        theta = theta - LR * update - LR * decoupled * theta
    return theta


def adam(gradients: list[float], *, l2: float = 0.0, decoupled: float = 0.0) -> float:
    """Kingma & Ba (2015), Algorithm 1; Loshchilov & Hutter (2019), Algorithm 2."""
    theta, m, v = START, 0.0, 0.0
    for t, own in enumerate(gradients, 1):
        g = own + l2 * theta
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
        step = m_hat / (math.sqrt(v_hat) + 1e-8)
        theta = theta - LR * step - LR * decoupled * theta
    return theta


def nadam(gradients: list[float], *, l2: float = 0.0, decoupled: float = 0.0) -> float:
    """Dozat (2016), Algorithm 2, with the schedule of mu of its section 2."""
    theta, m, v, product = START, 0.0, 0.0, 1.0
    for t, own in enumerate(gradients, 1):
        g = own + l2 * theta
        mu = 0.9 * (1 - 0.5 * 0.96 ** (t * 0.004))
        mu_next = 0.9 * (1 - 0.5 * 0.96 ** ((t + 1) * 0.004))
        product *= mu
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
        step = m_hat / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
        theta = theta - LR * step - LR * decoupled * theta
    return theta


def rmsprop(gradients: list[float]) -> float:
    """Tieleman & Hinton (2012), lecture 6.5, with L2 added to the gradient."""
    theta, v = START, 0.0
    for own in gradients:
        g = own + DECAY * theta
        v = 0.99 * v + 0.01 * g * g
        theta -= LR * g / (math.sqrt(v) + 1e-8)
    return theta


RULES: dict[str, Rule] = {
    "sgd": lambda g: sgd(g, l2=DECAY, decoupled=0, ahead=False),
    "nesterov": lambda g: sgd(g, l2=DECAY, decoupled=0, ahead=True),
    "sgdw": lambda g: sgd(g, l2=0, decoupled=DECAY, ahead=False),
    "nesterovw": lambda g: sgd(g, l2=0, decoupled=DECAY, ahead=True),
    "adam": lambda g: adam(g, l2=DECAY),
    "adamw": lambda g: adam(g, decoupled=DECAY),
    "nadam": lambda g: nadam(g, l2=DECAY),
    "nadamw": lambda g: nadam(g, decoupled=DECAY),
    "rmsprop": rmsprop,
}


class OneWeight(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1, 1), START, dtype=torch.float64))


@pytest.mark.parametrize("name", RULES)
def test_the_update_is_that_of_the_paper(name: str) -> None:
    model = OneWeight()
    params = {"optimizer": name, "lr": LR, "weight_decay": DECAY}
    optimizer = build_optimizer(model, params)
    for gradient in GRADIENTS:
        model.weight.grad = torch.full((1, 1), gradient, dtype=torch.float64)
        optimizer.step()

    assert model.weight.item() == pytest.approx(RULES[name](list(GRADIENTS)), rel=1e-9)


def test_decoupled_decay_and_l2_are_different_things() -> None:
    results = {name: rule(list(GRADIENTS)) for name, rule in RULES.items()}

    assert results["adam"] != pytest.approx(results["adamw"], rel=1e-3)
    assert results["sgd"] != pytest.approx(results["sgdw"], rel=1e-3)


def test_muon_moves_hidden_matrices_by_nearly_orthogonal_updates() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
    before = model[0].weight.detach().clone()
    optimizer = build_optimizer(model, {"optimizer": "muon", "lr": 0.1})

    model(torch.randn(8, 16)).square().sum().backward()
    optimizer.step()

    moved = torch.linalg.svdvals((model[0].weight - before).detach())
    size = 0.1 * 0.2 * math.sqrt(32)  # lr x 0.2 sqrt(max(A, B)): the size of AdamW's
    assert float(moved.max() / size) == pytest.approx(1.0, abs=0.35)
    assert float(moved[:8].min() / size) > 0.3  # the rank is at most the batch's


def test_muon_leaves_embeddings_biases_and_the_last_layer_to_adamw() -> None:
    model = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 8), nn.Linear(8, 9))
    optimizer = build_optimizer(model, {"optimizer": "muon", "lr": 0.1})

    hidden = optimizer.param_groups[0]["params"]
    held = [p for group in optimizer.param_groups for p in group["params"]]

    assert [id(model[1].weight)] == [id(p) for p in hidden]
    assert {id(p) for p in model.parameters()} == {id(p) for p in held}


def test_muon_of_tied_embeddings_has_the_last_hidden_matrix_too() -> None:
    model = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 8), nn.Linear(8, 9))
    model[2].weight = model[0].weight
    optimizer = build_optimizer(model, {"optimizer": "muon", "lr": 0.1})

    hidden = optimizer.param_groups[0]["params"]

    assert [id(model[1].weight)] == [id(p) for p in hidden]


def test_muon_of_two_embeddings_that_share_leaves_the_last_layer_to_adamw() -> None:
    first, second = nn.Embedding(9, 8), nn.Embedding(9, 8)
    second.weight = first.weight
    model = nn.Sequential(first, second, nn.Linear(8, 8), nn.Linear(8, 9))
    optimizer = build_optimizer(model, {"optimizer": "muon", "lr": 0.1})

    hidden = optimizer.param_groups[0]["params"]

    assert [id(model[2].weight)] == [id(p) for p in hidden]


def test_params_in_complements_are_read() -> None:
    optimizer = build_optimizer(
        nn.Linear(2, 2),
        {"optimizer": "adam", "lr": 1e-3, "one_minus_beta1": 0.2, "beta2": 0.98},
    )

    assert optimizer.param_groups[0]["betas"] == pytest.approx((0.8, 0.98))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"lr": 0.1, "optimizer": "adamm"}, "knows no optimizer 'adamm'"),
        ({"optimizer": "adam"}, "needs params with `lr`"),
        ({"lr": 0.1, "weight_dacay": 0.1}, "did you mean 'weight_decay'"),
        ({"lr": 0.1, "eps": 1e-6}, "did you mean 'epsilon'"),
        ({"learning_rate": 0.1}, "did you mean 'lr'"),
        ({"lr": 0.1, "momentum": 0.9}, "adamw has no momentum"),
        (
            {"lr": 0.1, "beta1": 0.9, "one_minus_beta1": 0.1},
            "both beta1 and one_minus_beta1",
        ),
    ],
)
def test_a_setting_is_never_dropped_in_silence(
    params: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        build_optimizer(nn.Linear(2, 2), params)


@pytest.mark.parametrize("optimizer", [*RULES, "muon"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("lr", -0.1), ("lr", math.nan), ("lr", math.inf), ("weight_decay", -1.0)],
)
def test_a_rate_and_a_decay_are_numbers_of_at_least_0(
    name: str, value: float, optimizer: str
) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    params = {"optimizer": optimizer, "lr": 0.1, name: value}

    with pytest.raises(ValueError, match=f"finite {name} of at least 0, got {name}="):
        build_optimizer(model, params)


@pytest.mark.parametrize("factor", ["lr_factor", "weight_decay_factor"])
def test_a_factor_is_a_number_of_at_least_0(factor: str) -> None:
    groups = [{"params": [nn.Parameter(torch.zeros(2, 2))], factor: -1.0}]

    with pytest.raises(ValueError, match="of at least 0"):
        build_optimizer(groups, {"lr": 0.1, "weight_decay": 0.1})


@pytest.mark.parametrize("stated", ["lr", "weight_decay"])
def test_what_a_group_states_is_never_overwritten_in_silence(stated: str) -> None:
    groups = [{"params": [nn.Parameter(torch.zeros(2, 2))], stated: 0.0}]

    with pytest.raises(ValueError, match=f"states {stated}=0.0.*`{stated}_factor`"):
        build_optimizer(groups, {"lr": 0.1, "weight_decay": 0.2})


def test_the_groups_of_an_optimizer_can_be_given_to_another() -> None:
    params = {"lr": 0.1, "weight_decay": 0.2}
    first = build_optimizer(nn.Linear(2, 2), params)
    second = build_optimizer(first.param_groups, params)

    for own, other in zip(first.param_groups, second.param_groups, strict=True):
        assert (own["lr"], own["weight_decay"]) == (other["lr"], other["weight_decay"])


def test_params_of_the_model_are_left_alone() -> None:
    params = {"lr": 0.1, "width": 64, "dropout": 0.1, "depth": 3, "optimizer": "sgd"}

    assert isinstance(build_optimizer(nn.Linear(2, 2), params), torch.optim.SGD)


def test_groups_keep_their_factors() -> None:
    weight = nn.Parameter(torch.zeros(2, 2))
    groups = [{"params": [weight], "lr_factor": 0.1, "weight_decay_factor": 0.0}]

    (group,) = build_optimizer(groups, {"lr": 0.5, "weight_decay": 0.3}).param_groups

    assert (0.05, 0.0, 0.1) == pytest.approx(
        (group["lr"], group["weight_decay"], group["lr_factor"])
    )


@pytest.mark.parametrize("name", ["adam", "adamw", "nadam", "nesterov"])
def test_the_params_of_a_preset_are_all_read(name: str) -> None:
    space = getattr(danlu.presets, name)()
    params = {path: domain.low for path, domain in space.domains.items()}

    optimizer = build_optimizer(nn.Linear(2, 2), {"optimizer": name, **params})

    group = optimizer.param_groups[0]
    read = {
        "lr": group["lr"],
        "weight_decay": group["weight_decay"],
        "epsilon": group.get("eps"),
        "one_minus_momentum": 1 - group.get("momentum", 0),
        "one_minus_beta1": 1 - group.get("betas", (0, 0))[0],
        "one_minus_beta2": 1 - group.get("betas", (0, 0))[1],
    }
    assert params == pytest.approx({path: read[path] for path in params})


class Late(nn.Module):  # type: ignore[misc]
    """Makes its output before an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(4, 4), nn.Linear(4, 5)
        self.places = nn.Embedding(6, 4)


@pytest.mark.parametrize("is_frozen", [False, True])
def test_muon_leaves_the_output_alone_also_before_an_embedding(is_frozen: bool) -> None:
    model = Late()
    model.out.requires_grad_(not is_frozen)

    joined = build_optimizer(model, {"optimizer": "muon", "lr": 0.1})

    moved = joined.optimizers[0].param_groups[0]["params"]
    assert [id(model.hidden.weight)] == [id(parameter) for parameter in moved]


def test_nesterov_takes_sparse_gradients() -> None:
    tables = [nn.Embedding(4, 2, sparse=is_sparse) for is_sparse in (True, False)]
    tables[1].load_state_dict(tables[0].state_dict())
    for table in tables:
        optimizer = danlu.training.SGDW(table.parameters(), lr=0.1, nesterov=True)
        for _ in range(3):
            optimizer.zero_grad()
            table(torch.tensor([0, 0, 3])).square().sum().backward()
            optimizer.step()

    assert torch.allclose(tables[0].weight, tables[1].weight)


def test_bare_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="needs the model, or groups"):
        build_optimizer(nn.Linear(2, 2).parameters(), {"lr": 0.1})
