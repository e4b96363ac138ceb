from __future__ import annotations

import pytest
import torch

from danlu.training import Finding
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
