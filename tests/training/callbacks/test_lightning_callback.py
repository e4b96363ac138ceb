from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from danlu.training import build_optimizer
from tests.training.callbacks.trials import Kept, trial_in

lightning = pytest.importorskip("lightning")

from danlu.training.callbacks import LightningCallback  # noqa: E402

# How many cores there are is not what is tested; Lightning 2.6 asks torch for a name
# that 2.13 gives with a warning.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]

INPUTS = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
EXAMPLES = TensorDataset(INPUTS, (INPUTS[:, 0] > 0).long())


class Net(lightning.LightningModule):  # type: ignore[misc, name-defined]
    """With all that a resume may forget: dropout, statistics, momentum, schedules."""

    def __init__(self, *, detached: bool = False) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Linear(4, 8)
        self.rest = nn.Sequential(
            nn.Dropout(0.3), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)
        )
        self.detached = detached

    def training_step(self, batch: Any, place: int) -> Tensor:
        loss = self.loss(batch)
        self.log("loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: Any, place: int) -> None:
        self.log("val_loss", self.loss(batch))

    def loss(self, batch: Any) -> Tensor:
        hidden = self.first(batch[0])
        if self.detached:
            hidden = hidden.detach()
        return functional.cross_entropy(self.rest(hidden), batch[1])

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)
        # A loss that falls counts as a plateau here, so that it acts at once.
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode="max", patience=0
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss"},
        }


def fit(
    folder: Path,
    channel: Kept,
    *,
    budget: int | None = None,
    metric: str = "val_loss",
    resume: bool = True,
    model: Net | None = None,
    watch: bool = False,
    unit: Any = "epoch",
    workers: int = 0,
    beside: Any = (),
    **settings: Any,
) -> tuple[Any, Tensor, Any]:
    """The trainer, all numbers of the model that it trained, and the callback."""
    trial = trial_in(folder, channel, metric=metric, budget=budget)
    callback = LightningCallback(trial, unit=unit)
    if watch:
        callback.watch()
    trainer = lightning.Trainer(
        **{"max_epochs": 4, **settings},
        callbacks=[callback, *beside],
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    model = Net() if model is None else model
    trainer.fit(
        model,
        DataLoader(EXAMPLES, 16, shuffle=True, num_workers=workers),
        DataLoader(EXAMPLES, 50),
        ckpt_path=callback.ckpt_path if resume else None,
    )
    held = [*model.parameters(), *model.buffers()]
    return trainer, torch.cat([own.detach().flatten() for own in held]), callback


def test_a_trial_that_was_paused_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, parts = Kept(), Kept()
    _, expected, _ = fit(tmp_path / "whole", whole)

    for budget in (1, 3, None):
        _, got, _ = fit(tmp_path / "parts", parts, budget=budget)

    assert torch.equal(expected, got)
    assert dict(whole.sent) == dict(parts.sent)
    assert [1, 1, 2, 3, 3, 4] == parts.steps


class Joint(Net):
    """Moved by two optimizers as one, of which the first has not the first layer."""

    def configure_optimizers(self) -> Any:
        return build_optimizer(self, {"optimizer": "muon", "lr": 0.01})


def test_a_trial_with_joined_optimizers_goes_on_as_well(tmp_path: Path) -> None:
    whole, parts = Kept(), Kept()
    _, expected, _ = fit(tmp_path / "whole", whole, model=Joint())

    for budget in (2, None):
        _, got, _ = fit(tmp_path / "parts", parts, model=Joint(), budget=budget)

    assert torch.equal(expected, got)


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint")
@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_it_goes_on_within_an_epoch(tmp_path: Path, workers: int) -> None:
    """7 updates in an epoch, and a validation after every 3: at 3, 6, 10, 13, ..."""
    given: dict[str, Any] = {
        "unit": "step",
        "val_check_interval": 3,
        "max_epochs": 3,
        "workers": workers,
        "model": None,
    }
    whole, parts = Kept(), Kept()
    _, expected, _ = fit(tmp_path / "whole", whole, **given)

    for budget in (3, 13, 13, None):
        _, got, _ = fit(tmp_path / "parts", parts, budget=budget, **given)

    assert [3, 6, 10, 13, 17, 20] == whole.steps
    assert dict(whole.sent) == dict(parts.sent)
    assert torch.equal(expected, got)


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint")
def test_steps_may_be_counted_and_epochs_validated(tmp_path: Path) -> None:
    whole, parts = Kept(), Kept()
    _, expected, _ = fit(tmp_path / "whole", whole, unit="step")

    for budget in (7, 21, None):
        _, got, _ = fit(tmp_path / "parts", parts, unit="step", budget=budget)

    assert [7, 14, 21, 28] == whole.steps
    assert dict(whole.sent) == dict(parts.sent)
    assert torch.equal(expected, got)


def test_a_validation_after_the_training_is_not_reported(tmp_path: Path) -> None:
    channel = Kept()
    trainer, _, _ = fit(tmp_path, channel, unit="step", max_epochs=1)

    trainer.validate(Net(), DataLoader(EXAMPLES, 50))

    assert [7] == channel.steps


def test_metrics_of_training_and_of_validation_are_reported(tmp_path: Path) -> None:
    channel = Kept()

    fit(tmp_path, channel, max_epochs=1)

    assert {"loss", "val_loss"} == set(channel.sent[0][1])


def test_what_was_saved_and_not_reported_is_reported_and_not_trained_again(
    tmp_path: Path,
) -> None:
    with pytest.raises(OSError, match="disk is full"):
        fit(tmp_path, Kept(break_at=2))

    again = Kept()
    trainer, _, _ = fit(tmp_path, again, budget=2)

    assert [2] == again.steps
    assert 2 * 7 == trainer.global_step


def test_danlu_stops_a_trial_whatever_its_fewest_epochs(tmp_path: Path) -> None:
    channel = Kept(stop_at=2)

    fit(tmp_path, channel, min_epochs=4)

    assert [1, 2] == channel.steps


def test_a_metric_that_nobody_logged_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"about 'val_acc'.*'val_loss'"):
        fit(tmp_path, Kept(), metric="val_acc")


