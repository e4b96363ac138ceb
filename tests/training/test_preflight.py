from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from danlu.training import Finding, Probe
from tests.training.planted_bugs import BUGS, HEALTHY, LATER, healthy

torch.set_num_threads(1)
# What no look at a training program tells from a useful input.
NOT_SEEN = {"the label among the inputs"}


def faults(findings: tuple[Finding, ...]) -> list[str]:
    return [own.message for own in findings if own.level == "warning"]


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    assert faults(BUGS[bug]().check())


@pytest.mark.parametrize("bug", sorted(LATER.keys() - NOT_SEEN))
def test_a_bug_that_was_planted_later_is_found(bug: str) -> None:
    assert faults(LATER[bug]().check())


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_said_of_a_healthy_program(name: str) -> None:
    findings = HEALTHY[name]().check()

    assert [] == faults(findings)
    assert "unknown" not in [finding.level for finding in findings]


def test_a_check_leaves_the_random_state_as_it_was() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    healthy().check()

    assert torch.equal(before, torch.get_rng_state())


def test_the_same_seed_gives_the_same_weights() -> None:
    first, second = (healthy().build()[0].head.weight for _ in range(2))

    assert torch.equal(first, second)
    assert not torch.equal(first, healthy().build(seed=1)[0].head.weight)


def test_what_is_frozen_on_purpose_is_no_fault() -> None:
    from dataclasses import replace

    probe = replace(BUGS["the body is still frozen"](), frozen=("body.",))

    assert [] == faults(probe.check())


def test_a_check_that_cannot_be_made_says_why() -> None:
    def forward(model: torch.nn.Module, batch: object) -> torch.Tensor:
        raise ValueError("no outputs here")

    levels = {own.check: own for own in healthy(forward=forward).check()}

    assert "unknown" == levels["outputs"].level
    assert "no outputs here" in levels["outputs"].message


ROWS = [
    {"x": row, "y": row.sum()}
    for row in torch.randn(256, 4, generator=torch.Generator().manual_seed(0))
]


def of_dictionaries(**changes: Any) -> Probe:
    """A regression whose batches are dictionaries."""
    return Probe(
        model=lambda params: nn.Linear(4, 1),
        optimizer=lambda model, params: torch.optim.AdamW(
            model.parameters(), lr=params["lr"], weight_decay=0.0
        ),
        loss=lambda model, batch: (
            (model(batch["x"])[:, 0] - batch["y"]).square().mean()
        ),
        train=ROWS[:200],
        val=ROWS[200:],
        params={"lr": 0.05},
        **changes,
    )


def test_batches_that_are_dictionaries_are_checked() -> None:
    found = of_dictionaries(forward=lambda model, batch: model(batch["x"])).check()

    assert set() == {own.check for own in found if own.level != "ok"}


def test_batches_whose_inputs_are_not_known_need_a_forward() -> None:
    unknown = [own for own in of_dictionaries().check() if own.level != "ok"]

    assert {"start", "outputs", "learning"} == {own.check for own in unknown}
    assert all("give the probe forward(model, batch)" in own.message for own in unknown)


def test_several_inputs_by_name_are_looked_into() -> None:
    """As a tokenizer gives them; the model mixes the examples of a batch."""
    inputs = torch.randn(256, 4, generator=torch.Generator().manual_seed(0))
    rows = [({"x": row, "mask": torch.ones(4)}, (row[0] > 0).long()) for row in inputs]

    def forward(model: nn.Module, batch: Any) -> torch.Tensor:
        masked = batch[0]["x"] * batch[0]["mask"]
        scores: torch.Tensor = model(masked - masked.mean(0))
        return scores

    found = Probe(
        model=lambda params: nn.Linear(4, 2),
        optimizer=lambda model, params: torch.optim.SGD(
            model.parameters(), lr=params["lr"]
        ),
        loss=lambda model, batch: functional.cross_entropy(
            forward(model, batch), batch[1]
        ),
        train=rows[:200],
        val=rows[100:],
        forward=forward,
    ).check()
    said = " ".join(faults(found))

    assert "depends on the other examples of the batch" in said
    assert "100 of 156 validation examples (64%)" in said
