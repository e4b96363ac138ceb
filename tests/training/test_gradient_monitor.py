from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict

import pytest
import torch
from torch import nn

from danlu.training import Finding, GradientMonitor, LayerGradients, take_step
from danlu.training.gradient_findings import judged_gradients

STEPS = 6


def deep(
    activation: Callable[[], nn.Module], depth: int = 10, *, std: float | None = None
) -> nn.Module:
    layers: list[nn.Module] = []
    for wide in [20, *[32] * (depth - 1)]:
        layers += [nn.Linear(wide, 32), activation()]
    model = nn.Sequential(*layers, nn.Linear(32, 10))
    for inner in model:
        if std is not None and isinstance(inner, nn.Linear):
            nn.init.normal_(inner.weight, 0.0, std)
    return model


def he(model: nn.Module) -> nn.Module:
    for inner in model.modules():
        if isinstance(inner, nn.Linear):
            nn.init.kaiming_normal_(inner.weight, nonlinearity="relu")
    return model


def images() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 4, 5)),
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(160, 10),
    )


class Words(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """A transformer over a table of many words, of which a batch has a few."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20_000, 16)
        layer = nn.TransformerEncoderLayer(
            16, 2, 32, norm_first=True, batch_first=True, dropout=0.0
        )
        self.body = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Linear(16, 10)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        words = (batch * 50).long().clamp(0, 49)
        mixed: torch.Tensor = self.head(self.body(self.table(words)).mean(1))
        return mixed


class HeadFirst(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """Ten layers of sigmoid, of which the last one was made first."""

    def __init__(self) -> None:
        super().__init__()
        body = deep(nn.Sigmoid)
        self.head, self.body = body[-1], body[:-1]

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.body(batch))
        return scores


def watched(
    model: nn.Module, *, lr: float = 1e-3, moved: Iterable[nn.Parameter] | None = None
) -> tuple[Finding, ...]:
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(moved or model.parameters(), lr=lr)
    monitor = GradientMonitor(model, every=1)
    inputs = torch.rand(256, 20)
    labels = inputs[:, :10].argmax(1)
    for step in range(STEPS):
        batch = torch.arange(32) + 32 * step
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs[batch]), labels[batch])
        loss.backward()
        take_step(optimizer, monitor=monitor)
    return monitor.findings()


HEALTHY: dict[str, Callable[[], nn.Module]] = {
    "three layers": lambda: deep(nn.ReLU, 3),
    "ten layers of He": lambda: he(deep(nn.ReLU)),
    "ten layers of tanh": lambda: deep(nn.Tanh),
    "images": images,
    "words": Words,
}


@pytest.mark.parametrize("build", HEALTHY.values(), ids=HEALTHY)
def test_nothing_is_said_of_a_healthy_network(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)

    assert ["ok"] == [finding.level for finding in watched(build())]


@pytest.mark.parametrize(
    "build", [lambda: deep(nn.Sigmoid), lambda: deep(nn.ReLU, std=0.01), HeadFirst]
)
def test_vanishing_gradients_are_found_at_the_first_layers(
    build: Callable[[], nn.Module],
) -> None:
    torch.manual_seed(0)
    found = [f for f in watched(build()) if "vanish" in f.message]

    assert 1 == len(found)
    assert found[0].evidence["layers"][0] in ("0.weight", "body.0.weight")


def test_a_branch_that_begins_nearly_closed_is_not_vanishing() -> None:
    """As queries are at the first weights of BERT, behind the table of words."""
    layers = [
        LayerGradients("words", gradient=0.04, weight=0.3, kind="table"),
        LayerGradients("query", gradient=7e-7, weight=0.3),
        LayerGradients("value", gradient=2e-4, weight=0.3),
        LayerGradients("head", gradient=0.07, weight=0.1),
    ]

    (finding,) = judged_gradients(layers, [0.1])

    assert "ok" == finding.level


def test_exploding_gradients_are_found() -> None:
    torch.manual_seed(0)

    messages = [finding.message for finding in watched(deep(nn.ReLU, std=1.0))]

    assert any("explode" in message for message in messages)


def test_a_layer_behind_a_detach_is_found() -> None:
    class Cut(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(20, 8), nn.Linear(8, 10)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.last(self.first(batch).detach())
            return answer

    (finding,) = watched(Cut())

    assert ["first.weight", "first.bias"] == finding.evidence["layers"]


def test_a_dead_layer_is_found() -> None:
    model = deep(nn.ReLU, 2)
    nn.init.constant_(model[0].bias, -100.0)

    messages = [finding.message for finding in watched(model)]

    assert any("is zero" in message and "0.weight" in message for message in messages)


def test_a_parameter_that_is_not_in_the_optimizer_is_found() -> None:
    model = deep(nn.ReLU, 2)

    (finding,) = watched(model, moved=model[2:].parameters())

    assert ["0.weight", "0.bias"] == finding.evidence["layers"]
    assert "The optimizer does not move" in finding.message


def test_updates_that_are_too_large_are_found() -> None:
    levels = {f.level for f in watched(he(deep(nn.ReLU, 3)), lr=1.0)}

    assert "notice" in levels


def test_updates_that_are_rounded_away_are_found() -> None:
    messages = [f.message for f in watched(he(deep(nn.ReLU, 3)), lr=1e-9)]

    assert any("below the precision" in message for message in messages)


def test_gradients_that_are_not_finite_are_counted() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    monitor = GradientMonitor(model, every=1)
    for step in range(8):
        optimizer.zero_grad()
        model(torch.ones(4, 2)).sum().backward()
        if step < 3:
            model.bias.grad.fill_(float("inf"))
        take_step(optimizer, monitor=monitor)

    found = [f for f in monitor.findings() if "not finite" in f.message]

    assert [3] == [finding.evidence["updates"] for finding in found]


def test_a_few_updates_are_not_judged() -> None:
    (finding,) = GradientMonitor(nn.Linear(2, 1), every=10).findings()

    assert "unknown" == finding.level
    assert 50 == finding.evidence["missing"]


def test_the_ratio_of_an_update_is_what_it_changed() -> None:
    model = nn.Linear(2, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    monitor = GradientMonitor(model, every=1)
    model(torch.ones(1, 2)).sum().backward()
    take_step(optimizer, monitor=monitor)

    (layer,) = monitor.layers()

    assert 0.1 == pytest.approx(layer.update)
    assert 2**0.5 == pytest.approx(layer.gradient)


def test_frozen_parameters_are_not_watched() -> None:
    model = nn.Sequential(nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 1))

    names = [layer.name for layer in GradientMonitor(model).layers()]

    assert ["1.weight", "1.bias"] == names


def test_the_evidence_can_be_written_as_json() -> None:
    findings = watched(deep(nn.Sigmoid))

    assert json.loads(json.dumps([asdict(finding) for finding in findings]))


def test_a_compiled_model_is_watched_under_plain_names() -> None:
    model = torch.compile(nn.Linear(2, 1), backend="eager")

    names = [layer.name for layer in GradientMonitor(model).layers()]

    assert ["weight", "bias"] == names


def test_two_optimizers_may_share_a_monitor() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in model]
    monitor = GradientMonitor(model, every=1)
    for _ in range(STEPS):
        for optimizer in optimizers:
            model(torch.ones(2, 4)).square().mean().backward()
            take_step(optimizer, monitor=monitor)
            model.zero_grad()

    assert ["ok"] == [finding.level for finding in monitor.findings()]


def test_a_copy_watches_the_copied_model() -> None:
    model = nn.Linear(4, 4)
    again, monitor = copy.deepcopy((model, GradientMonitor(model, every=1)))
    optimizer = torch.optim.SGD(again.parameters(), lr=0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        again(torch.ones(2, 4)).square().mean().backward()
        take_step(optimizer, monitor=monitor)

    assert ["ok"] == [finding.level for finding in monitor.findings()]


def test_a_gradient_that_is_never_finite_is_no_missing_one() -> None:
    model = nn.Linear(4, 4)
    monitor = GradientMonitor(model, every=1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (model(torch.ones(2, 4)).sum() * torch.nan).backward()
        take_step(optimizer, monitor=monitor)

    assert ["updates", "seen"] == list(monitor.findings()[0].evidence)
    assert 1 == len(monitor.findings())


def test_a_monitor_of_a_model_that_was_frozen_does_no_harm() -> None:
    model = nn.Linear(4, 4).requires_grad_(False)
    monitor = GradientMonitor(model, every=1)
    model.requires_grad_(True)
    model(torch.ones(2, 4)).sum().backward()

    assert take_step(torch.optim.SGD(model.parameters(), lr=0.1), monitor=monitor)


def test_a_complex_weight_has_the_norm_of_both_its_parts() -> None:
    model = nn.Module()
    model.weight = nn.Parameter(torch.tensor([3 + 4j]))

    (layer,) = GradientMonitor(model).layers()

    assert 5.0 == layer.weight