def test_a_checkpoint_that_was_not_given_to_the_trainer_is_an_error(
    tmp_path: Path,
) -> None:
    fit(tmp_path, Kept(), budget=1)

    with pytest.raises(ValueError, match="ckpt_path=callback"):
        fit(tmp_path, Kept(), resume=False)


def test_epochs_without_a_validation_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"check_val_every_n_epoch=1.*got 2"):
        fit(tmp_path, Kept(), check_val_every_n_epoch=2)


def test_a_checkpoint_between_accumulated_batches_is_an_error(tmp_path: Path) -> None:
    given: dict[str, Any] = {"val_check_interval": 3, "accumulate_grad_batches": 2}

    with pytest.raises(ValueError, match="multiple of accumulate_grad_batches=2"):
        fit(tmp_path, Kept(), unit="step", **given)


def test_an_epoch_that_max_steps_cuts_off_is_not_reported_with_old_metrics(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    channel = Kept()

    fit(tmp_path, channel, max_steps=10)  # of 7 in an epoch

    assert [1] == channel.steps
    assert "Epoch 2 ended before its validation" in capfd.readouterr().err


def test_a_trial_run_of_the_program_leaves_no_checkpoint(tmp_path: Path) -> None:
    channel = Kept()

    fit(tmp_path, channel, fast_dev_run=True)

    assert [1] == channel.steps
    assert [] == list(tmp_path.glob("checkpoint/*"))


def test_a_training_that_ended_early_stays_ended(tmp_path: Path) -> None:
    channel = Kept()

    for _ in range(2):
        patience = lightning.pytorch.callbacks.EarlyStopping(
            "val_loss", min_delta=10.0, patience=1
        )
        fit(tmp_path, channel, beside=[patience])

    assert [1, 2, 2] == channel.steps


def test_a_training_that_was_done_goes_on_where_it_is_made_longer(
    tmp_path: Path,
) -> None:
    channel = Kept()

    for epochs in (1, 2):
        fit(tmp_path, channel, max_epochs=epochs)

    assert [1, 1, 2] == channel.steps


def test_a_layer_that_no_gradient_reaches_is_found(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = Net(detached=True)

    _, _, callback = fit(tmp_path, Kept(), model=model, watch=True, max_epochs=7)

    assert "No gradient reaches first.weight" in callback.findings()[0].message
    assert "warning: No gradient reaches first.weight" in capfd.readouterr().err
