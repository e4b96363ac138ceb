"""Faults that other tools have or had, and the tests that show that ours do not.

The table is in docs/training.md. What no other test shows is tested here.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from danlu import training
from danlu.training.rate_range import judged
from danlu.training.sweep import regions

ROOT = Path(__file__).parents[2]
Batch = tuple[Tensor, Tensor]


def named_in_the_table() -> list[tuple[str, str]]:
    """The file and the test of each row."""
    text = (ROOT / "docs/training.md").read_text("utf-8")
    section = text.split("## Faults of others", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"`(test_\w+)::(test_\w+)`", section)


def defined_in(file: str) -> set[str]:
    trees = [
        ast.parse(path.read_text("utf-8"))
        for path in (ROOT / "tests").rglob(f"{file}.py")
    ]
    return {
        node.name
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


def test_every_test_that_the_table_names_exists() -> None:
    named = named_in_the_table()

    assert len(named) > 50
    assert [] == [(file, test) for file, test in named if test not in defined_in(file)]


def loss_of(model: nn.Module, batch: Batch) -> Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def probe(**changes: object) -> training.Probe:
    inputs = torch.randn(256, 8, generator=torch.Generator().manual_seed(0))
    settings: dict[str, object] = {
        "model": lambda params: nn.Linear(8, 4),
        "optimizer": training.build_optimizer,
        "loss": loss_of,
        "train": (inputs, inputs[:, :4].argmax(1)),
        "params": {"optimizer": "sgd", "lr": 0.1},
    }
    return training.Probe(**(settings | changes))  # type: ignore[arg-type]


def test_the_curve_of_a_range_test_begins_at_the_true_loss() -> None:
    own = probe()
    (sweep,) = own.lr_range(sweeps=1).sweeps
    model, _ = own.build()

    true = float(loss_of(model, own.train).detach())

    assert true == pytest.approx(sweep.losses[0], rel=0.01)


def test_a_range_test_says_the_same_after_other_tests_on_the_same_probe() -> None:
    own = probe()
    first = own.lr_range(sweeps=2)
    own.batch_sizes(most=2)
    own.stability(0.1, steps=5)

    # In words, because nan is not equal to itself.
    assert repr(first) == repr(own.lr_range(sweeps=2))


def test_one_sweep_with_an_early_spike_does_not_move_the_suggestion() -> None:
    rates = [10 ** (-6 + step / 8) for step in range(60)]
    losses = [2.0] * 25 + [2.0 - 0.1 * step for step in range(15)] + [9.0] * 20
    clean = regions(rates, losses)
    spiked = regions(rates, [2.0, 2.0, 50.0, *losses[3:]])

    assert clean.suggestion is not None
    assert clean.suggestion == pytest.approx(judged([clean, spiked, clean]).suggestion)


def test_a_range_test_keeps_the_ratio_of_the_groups_rates() -> None:
    ratios = set()

    def step(model: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
        first, second = (float(group["lr"]) for group in optimizer.param_groups)
        ratios.add(round(first / second, 6))

    def two_rates(model: nn.Module, params: object) -> torch.optim.Optimizer:
        weight, bias = ({"params": [own]} for own in model.parameters())
        return torch.optim.SGD([{**weight, "lr": 0.1}, {**bias, "lr": 0.01}])

    probe(optimizer=two_rates, step=step).lr_range(sweeps=1)

    assert {10.0} == ratios


@pytest.mark.parametrize("limit", [4, 5, 6, 7])
def test_sizes_between_powers_of_two_are_tried_and_none_is_skipped(limit: int) -> None:
    def limited(model: nn.Module, batch: Batch) -> Tensor:
        if len(batch[1]) > limit:
            raise RuntimeError("CUDA out of memory")
        return loss_of(model, batch)

    own = probe(loss=limited)

    assert limit == own.batch_sizes().largest
    assert limit == own.batch_sizes().largest  # nothing is remembered of the first


def test_what_was_clipped_is_what_the_update_uses() -> None:
    weight = nn.Parameter(torch.zeros(4))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    (100 * weight.sum()).backward()
    training.take_step(optimizer, clip_norm=0.5)

    assert 0.5 == pytest.approx(float(weight.detach().norm()))


def test_a_warm_up_of_no_steps_is_the_schedule_itself() -> None:
    plain = training.build_tracks({"lr": 0.1, "schedule": "cosine"}, 10)
    warmed = training.build_tracks(
        {"lr": 0.1, "schedule": "cosine", "warmup_fraction": 0.0}, 10
    )

    assert [plain.lr(step) for step in range(10)] == [
        warmed.lr(step) for step in range(10)
    ]


def test_of_losses_that_are_all_equal_the_first_is_the_best() -> None:
    assert 2 == training.best_step([2, 4, 6, 8, 10, 12], [0.5] * 6)
