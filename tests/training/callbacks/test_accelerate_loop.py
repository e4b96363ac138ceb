from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from tests.training.callbacks.trials import Kept, trial_in

accelerate = pytest.importorskip("accelerate")

from danlu.training.callbacks import AccelerateTrial  # noqa: E402

INPUTS = torch.randn(96, 4, generator=torch.Generator().manual_seed(0))
EXAMPLES = TensorDataset(INPUTS, (INPUTS[:, 0] > 0).long())


def train(
    folder: Path,
    channel: Kept,
    *,
    budget: int | None = None,
    epochs: int = 4,
    detached: bool = False,
    **settings: Any,
) -> tuple[Tensor, AccelerateTrial]:
    """All numbers of the model that was trained, and the trial."""
    torch.manual_seed(1)
    accelerator = accelerate.Accelerator(cpu=True, **settings)
    first, rest = nn.Linear(4, 8), nn.Sequential(nn.Dropout(0.3), nn.Linear(8, 2))
    model = nn.ModuleList([first, rest])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loader = DataLoader(EXAMPLES, 16, shuffle=True)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    run = AccelerateTrial(accelerator, trial_in(folder, channel, budget=budget))
    run.watch(model)
    for epoch in run.steps(epochs):
        for inputs, labels in loader:
            with accelerator.accumulate(model):
                hidden = first(inputs).detach() if detached else first(inputs)
                loss = functional.cross_entropy(rest(hidden), labels)
                accelerator.backward(loss)
                with run.update():
                    optimizer.step()
                optimizer.zero_grad()
        run.report(epoch, loss=loss)
    return torch.cat([own.detach().flatten() for own in model.parameters()]), run


@pytest.mark.parametrize("seedable", [False, True])
def test_a_trial_that_was_paused_goes_on_as_if_it_had_not_been(
    seedable: bool, tmp_path: Path
) -> None:
    orders = accelerate.DataLoaderConfiguration(use_seedable_sampler=seedable)
    whole, parts = Kept(), Kept()
    expected, _ = train(tmp_path / "whole", whole, dataloader_config=orders)

    for budget in (1, 3, None):
        got, _ = train(
            tmp_path / "parts", parts, budget=budget, dataloader_config=orders
        )

    assert torch.equal(expected, got)
    assert dict(whole.sent) == dict(parts.sent)
    assert [1, 1, 2, 3, 3, 4] == parts.steps


def test_what_was_saved_and_not_reported_is_reported_and_not_trained_again(
    tmp_path: Path,
) -> None:
    with pytest.raises(OSError, match="disk is full"):
        train(tmp_path, Kept(break_at=2))

    again = Kept()
    train(tmp_path, again, budget=2)

    assert [2] == again.steps


def test_a_metric_of_several_numbers_is_an_error(tmp_path: Path) -> None:
    run = AccelerateTrial(accelerate.Accelerator(cpu=True), trial_in(tmp_path, Kept()))

    with pytest.raises(ValueError, match=r"\['each'\] are not"):
        run.report(1, loss=1.0, each=torch.ones(2))


def test_checkpoints_that_accelerate_puts_elsewhere_are_an_error(
    tmp_path: Path,
) -> None:
    elsewhere = accelerate.utils.ProjectConfiguration(
        project_dir=str(tmp_path), automatic_checkpoint_naming=True
    )

    with pytest.raises(ValueError, match="automatic_checkpoint_naming=False"):
        train(tmp_path, Kept(), project_config=elsewhere)


def test_danlu_stops_a_trial(tmp_path: Path) -> None:
    channel = Kept(stop_at=2)

    train(tmp_path, channel)

    assert [1, 2] == channel.steps


def test_a_layer_that_no_gradient_reaches_is_found(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, run = train(tmp_path, Kept(), epochs=7, detached=True)

    assert "No gradient reaches 0.weight, 0.bias." == run.findings()[0].message
    assert "warning: No gradient reaches 0.weight" in capfd.readouterr().err


def test_accumulated_gradients_are_looked_at_once_for_each_update(
    tmp_path: Path,
) -> None:
    _, run = train(tmp_path, Kept(), epochs=7, gradient_accumulation_steps=2)

    assert "21 updates" in run.findings()[0].message  # of 42 backward passes
